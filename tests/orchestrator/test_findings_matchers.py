"""Problem matchers: what each tool's real output gives, and that no expression takes long whatever the line is."""

from __future__ import annotations

import json
import time
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from draftsman.domain.finding import Level
from draftsman.domain.plan import Tier
from orchestrator.findings import find
from orchestrator.findings.diagnostics import LEVELS
from orchestrator.findings.matchers import FAMILIES, Limits, load_matchers, match_at, read_matchers
from orchestrator.findings.text import LONGEST_LINE

SAMPLES = Path(__file__).parent / "findings_samples"
FAIL, WARN, NOTE = Level.FAILURE, Level.WARNING, Level.NOTICE

Row = tuple[str, int, int | None, Level, str, str]

GO_BUILD: list[Row] = [
    ("bad/bad.go", 3, 8, FAIL, "go", 'imported and not used: "os"'),
    ("bad/bad.go", 6, 2, FAIL, "go", "x declared but not used"),
    ("bad/bad.go", 7, 9, FAIL, "go", "undefined: y"),
]
GO_TESTS: list[Row] = [
    ("pkg/total_test.go", 7, None, FAIL, "TestTotal", "Total() = 3, want 4"),
    ("pkg/total_test.go", 15, None, FAIL, "TestTable/one", "total_test.go:14: with one"),
    ("pkg/total_test.go", 15, None, FAIL, "TestTable/two", "total_test.go:14: with two"),
]
GO_PANIC: Row = (
    "pkg/total.go",
    14,
    None,
    FAIL,
    "TestPanic",
    "panic: runtime error: index out of range [3] with length 0 [recovered]",
)
RUST_UNUSED: Row = ("src/lib.rs", 2, 9, WARN, "rustc: unused_variables", "unused variable: `unused`")
SHELL: list[tuple[int, int, Level, str, str]] = [
    (2, 10, FAIL, "SC2045", "Iterating over ls output is fragile. Use globs."),
    (2, 15, NOTE, "SC2035", "Use ./*glob* or -- *glob* so names with dashes won't become options."),
    (3, 8, NOTE, "SC2086", "Double quote to prevent globbing and word splitting."),
    (5, 11, WARN, "SC3014", "In POSIX sh, == in place of = is undefined."),
    (6, 3, WARN, "SC2164", "Use 'cd ... || exit' or 'cd ... || return' in case cd fails."),
]
FROZEN = ("rubocop: Style/FrozenStringLiteralComment", "Missing frozen string literal comment.")

TOOLS: dict[str, tuple[str, set[str], list[Row]]] = {
    "flake8": ("", {"src/shop.py"}, [("src/shop.py", 1, 1, FAIL, "flake8: F401", "'os' imported but unused")]),
    "prettier": (
        "/js",
        {"src/broken.js", "src/ugly.js"},
        [
            ("src/broken.js", 2, 1, FAIL, "prettier", "SyntaxError: Unexpected token"),
            ("src/ugly.js", 1, None, FAIL, "prettier", "The file is not formatted as Prettier formats it."),
        ],
    ),
    "go_build": ("/go", {"bad/bad.go"}, GO_BUILD),
    "go_vet": (
        "/go",
        {"pkg/total.go"},
        [("pkg/total.go", 10, 2, FAIL, "go", 'fmt.Printf format %d has arg "x" of wrong type string')],
    ),
    # Another package has a file of the same name.
    "go_test": (
        "/go",
        {"pkg/total.go", "pkg/total_test.go", "other/total_test.go", "bad/bad.go"},
        [*GO_TESTS, GO_PANIC, *GO_BUILD],
    ),
    "go_test_v": ("/go", {"pkg/total.go", "pkg/total_test.go", "other/total_test.go"}, GO_TESTS),
    "gotestsum": ("/go", {"pkg/total.go", "pkg/total_test.go", "other/total_test.go"}, [*GO_TESTS, GO_PANIC]),
    "cargo_build": ("/rs", {"src/lib.rs"}, [RUST_UNUSED]),
    "cargo_clippy": (
        "/rs",
        {"src/lib.rs"},
        [RUST_UNUSED, ("src/lib.rs", 7, 5, WARN, "clippy: needless_return", "unneeded `return` statement")],
    ),
    "cargo_errors": (
        "/rs",
        {"src/lib.rs"},
        [
            ("src/lib.rs", 2, 23, FAIL, "rustc: E0308", "mismatched types"),
            ("src/lib.rs", 3, 5, FAIL, "rustc: E0308", "mismatched types"),
            ("src/lib.rs", 7, 5, FAIL, "rustc: E0425", "cannot find function `missing` in this scope"),
        ],
    ),
    "cargo_test": (
        "/rs",
        {"src/lib.rs"},
        [
            RUST_UNUSED,
            ("src/lib.rs", 16, 9, FAIL, "cargo test: tests::adds", "assertion `left == right` failed"),
            ("src/lib.rs", 21, 9, FAIL, "cargo test: tests::says", "totals differ"),
        ],
    ),
    "gcc": (
        "",
        {"c/total.c", "c/shop.c"},
        [
            (
                "c/total.c",
                7,
                23,
                WARN,
                "cc: -Wsign-compare",
                "comparison of integer expressions of different signedness: ‘int’ and ‘unsigned int’",
            ),
            (
                "c/total.c",
                8,
                14,
                WARN,
                "cc: -Wformat=",
                "format ‘%s’ expects argument of type ‘char *’, but argument 2 has type ‘int’",
            ),
            ("c/total.c", 9, 11, FAIL, "cc", "‘nme’ undeclared (first use in this function)"),
            ("c/total.c", 10, 15, FAIL, "cc", "expected ‘;’ before ‘}’ token"),
            ("c/total.c", 3, 12, WARN, "cc: -Wunused-function", "‘unused’ defined but not used"),
            ("c/shop.c", 2, 10, FAIL, "cc", "missing.h: No such file or directory"),
        ],
    ),
    "clang": (
        "",
        {"c/total.c"},
        [
            (
                "c/total.c",
                8,
                20,
                WARN,
                "cc: -Wformat",
                "format specifies type 'char *' but the argument has type 'int'",
            ),
            ("c/total.c", 9, 11, FAIL, "cc", "use of undeclared identifier 'nme'"),
            ("c/total.c", 10, 15, FAIL, "cc", "expected ';' after return statement"),
            (
                "c/total.c",
                7,
                23,
                WARN,
                "cc: -Wsign-compare",
                "comparison of integers of different signs: 'int' and 'unsigned int'",
            ),
        ],
    ),
    "shellcheck_gcc": (
        "",
        {"sh/run.sh"},
        [("sh/run.sh", line, column, level, f"shellcheck: {code}", said) for line, column, level, code, said in SHELL],
    ),
    "shellcheck_tty": (
        "",
        {"sh/run.sh"},
        [("sh/run.sh", line, None, level, f"shellcheck: {code}", said) for line, _, level, code, said in SHELL],
    ),
    "rspec": (
        "/rb",
        {"shop.rb", "spec/shop_spec.rb"},
        [
            ("spec/shop_spec.rb", 5, None, FAIL, "Shop adds", "Failure/Error: expect(total([1, 2])).to eq(4)"),
            ("shop.rb", 7, None, FAIL, "Shop broken throws", "Failure/Error: broken"),
        ],
    ),
}


def rows(output: bytes, paths: set[str], workspace: str = "/workspace") -> list[Row]:
    """What is compared of each finding; of a message its first line."""
    findings = find([(Tier.FAST, output)], frozenset(paths), workspace=workspace)
    return [(f.path, f.line, f.column, f.level, f.title, f.message.splitlines()[0]) for f in findings]


@pytest.mark.parametrize("sample", TOOLS)
def test_what_a_tool_prints(sample: str) -> None:
    folder, paths, expected = TOOLS[sample]
    assert rows((SAMPLES / f"{sample}.txt").read_bytes(), paths, f"/workspace{folder}") == expected


@pytest.mark.parametrize("sample", ["rubocop", "rubocop_emacs", "rubocop_simple"])
def test_rubocop_in_each_format_gives_the_same_findings(sample: str) -> None:
    found = rows((SAMPLES / f"{sample}.txt").read_bytes(), {"shop.rb", "spec/shop_spec.rb"}, "/workspace/rb")
    assert len(found) == 11
    assert found[0] == ("shop.rb", 1, 1, WARN, *FROZEN)
    assert found[1][:5] == ("shop.rb", 2, 3, WARN, "rubocop: Lint/UselessAssignment")
    assert found[10][:5] == ("spec/shop_spec.rb", 17, 6, WARN, "rubocop: Style/StringLiterals")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"Would reformat: a.py", ("a.py", 1, None, FAIL, "ruff", "The file would be reformatted.")),
        (b"would reformat /workspace/a.py", ("a.py", 1, None, FAIL, "black", "The file would be reformatted.")),
        (b"a.py:3:5:3:9: error: Bad  [arg-type]", ("a.py", 3, 5, FAIL, "mypy: arg-type", "Bad")),
        (b"/workspace/a.js: line 3, col 7, Error - Bad. (eqeqeq)", ("a.js", 3, 7, FAIL, "eslint: eqeqeq", "Bad.")),
        (b"./a.go:3:5: too many\n\thave (int)\n\twant ()\n", ("a.go", 3, 5, FAIL, "go", "too many")),
        (
            b"Diff in /workspace/a.rs:12:\n-a\n+b",
            ("a.rs", 12, None, FAIL, "rustfmt", "The file is not formatted as rustfmt formats it."),
        ),
        (
            b"thread 'a' panicked at 'no: number', a.rs:4:9\nnote: run with",
            ("a.rs", 4, 9, FAIL, "cargo test: a", "no: number"),
        ),
        (
            b"a.rb:1:5: E: Lint/Syntax: unexpected token tSTRING\n",
            ("a.rb", 1, 5, FAIL, "rubocop: Lint/Syntax", "unexpected token tSTRING"),
        ),
        (
            b"error: this is bad\n --> a.rs:2:1\n  |\n  = note: `-D clippy::needless-return` implied by `-D warnings`",
            ("a.rs", 2, 1, FAIL, "clippy: needless_return", "this is bad"),
        ),
        (
            b"An error occurred while loading ./a.rb.\nFailure/Error: foo\n\nNameError:\n  no foo\n# ./a.rb:3:in `a'",
            ("a.rb", 3, None, FAIL, "while loading ./a.rb.", "Failure/Error: foo"),
        ),
    ],
)
def test_a_line_of_another_format(output: bytes, expected: Row) -> None:
    assert rows(output, {"a.py", "a.js", "a.go", "a.rs", "a.rb"}) == [expected]


@pytest.mark.parametrize(
    "output",
    [
        b"[warn] Code style issues found in 2 files. Run Prettier with --write to fix.",
        b"  a.go:3: from a program, not from a test\n",
        b"error: could not compile `a`\nwarning: a\n",
        b"In a.sh line 3:\necho\n",
        b"== a.rb ==\n\nC:  1:  1: Style/A: too late\n",
        b"--- FAIL: TestA (0.00s)\nFAIL\ta\t0.1s\n    a.go:3: after the package\n",
    ],
)
def test_what_is_no_finding(output: bytes) -> None:
    assert rows(output, {"a.go", "a.rs", "a.sh", "a.rb", "a.js"}) == []


def test_lines_between_the_rows_of_a_heading_do_not_end_them() -> None:
    output = b"/workspace/a.js\n  1:7   error  Long message that\n   goes on  rule\n  2:1   error  Bad  rule\n\n"
    assert [row[1] for row in rows(output, {"a.js"})] == [1, 2]


# The data


def described() -> list[dict[str, Any]]:
    folder = files("orchestrator.findings") / "formats"
    return [m for name in FAMILIES for m in json.loads((folder / f"{name}.json").read_text())["problemMatcher"]]


def test_every_file_is_loaded_and_every_owner_is_its_own() -> None:
    folder = files("orchestrator.findings") / "formats"
    assert {item.name for item in folder.iterdir()} == {f"{family}.json" for family in FAMILIES}
    owners = [matcher.owner for matcher in load_matchers()]
    assert len(owners) == len(set(owners)) == len(described())
    assert load_matchers() is load_matchers()


@pytest.mark.parametrize("matcher", described(), ids=lambda matcher: matcher["owner"])
def test_a_matcher_tells_place_and_message(matcher: dict[str, Any]) -> None:
    told = {name for pattern in matcher["pattern"] for name in pattern}
    assert "file" in told
    assert "message" in told or matcher.get("text")
    assert all(pattern["regexp"].startswith("^") for pattern in matcher["pattern"])
    assert matcher.get("severity", "error") in LEVELS


@pytest.mark.parametrize(
    "pattern",
    [
        [],
        [{"regexp": "(a)", "file": 2}],
        [{"regexp": "(a)", "file": 1, "loop": True}],
        [{"regexp": "(a)", "file": 1}, {"regexp": "a", "loop": True}, {"regexp": "(a)", "message": 1}],
    ],
)
def test_a_matcher_that_is_wrong_is_refused(pattern: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"may loop|group is missing"):
        read_matchers({"problemMatcher": [{"owner": "a", "pattern": pattern}]})


# Time

CATASTROPHES = [r"^(a|a?)+$", r"^(a|aa)+$", r"^(.*a){20}$"]


@pytest.mark.hostile
@pytest.mark.parametrize("expression", CATASTROPHES)
def test_an_expression_that_runs_out_of_time_is_not_tried_again(expression: str) -> None:
    (matcher,) = read_matchers({"problemMatcher": [{"owner": "a", "pattern": [{"regexp": expression}]}]})
    limits = Limits(each=0.05)
    lines = ["a" * 1900 + "!"] * 1000
    started = time.process_time()
    assert not [match for number in range(len(lines)) for match in match_at(matcher, lines, number, limits)]
    assert time.process_time() - started < 20


@pytest.mark.hostile
def test_an_expression_that_is_slow_but_never_too_slow_ends_the_search_as_well() -> None:
    # Some milliseconds for each line: none is over the limit of a line.
    (matcher,) = read_matchers({"problemMatcher": [{"owner": "a", "pattern": [{"regexp": "^(a+)+$"}]}]})
    limits = Limits(each=10, together=0.5)
    lines = ["a" * 1000 + "b"] * 100_000
    started = time.process_time()
    for number in range(len(lines)):
        if limits.used_up:
            break
        assert not list(match_at(matcher, lines, number, limits))
    assert time.process_time() - started < 30


def test_where_no_time_is_left_no_more_lines_are_looked_at() -> None:
    assert Limits(together=-1).used_up
    assert not Limits().used_up


def attacks(expression: str, needs: list[str]) -> list[str]:
    """Lines that begin as the format does, and then repeat what its parts are made of, so that the end never comes."""
    begins = [
        "",
        "a.py:1:1: ",
        "a.py:1: error: ",
        "a.c:1:1: error: ",
        "a.py(1,1): error TS1: ",
        "In ",
        "[warn] ",
        "[error] a.js: ",
        "thread 'a' panicked at '",
        "Diff in ",
        "== ",
        "  1:1  error  ",
        "C:  1:  1: A/",
        "   ^",
    ]
    units = [
        "a",
        " ",
        ":",
        "1",
        "1:",
        " [",
        "[-W",
        " (",
        "(1,",
        ".c",
        "a  ",
        "  a",
        "/a",
        "', a:1",
        "^-",
        "-->",
        "SC",
        "E1",
    ]
    units += needs
    return [(begin + unit * LONGEST_LINE)[:LONGEST_LINE] for begin, unit in product(begins, units)]


@pytest.mark.hostile
@pytest.mark.parametrize("matcher", described(), ids=lambda matcher: matcher["owner"])
def test_no_expression_takes_long_whatever_the_line_is(matcher: dict[str, Any]) -> None:
    (read,) = read_matchers({"problemMatcher": [matcher]})
    limits = Limits(each=60, together=60)
    expressions = [pattern.expression for pattern in read.patterns] + ([read.follows] if read.follows else [])
    slowest = 0.0
    for pattern in matcher["pattern"]:
        for line in attacks(pattern["regexp"], pattern.get("needs", [])):
            for expression in expressions:
                started = time.thread_time()
                limits.match(expression, line)
                slowest = max(slowest, time.thread_time() - started)
    assert slowest < 0.05, "the limit is a guard, not what these rely on"


@pytest.mark.hostile
def test_output_that_every_expression_has_to_look_at_takes_seconds() -> None:
    needed = "".join(
        {need for matcher in described() for pattern in matcher["pattern"] for need in pattern.get("needs", [])}
    )
    line = f"a.py:1:1 {needed} ".encode()
    started = time.process_time()
    find([(Tier.FAST, (line + b"\n") * (8 * 2**20 // len(line)))], frozenset({"a.py"}))
    assert time.process_time() - started < 80
