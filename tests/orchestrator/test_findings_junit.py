"""JUnit XML of real tools (tests/orchestrator/findings_samples), and hostile XML."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.finding import Level
from draftsman.domain.plan import Tier
from orchestrator.findings.junit import LARGEST_JUNIT, MOST_FINDINGS, JUnit, Totals, read_junit
from orchestrator.findings.places import Places

SAMPLES = Path(__file__).parent / "findings_samples"

Row = tuple[str, int, str, str]

GO = {"pkg/total.go", "pkg/total_test.go", "other/total_test.go"}
PYTHON = {"src/shop.py", "tests/test_shop.py"}
JAVA = {"core/src/main/java/com/example/Cart.java", "core/src/test/java/com/example/CartTest.java"}
PYTEST_ROWS: list[Row] = [
    ("tests/test_shop.py", 7, "tests.test_shop.test_total", "assert 3 == 4"),
    (
        "src/shop.py",
        9,
        "tests.test_shop.TestBasket.test_discount",
        "ZeroDivisionError: integer division or modulo by zero",
    ),
    ("tests/test_shop.py", 21, "tests.test_shop.test_uses", 'failed on setup with "RuntimeError: no fixture"'),
]

REPORTS: dict[str, tuple[str, set[str], Totals, list[Row]]] = {
    "pytest": ("/py", PYTHON, Totals(5, 2, 1, 1, 0.036), PYTEST_ROWS),
    "pytest_xunit1": ("/py", PYTHON, Totals(5, 2, 1, 1, 0.036), PYTEST_ROWS),
    "jest": (
        "/js",
        {"sum.js", "sum.test.js"},
        Totals(3, 2, 0, 1, 0.389),
        [
            ("sum.test.js", 3, "adds", "Error: expect(received).toBe(expected) // Object.is equality"),
            ("sum.js", 1, "group throws", "TypeError: no number"),
        ],
    ),
    "vitest": (
        "/js",
        {"sum.js", "vsum.test.mjs"},
        Totals(3, 2, 0, 1, 0.007),
        [
            ("vsum.test.mjs", 4, "vsum.test.mjs > adds", "expected 2 to be 3 // Object.is equality"),
            ("sum.js", 1, "vsum.test.mjs > group > throws", "no number"),
        ],
    ),
    "node": (
        "/js",
        {"nsum.test.mjs"},
        Totals(1, 1, 0, 0, 0.002),
        [("nsum.test.mjs", 2, "test.adds", "Expected values to be strictly equal:2 !== 3")],
    ),
    "rspec": (
        "/rb",
        {"shop.rb", "spec/shop_spec.rb"},
        Totals(4, 2, 0, 1, 0.015),
        [
            ("spec/shop_spec.rb", 5, "Shop adds", "Failure/Error: expect(total([1, 2])).to eq(4)"),
            ("shop.rb", 7, "Shop broken throws", "no number"),
        ],
    ),
    "gotestsum": (
        "/go",
        GO,
        Totals(6, 5, 0, 0, 0.355, unplaced=1),
        [
            ("pkg/total_test.go", 7, "TestTotal", "Total() = 3, want 4"),
            ("pkg/total_test.go", 15, "TestTable/one", "total_test.go:14: with one"),
            ("pkg/total_test.go", 15, "TestTable/two", "total_test.go:14: with two"),
            (
                "pkg/total.go",
                14,
                "TestPanic",
                "panic: runtime error: index out of range [3] with length 0 [recovered]",
            ),
        ],
    ),
    "go_junit_report": (
        "/go",
        GO,
        Totals(3, 2, 0, 0, 0.004, unplaced=1),
        [("pkg/total_test.go", 7, "TestTotal", "Total() = 3, want 4")],
    ),
    "surefire": (
        "",
        JAVA,
        Totals(4, 1, 1, 1, 1234.567),
        [
            (
                "core/src/test/java/com/example/CartTest.java",
                14,
                "com.example.CartTest.adds",
                "expected: <4> but was: <3>",
            ),
            ("core/src/main/java/com/example/Cart.java", 9, "com.example.CartTest.throws", "no number"),
        ],
    ),
    "nextest": (
        "/rs",
        {"src/lib.rs"},
        Totals(3, 2, 0, 0, 0.016, unplaced=1),
        [("src/lib.rs", 16, "shop::tests::adds", "assertion `left == right` failed")],
    ),
}


def junit(content: bytes, *paths: str, workspace: str = "/workspace") -> JUnit:
    return read_junit(content, Tier.FULL, Places(frozenset(paths), workspace))


@pytest.mark.parametrize("sample", REPORTS)
def test_what_a_tool_reports(sample: str) -> None:
    folder, paths, totals, rows = REPORTS[sample]
    read = junit((SAMPLES / f"junit_{sample}.xml").read_bytes(), *paths, workspace=f"/workspace{folder}")
    assert read.totals == totals
    assert [(f.path, f.line, f.title, f.message.splitlines()[0]) for f in read.findings] == rows
    assert {finding.level for finding in read.findings} == {Level.FAILURE}


def case(told: str, inside: str = '<failure message="bad"/>') -> bytes:
    return f"<testsuite><testcase {told}>{inside}</testcase></testsuite>".encode()


@pytest.mark.parametrize(
    ("report", "place"),
    [
        (case('name="a" file="src/a.py" line="7"'), ("src/a.py", 7)),
        (case('name="a" file="/workspace/src/a.py" line="7"'), ("src/a.py", 7)),
        (case('name="a" file="src/a.py"'), ("src/a.py", 1)),
        (case('name="a" file="src/a.py"', "<failure>src/a.py:9: Error</failure>"), ("src/a.py", 9)),
        (case('name="a"', '<error message="at f (/workspace/web/b.js:3:4)"/>'), ("web/b.js", 3)),
        (case('name="a"', '<error>  File "/workspace/src/a.py", line 4, in f</error>'), ("src/a.py", 4)),
        (case('name="a"', "<error>web/b.js:8:2</error>"), ("web/b.js", 8)),
        (case('name="a" classname="src.a.TestA"'), ("src/a.py", 1)),
        (case('name="a" classname="web/b.js"'), ("web/b.js", 1)),
        (case('name="a" classname="com.example.Outer$Inner"'), ("x/com/example/Outer.java", 1)),
        (case('name="a" classname="App\\Tests\\Cart"'), ("App/Tests/Cart.php", 1)),
        (b'<testsuite name="web/b.js"><testcase name="a"><failure/></testcase></testsuite>', ("web/b.js", 1)),
    ],
)
def test_where_a_case_is(report: bytes, place: tuple[str, int]) -> None:
    paths = ("src/a.py", "web/b.js", "x/com/example/Outer.java", "App/Tests/Cart.php", "a.py")
    (finding,) = junit(report, *paths).findings
    assert (finding.path, finding.line) == place


@pytest.mark.parametrize(
    "told",
    [
        'file="../../etc/passwd" line="1"',
        'file="/etc/passwd" line="1"',
        'file="file:///etc/passwd" line="1"',
        'file="src/a.py" line="0"',
        'file="src/a.py" line="99999999999"',
        'file="src/a.py" line="-4"',
        'file="src/a.py" line="x"',
        'classname="..a"',
        'classname="a"',
        'classname="%s"' % ("a." * 5000),
    ],
)
def test_a_failure_without_a_place_of_ours_is_counted(told: str) -> None:
    assert junit(case(f'name="a" {told}'), "src/a.py") == JUnit((), Totals(1, 1, 0, 0, 0.0, unplaced=1))


def test_only_failures_and_errors_are_findings() -> None:
    inside = (
        '<skipped message="src/a.py:3: later"/><rerunFailure>x</rerunFailure><flakyError/><system-out>x</system-out>'
    )
    assert junit(case('name="a" file="src/a.py"', inside), "src/a.py") == JUnit((), Totals(1, skipped=1))


@pytest.mark.parametrize("told", ["nan", "inf", "-1", "1e400", "", "x", "9" * 5000])
def test_times_that_are_none(told: str) -> None:
    assert junit(f'<testsuite time="{told}"><testcase time="{told}"/></testsuite>'.encode()).totals == Totals(1)


def test_of_a_report_that_breaks_off_counts_what_comes_before() -> None:
    whole = case('name="a" file="src/a.py" line="7"')
    read = junit(whole.removesuffix(b"</testsuite>") + b'<testcase name="b"><fail', "src/a.py")
    assert (len(read.findings), read.totals.tests) == (1, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = case('name="ä" file="src/a.py"').decode()
    read = junit(f'<?xml version="1.0" encoding="latin-1"?>{text}'.encode(encoding), "src/a.py")
    assert [finding.title for finding in read.findings] == ["ä"]


def test_control_characters_do_not_pass() -> None:
    inside = "<failure message='a&#x1b;[31mred&#27;[0m&#0;&#x8;'>\x1b[2J&#10;</failure>"
    (finding,) = junit(case('name="a&#x1B;]0;t&#7;" file="src/a.py"', inside), "src/a.py").findings
    assert finding.message.isprintable()
    assert finding.title.isprintable()


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY a "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<testsuite><testcase name="a" file="src/a.py"><failure>&c;</failure></testcase></testsuite>"""
EXTERNAL = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<testsuite><testcase name="&x;" file="src/a.py"><failure>&x;</failure></testcase></testsuite>"""


@pytest.mark.hostile
@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        EXTERNAL,
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><testsuite><testcase><failure/></testcase></testsuite>',
        b"<testsuite><testcase name='&undefined;'><failure/></testcase></testsuite>",
        b"<a>" * 1_000_000,
        b"<testcase>" * 500_000,
        b"",
        b"\0" * 1000,
        b"\xff\xfe" + b"<a",
        b"<testsuite>" * 50,
        b'<?xml version="1.0" encoding="bz2_codec"?><testsuite/>',
        b"<testsuite " + b" ".join(b'a%d=""' % n for n in range(200_000)) + b"/>",
        b'<testsuite><testcase name="' + b"a" * LARGEST_JUNIT + b'"/></testsuite>',
    ],
)
def test_hostile_xml_gives_nothing_and_quickly(content: bytes) -> None:
    started = time.process_time()
    assert junit(content, "src/a.py").findings == ()
    assert time.process_time() - started < 30


@pytest.mark.hostile
def test_a_report_of_100000_lines() -> None:
    one = (
        b'<testcase name="a" classname="src.a" time="0.1"><failure message="m">src/a.py:3: Error</failure></testcase>\n'
    )
    started = time.process_time()
    read = junit(b"<testsuite>\n" + one * (LARGEST_JUNIT // len(one) - 1) + b"</testsuite>", "src/a.py")
    assert time.process_time() - started < 60
    assert len(read.findings) == MOST_FINDINGS
    assert read.totals.failures == read.totals.tests > 90_000


@pytest.mark.hostile
@pytest.mark.parametrize(
    "unit",
    [
        "a.py:1: ",
        "  at a (",
        "at " + "a." * 900 + "\n",
        "\n",
        "thread '",
        '  File "',
        "a.go:1: x\n",
        "❯ ",
        ":" * 1999 + "\n",
    ],
)
def test_a_failure_of_any_text_takes_seconds(unit: str) -> None:
    text = unit * (200_000 // len(unit.encode()))
    one = f'<testcase name="a" classname="{"a." * 50}"><failure>{text}</failure></testcase>'.encode()
    started = time.process_time()
    junit(b"<testsuite>" + one * (LARGEST_JUNIT // len(one) - 1) + b"</testsuite>", "src/a.py", "b/a.py", "c/a.py")
    assert time.process_time() - started < 80


@pytest.mark.hostile
@given(st.binary(max_size=200), st.text(max_size=200))
def test_whatever_a_report_is_it_raises_nothing(content: bytes, text: str) -> None:
    junit(content)
    junit(b"<testsuite><testcase><failure>" + content)
    junit(f"<testsuite><testcase name='a'><failure>{text}</failure></testcase></testsuite>".encode("utf-8", "replace"))
