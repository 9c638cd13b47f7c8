"""Which lines a change touched, and in which order findings are shown."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings import MOST_FINDINGS, ChangedLines, changed_lines, find
from orchestrator.findings.changes import MOST_FILES, MOST_RANGES
from orchestrator.findings.order import merged, most_useful

SAMPLES = Path(__file__).parent / "findings_samples"


@pytest.mark.parametrize("sample", ["change", "change_with_context"])
def test_what_git_says(sample: str) -> None:
    changed = changed_lines((SAMPLES / f"{sample}.diff").read_bytes())
    assert dict(changed.ranges) == {
        "fresh.py": ((1, 2),),
        "less.py": (),
        "new.py": (),
        "plain.py": ((2, 2), (5, 6)),
        "sql.sql": ((1, 1),),
        "with space.py": ((1, 1),),
        'ä"q.py': ((1, 1),),
    }


HEAD = b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n"


@pytest.mark.parametrize(
    ("diff", "expected"),
    [
        (b"", {}),
        (b"no diff at all\n\0\xff", {}),
        (HEAD, {"a.py": ()}),
        (HEAD + b"@@ -1 +1 @@\n-a\n++++ b/evil.py\n", {"a.py": ((1, 1),)}),
        (
            HEAD + b"@@ -0,0 +1,2 @@\n+@@ -1 +90 @@\n+diff --git a/x b/x\n@@ -9 +9 @@\n-a\n+b\n",
            {"a.py": ((1, 2), (9, 9))},
        ),
        (HEAD + b"@@ -1,0 +7,999999999 @@\n+a\n+b\n", {"a.py": ((7, 8),)}),
        (HEAD + b"@@ -1 +99999999999999999999 @@\n+a\n", {"a.py": ()}),
        (HEAD + b"@@ -9 +9 @@\n+a\n@@ -5 +5 @@\n+a\n@@ -6 +6 @@\n+a\n", {"a.py": ((5, 6), (9, 9))}),
        (b"@@ -1 +1 @@\n+a\n", {}),
        (b'+++ "b/a\\012b.py"\n@@ -1 +1 @@\n+a\n', {"a\nb.py": ((1, 1),)}),
        (b'+++ "b/a\\"\n', {"a\\": ()}),
        (b'+++ "\n', {}),
        (b'+++ ""\n', {}),
        (b"+++ b/\n", {}),
        (b"+++ a.py\n", {}),
        (b"+++ b/\xff.py\n", {"\udcff.py": ()}),
        (b'rename to "\\303\\244.py"\n', {"ä.py": ()}),
        (HEAD + b"@@ -1 +1 @@\r\n+a\r\n", {"a.py": ((1, 1),)}),
    ],
)
def test_diffs(diff: bytes, expected: dict[str, tuple[tuple[int, int], ...]]) -> None:
    assert dict(changed_lines(diff).ranges) == expected


@pytest.mark.hostile
@given(st.binary(max_size=300))
def test_whatever_it_is_it_raises_nothing(content: bytes) -> None:
    changed_lines(content)
    changed_lines(HEAD + content)
    changed_lines(HEAD + b"@@ -1,9 +1,9 @@\n" + content)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit",
    [
        b"@@ -1 +1 @@\n+a\n",
        b"+++ b/a.py\n",
        b"\n",
        b"+" * 1000,
        b'+++ "b/' + b"\\303" * 4000 + b'"\n',
        b"@@ -1 +1,2 @@\n",
    ],
)
def test_a_diff_of_any_size_takes_seconds(unit: bytes) -> None:
    diff = HEAD + unit * (40 * 2**20 // len(unit))
    started = time.process_time()
    changed = changed_lines(diff)
    assert time.process_time() - started < 80
    assert sum(len(ranges) for ranges in changed.ranges.values()) <= MOST_RANGES


def test_files_are_counted() -> None:
    diff = b"".join(b"+++ b/%d.py\n@@ -1 +1 @@\n-a\n+a\n" % number for number in range(MOST_FILES + 10))
    changed = changed_lines(diff)
    assert len(changed.ranges) == MOST_FILES
    assert not changed.has_file(f"{MOST_FILES}.py")


def test_lines_and_files() -> None:
    changed = ChangedLines({"a": ((2, 3), (7, 9)), "b": ()})
    assert [line for line in range(12) if changed.has_line("a", line)] == [2, 3, 7, 8, 9]
    assert changed.has_line("a", 4, 7)
    assert not changed.has_line("a", 4, 6)
    assert not changed.has_line("a", 10, 3)
    assert (changed.has_file("b"), changed.has_line("b", 1), changed.has_file("c")) == (True, False, False)


# The order


def make(
    path: str, line: int, level: Level = Level.FAILURE, message: str = "what is wrong here", **other: object
) -> Finding:
    finding = Finding(Tier.FAST, path, line, level, "tool: a", message, "tool")
    return replace(finding, **other)  # type: ignore[arg-type]


def test_changed_lines_go_before_changed_files_and_these_before_the_rest() -> None:
    changed = ChangedLines({"a.py": ((5, 6),)})
    told = [
        make("z.py", 1),
        make("a.py", 1, Level.NOTICE),
        make("a.py", 5, Level.NOTICE),
        make("z.py", 2, Level.WARNING),
        make("a.py", 1, Level.FAILURE),
        make("a.py", 6, Level.WARNING),
        make("a.py", 1, Level.WARNING, end_line=5),
    ]
    ordered = most_useful(told, 10, changed)
    assert [told.index(finding) for finding in ordered] == [5, 6, 2, 4, 1, 0, 3]


def test_of_too_many_findings_those_on_changed_lines_are_kept() -> None:
    output = b"".join(b"a.js:%d:1: odd [Error/rule]\n" % line for line in range(1, 1000))
    changed = ChangedLines({"b.js": ((3, 3),)})
    output += b"b.js:3:1: here [Warning/rule]\nb.js:4:1: near [Warning/rule]\n"
    findings = find([(Tier.FAST, output)], frozenset({"a.js", "b.js"}), changed=changed)
    assert len(findings) == MOST_FINDINGS
    assert [finding.message for finding in findings[:3]] == ["here", "near", "odd"]


# Duplicates


def test_output_and_report_that_say_the_same_are_one_finding_the_richer_one() -> None:
    told = make("a.py", 3, Level.WARNING, "Undefined name `nme`", title="ruff: F821", tool="ruff")
    reported = replace(
        told, level=Level.FAILURE, message="Undefined name `nme`. Help: define it.", column=7, end_line=4
    )
    assert merged([told], [reported]) == [reported]
    assert merged([told], [reported, reported]) == [reported]


@pytest.mark.parametrize(
    "other",
    [
        {"path": "b.py"},
        {"line": 4},
        {"tier": Tier.FULL},
        {"message": "Undefined name `other`"},
        {"message": "Undefined name `nmes`"},
        {"title": "ruff: F822"},
    ],
)
def test_what_differs_is_kept(other: dict[str, object]) -> None:
    told = make("a.py", 3, message="Undefined name `nme`", title="ruff: F821", tool="ruff")
    reported = replace(told, column=3, **other)  # type: ignore[arg-type]
    assert merged([told], [reported]) == [told, reported]


@pytest.mark.hostile
def test_very_many_findings_of_one_line_are_compared_in_seconds() -> None:
    told = [make("a.py", 1, message=f"{number} " + "word " * 700) for number in range(5000)]
    reported = [make("a.py", 1, message=f"{number} " + "words " * 600) for number in range(5000)]
    started = time.process_time()
    assert len(merged(told, reported)) == 10_000
    assert time.process_time() - started < 60
