"""Findings out of real output of real tools (tests/orchestrator/findings_samples), and out of hostile output."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings import LARGEST_OUTPUT, MOST_FINDINGS, find

SAMPLES = Path(__file__).parent / "findings_samples"

PATHS = frozenset(
    [
        "src/shop.py",
        "src/broken.py",
        "src/note.py",
        "tests/test_shop.py",
        "tests/test_import.py",
        "imp/test_import.py",
        "tests/ut.py",
        "a.js",
        "src/b.js",
        "src/c.js",
        "t.ts",
        "t/sum.test.mjs",
        "sum.js",
        "sum.test.js",
    ]
)


def found(sample: str) -> list[tuple[str, int, str, str]]:
    """Path, line, title and first line of the message of each finding in the sample."""
    output = (SAMPLES / f"{sample}.txt").read_bytes()
    return [brief(finding) for finding in find([(Tier.FAST, output)], PATHS)]


def brief(finding: Finding) -> tuple[str, int, str, str]:
    return finding.path, finding.line, finding.title, finding.message.splitlines()[0]


RUFF = [
    ("src/broken.py", 1, "ruff: invalid-syntax", "Expected a parameter or the end of the parameter list"),
    ("src/broken.py", 1, "ruff: invalid-syntax", "Expected `)`, found newline"),
    ("src/shop.py", 1, "ruff: F401", "`os` imported but unused"),
    ("src/shop.py", 2, "ruff: F401", "`sys` imported but unused"),
    ("src/shop.py", 13, "ruff: F821", "Undefined name `nme`"),
]

MYPY = [
    (
        "src/shop.py",
        6,
        "mypy: return-value",
        'Incompatible return value type (got "int", expected "str")',
    ),
    (
        "src/shop.py",
        10,
        "mypy: var-annotated",
        'Need type annotation for "items" (hint: "items: list[<type>] = ...")',
    ),
    ("src/shop.py", 12, "mypy: no-untyped-def", "Function is missing a type annotation"),
    ("src/shop.py", 13, "mypy: name-defined", 'Name "nme" is not defined; did you mean "name"?'),
    ("src/shop.py", 14, "mypy: attr-defined", '"list[Any]" has no attribute "len"'),
]

PYTEST = [
    ("tests/test_shop.py", 31, "tests/test_shop.py::test_uses", "RuntimeError: no fixture"),
    ("tests/test_shop.py", 8, "tests/test_shop.py::test_total", "assert 3 == 4"),
    ("tests/test_shop.py", 5, "tests/test_shop.py::test_nested", "AssertionError: totals differ"),
    (
        "src/shop.py",
        17,
        "tests/test_shop.py::test_discount",
        "ZeroDivisionError: integer division or modulo by zero",
    ),
    ("tests/test_shop.py", 18, "tests/test_shop.py::test_params[2]", "assert [2, 2, 3] == [1, 2, 3]"),
    ("src/shop.py", 13, "tests/test_shop.py::TestBasket::test_add", "NameError: name 'nme' is not defined"),
    (
        "tests/test_shop.py",
        26,
        "tests/test_shop.py::TestBasket::test_raises",
        "Failed: DID NOT RAISE KeyError",
    ),
    (
        "tests/test_shop.py",
        38,
        "tests/test_shop.py::test_outside",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
]


@pytest.mark.parametrize("sample", ["ruff_full", "ruff_concise", "ruff_grouped"])
def test_ruff_in_each_format_gives_the_same_findings(sample: str) -> None:
    assert [finding for finding in found(sample) if finding[2] != "ruff: I001"][:5] == RUFF


def test_ruff_in_githubs_format() -> None:
    assert (
        "src/shop.py",
        13,
        "ruff (F821)",
        "F821 Undefined name `nme`",
    ) in found("ruff_github")
    (first, *_) = find([(Tier.FAST, (SAMPLES / "ruff_github.txt").read_bytes())], PATHS)
    assert (first.column, first.level, first.tool) == (7, Level.FAILURE, "ruff")


def test_unformatted_files_are_findings() -> None:
    assert ("src/shop.py", 4, "ruff: unformatted", "File would be reformatted") in found("ruff_format")


def test_the_concise_format_without_ruffs_last_line_is_flake8s() -> None:
    (finding,) = find([(Tier.FAST, b"./src/shop.py:1:1: F401 'os' imported but unused\n")], PATHS)
    assert brief(finding) == ("src/shop.py", 1, "flake8: F401", "'os' imported but unused")


@pytest.mark.parametrize("sample", ["mypy", "mypy_pretty"])
def test_mypy(sample: str) -> None:
    assert found(sample) == MYPY


def test_mypys_notes_join_the_error_that_they_explain() -> None:
    (finding,) = find([(Tier.FULL, (SAMPLES / "mypy_notes.txt").read_bytes())], PATHS)
    assert finding.title == "mypy: call-overload"
    assert finding.message.splitlines() == [
        'No overload variant of "f" matches argument type "float"',
        "Possible overload variants:",
        "    def f(x: int) -> int",
        "    def f(x: str) -> str",
    ]


def test_pyright() -> None:
    assert found("pyright")[0] == (
        "src/shop.py",
        6,
        "pyright: reportReturnType",
        'Type "int" is not assignable to return type "str"',
    )
    assert len(found("pyright")) == 3


@pytest.mark.parametrize("sample", ["pytest_long", "pytest_short", "pytest_color"])
def test_a_failing_test_is_found_on_the_deepest_line_inside_the_repository(sample: str) -> None:
    assert found(sample) == PYTEST


def test_pytest_with_native_tracebacks() -> None:
    assert found("pytest_native") == PYTEST[2:4]


def test_pytest_with_one_line_tracebacks_falls_back_to_the_file_where_no_line_of_ours_is_told() -> None:
    one_line = found("pytest_line")
    assert one_line[:6] == PYTEST[1:7]
    assert {(path, line, title) for path, line, title, _ in one_line[6:]} == {
        ("tests/test_shop.py", 1, "tests/test_shop.py::test_outside"),
        ("tests/test_shop.py", 1, "tests/test_shop.py::test_uses"),
    }


def test_a_test_file_that_cannot_be_imported() -> None:
    assert found("pytest_collect") == [
        ("imp/test_import.py", 1, "imp/test_import.py", "ModuleNotFoundError: No module named 'absent_module'")
    ]


def test_what_a_failing_test_printed_is_no_finding() -> None:
    output = (
        b"==== FAILURES ====\n____ test_a ____\n\ntests/test_shop.py:8: in test_a\n    assert 0\nE   assert 0\n"
        b"---- Captured stdout call ----\nsrc/shop.py:99: ValueError\nsrc/shop.py:3:1: F401 x\n"
        b"==== 1 failed in 0.1s ====\n"
    )
    (finding,) = find([(Tier.FAST, output)], PATHS)
    assert (finding.path, finding.line, finding.title) == ("tests/test_shop.py", 8, "test_a")


def test_unittest() -> None:
    assert found("unittest") == [
        (
            "src/shop.py",
            17,
            "test_error (tests.ut.Total.test_error)",
            "ZeroDivisionError: integer division or modulo by zero",
        ),
        ("tests/ut.py", 11, "test_sub (tests.ut.Total.test_sub) (i=0)", "AssertionError: 0 != 5"),
        ("tests/ut.py", 11, "test_sub (tests.ut.Total.test_sub) (i=1)", "AssertionError: 1 != 5"),
        ("tests/ut.py", 5, "test_sum (tests.ut.Total.test_sum)", "AssertionError: 3 != 4"),
    ]


@pytest.mark.parametrize("sample", ["eslint_stylish", "eslint_unix"])
def test_eslint(sample: str) -> None:
    findings = find([(Tier.FAST, (SAMPLES / f"{sample}.txt").read_bytes())], PATHS)
    assert [(f.path, f.line, f.column, f.level, f.title) for f in findings] == [
        ("a.js", 1, 7, Level.WARNING, "eslint: no-unused-vars"),
        ("a.js", 2, 10, Level.WARNING, "eslint: no-unused-vars"),
        ("a.js", 3, 9, Level.FAILURE, "eslint: eqeqeq"),
        ("a.js", 3, 24, Level.FAILURE, "eslint: no-undef"),
        ("src/b.js", 1, 18, Level.FAILURE, "eslint"),
        ("src/c.js", 1, 25, Level.FAILURE, "eslint: no-debugger"),
        ("src/c.js", 1, 39, Level.WARNING, "eslint: no-unused-vars"),
    ]


@pytest.mark.parametrize("sample", ["tsc", "tsc_pretty"])
def test_tsc(sample: str) -> None:
    assert found(sample) == [
        ("t.ts", 1, "tsc: TS2322", "Type 'string' is not assignable to type 'number'."),
        ("t.ts", 2, "tsc: TS2339", "Property 'foo' does not exist on type 'string'."),
        ("t.ts", 3, "tsc: TS2554", "Expected 1 arguments, but got 2."),
        ("t.ts", 5, "tsc: TS2322", "Type 'string' is not assignable to type 'number'."),
    ]


@pytest.mark.parametrize("sample", ["node_spec", "node_color", "node_tap"])
def test_nodes_own_runner(sample: str) -> None:
    findings = found(sample)
    assert [finding[:3] for finding in findings] == [
        ("t/sum.test.mjs", 4, "adds"),
        ("t/sum.test.mjs", 7, "throws"),
        ("t/sum.test.mjs", 11, "deep"),
    ]
    assert "Expected values to be strictly equal:" in findings[0][3]


@pytest.mark.parametrize(("sample", "separator"), [("jest", "›"), ("vitest", ">")])
def test_jest_and_vitest(sample: str, separator: str) -> None:
    adds, throws = found(sample)
    assert adds[:2] == ("sum.test.js", 3)
    assert adds[2].endswith("adds")
    assert throws[0] == "sum.js", "the line that threw, not the one that called it"
    assert throws[2].endswith(f"group {separator} throws")
    assert throws[3] == "TypeError: no number"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../src/shop.py",
        "/workspace/../etc/passwd",
        "src/other.py",
        "/usr/src/shop.py",
        "file:///src/shop.py",
    ],
)
def test_a_file_outside_the_repository_is_no_finding(path: str) -> None:
    assert find([(Tier.FAST, f"{path}:1:1: F401 unused\n".encode())], PATHS) == ()


@pytest.mark.parametrize("path", ["src/shop.py", "./src/shop.py", "/workspace/src/shop.py", "shop.py"])
def test_the_ways_to_name_a_file_of_the_repository(path: str) -> None:
    (finding,) = find([(Tier.FAST, f"{path}:1:1: F401 unused\n".encode())], PATHS)
    assert finding.path == "src/shop.py"


def test_a_name_that_two_files_end_with_names_neither() -> None:
    paths = frozenset({"web/index.js", "api/index.js"})
    assert find([(Tier.FAST, b"index.js:1:1: F401 unused\n")], paths) == ()


def test_a_finding_that_is_told_twice_is_one_in_each_tier() -> None:
    line = b"src/shop.py:1:8: F401 unused\n"
    findings = find([(Tier.FAST, line), (Tier.FAST, line), (Tier.FULL, line)], PATHS)
    assert [finding.tier for finding in findings] == [Tier.FAST, Tier.FULL]


def test_of_too_many_findings_the_failures_are_kept() -> None:
    warnings = b"".join(b"a.js:%d:1: odd [Warning/rule]\n" % line for line in range(1, 1000))
    findings = find([(Tier.FAST, warnings + b"a.js:7:1: bad [Error/rule]\n")], PATHS)
    assert len(findings) == MOST_FINDINGS
    assert findings[0].message == "bad"


def test_control_characters_do_not_pass() -> None:
    (finding,) = find([(Tier.FAST, b"src/shop.py:1:8: F401 a\x00b\x07\x1b[31mred\x1b]0;title\x07\xff\r\n")], PATHS)
    assert finding.message == "abred�"


def test_messages_and_titles_are_bounded() -> None:
    block = b"==== FAILURES ====\n____ " + b"n" * 900 + b" ____\ntests/test_shop.py:8: in f\n" + b"E   x\n" * 9000
    (finding,) = find([(Tier.FAST, block)], PATHS)
    assert len(finding.title) <= 255
    assert len(finding.message) <= 4000


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit",
    [
        b" " * 40 + b"a" * 1900 + b"\n",
        b":" * 1900 + b"\n",
        b"\n",
        b"zz.py:1: error: x\n",
        b"a.js:1: error: x\n",
        b"     at " + b"a " * 900 + b"\n",
        b"\x1b[" + b"0" * 50,
        b"\x1b]8;;",
        b"= a " + b" =" * 900 + b"\n",
        b"src/shop.py:1:1: " + b" [" * 900 + b"\n",
        b"not ok 1 - a\n  ---\n      " + b"a " * 900 + b"\n",
        b"==== FAILURES ====\n____ a ____\n" + b'  File "' * 200 + b"\n",
        b"x" * 399 + b":\n",
        b"x.py:1:1: " + b"[Error/ " * 248 + b"\n",
        b"a.js:1:1: " + b" [Error/a" * 220 + b"\n",
        b"a.js:1:1: " + b" [Error/a]" * 199 + b" \n",
        b"(1234567,1" * 8 + b":\n",
        b"  3:4  error" + b"  x" * 600 + b"\n",
        b"::error " + b"file=a.js,line=1," * 58 + b":\n",
        b"src/shop.py:1: error: x\nsrc/shop.py:1: note: y\n",
        b"FAIL  a > b\n" + b" " * 16 + b"1234567 x\n" * 20,
        "⎯".encode() * 600 + b"\n",
        b"\x9d\xc2\x9d" * 30 + b"\n",
    ],
)
def test_the_largest_output_takes_seconds_whatever_it_is_made_of(unit: bytes) -> None:
    output = unit * (LARGEST_OUTPUT // len(unit) + 1)
    started = time.process_time()
    find([(Tier.FAST, output)], PATHS)
    assert time.process_time() - started < 60


def test_steps_without_number_share_one_budget() -> None:
    output = b"a.js:1:1: x\n" * 1000
    started = time.process_time()
    find([(Tier.FULL, output)] * 700, PATHS)
    assert time.process_time() - started < 60


def test_the_lines_of_the_last_step_count_first() -> None:
    last = b"src/shop.py:1:8: F401 last\n"
    blank = b"\n" * 200_000
    findings = find([(Tier.FAST, b"src/shop.py:1:8: F401 first\n"), (Tier.FULL, blank + last)], PATHS)
    assert [finding.message for finding in findings] == ["last"]
