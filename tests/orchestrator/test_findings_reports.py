"""JUnit XML and SARIF: of real tools (tests/orchestrator/findings_samples), and of hostile ones."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings import ReportFile, find
from orchestrator.findings.junit import LARGEST_JUNIT, JUnit, Totals, read_junit
from orchestrator.findings.junit import MOST_FINDINGS as MOST_OF_JUNIT
from orchestrator.findings.places import Places
from orchestrator.findings.reports import LARGEST_REPORTS, kind_of
from orchestrator.findings.sarif import LARGEST_SARIF, read_sarif

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


def sarif(log: object, *paths: str) -> tuple[Finding, ...]:
    content = log if isinstance(log, bytes) else json.dumps(log).encode()
    return read_sarif(content, Tier.FAST, Places(frozenset(paths), "/workspace"))


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
    assert time.process_time() - started < 5


@pytest.mark.hostile
def test_a_report_of_100000_lines() -> None:
    one = (
        b'<testcase name="a" classname="src.a" time="0.1"><failure message="m">src/a.py:3: Error</failure></testcase>\n'
    )
    started = time.process_time()
    read = junit(b"<testsuite>\n" + one * (LARGEST_JUNIT // len(one) - 1) + b"</testsuite>", "src/a.py")
    assert time.process_time() - started < 15
    assert len(read.findings) == MOST_OF_JUNIT
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
    assert time.process_time() - started < 20


@pytest.mark.hostile
@given(st.binary(max_size=200), st.text(max_size=200))
def test_whatever_a_report_is_it_raises_nothing(content: bytes, text: str) -> None:
    junit(content)
    junit(b"<testsuite><testcase><failure>" + content)
    junit(f"<testsuite><testcase name='a'><failure>{text}</failure></testcase></testsuite>".encode("utf-8", "replace"))
    sarif(content)
    sarif(b'{"runs":[{"results":[' + content)


# SARIF


def test_eslint() -> None:
    findings = sarif((SAMPLES / "eslint.sarif").read_bytes(), "js/a.js")
    assert [(f.path, f.line, f.column, f.level, f.title) for f in findings] == [
        ("js/a.js", 1, 7, Level.WARNING, "eslint: no-unused-vars"),
        ("js/a.js", 3, 9, Level.FAILURE, "eslint: eqeqeq"),
        ("js/a.js", 3, 24, Level.FAILURE, "eslint: no-undef"),
    ]


def test_ruff() -> None:
    (finding,) = sarif((SAMPLES / "ruff.sarif").read_bytes(), "py/src/shop.py")
    assert finding == Finding(
        Tier.FAST, "py/src/shop.py", 1, Level.FAILURE, "ruff: F401", "`os` imported but unused", "ruff", None, 8
    )


def result(uri: str = "src/a.py", **other: object) -> dict[str, Any]:
    location = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}}
    return {"message": {"text": "bad"}, "ruleId": "R1", "locations": [location]} | other


def log(*results: object, **run: object) -> dict[str, Any]:
    driver = {"name": "Tool", "rules": [{"id": "R1", "messageStrings": {"m": {"text": "no {0} in {1}"}}}]}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results)} | run]}


def at(location: dict[str, Any]) -> dict[str, Any]:
    return result(locations=[{"physicalLocation": {"artifactLocation": location}}])


@pytest.mark.parametrize(
    ("location", "bases"),
    [
        ({"uri": "src/a.py"}, {}),
        ({"uri": "./src/../src/a.py"}, {}),
        ({"uri": "file:///workspace/src/a.py"}, {}),
        ({"uri": "file:/workspace/src/a.py"}, {}),
        ({"uri": "file://localhost/workspace/src/a.py"}, {}),
        ({"uri": "/workspace/src/a.py"}, {}),
        ({"uri": "s%72c/a.py"}, {}),
        ({"uri": "src/a.py", "uriBaseId": "%SRCROOT%"}, {}),
        ({"uri": "src/a.py", "uriBaseId": "%SRCROOT%"}, {"%SRCROOT%": {"uri": "file:///workspace/"}}),
        (
            {"uri": "a.py", "uriBaseId": "SRC"},
            {"SRC": {"uri": "src/", "uriBaseId": "R"}, "R": {"uri": "file:///workspace"}},
        ),
        ({"uri": "src/a.py", "uriBaseId": "R"}, {"R": {"uri": "file:///home/somebody/else/"}}),
        ({"uri": "src/a.py", "uriBaseId": "R"}, {"R": {"uri": "x/", "uriBaseId": "R"}}),
        ({"index": 0}, {}),
    ],
)
def test_the_ways_to_name_a_file(location: dict[str, Any], bases: dict[str, Any]) -> None:
    artifacts = [{"location": {"uri": "src/a.py"}}]
    (finding,) = sarif(log(at(location), originalUriBaseIds=bases, artifacts=artifacts), "src/a.py", "b.py")
    assert (finding.path, finding.line) == ("src/a.py", 1)


@pytest.mark.parametrize(
    "location",
    [
        {"uri": "../src/a.py"},
        {"uri": "/etc/passwd"},
        {"uri": "file:///workspace/../etc/passwd"},
        {"uri": "file://elsewhere/workspace/src/a.py"},
        {"uri": "https://127.0.0.1/src/a.py"},
        {"uri": "..%2f..%2fsrc/a.py"},
        {"uri": ""},
        {"uri": 7},
        {"index": -1},
        {"index": 5},
        {"index": True},
        {},
    ],
)
def test_a_file_outside_the_repository_is_no_finding(location: dict[str, Any]) -> None:
    assert sarif(log(at(location), artifacts=[{"location": {"uri": "b.py"}}]), "src/a.py") == ()


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ({}, Level.WARNING),
        ({"level": "error"}, Level.FAILURE),
        ({"level": "warning"}, Level.WARNING),
        ({"level": "note"}, Level.NOTICE),
        ({"level": "none"}, Level.NOTICE),
        ({"kind": "review"}, Level.NOTICE),
        ({"level": 7}, Level.WARNING),
        ({"ruleId": "R2"}, Level.FAILURE),
        ({"ruleId": None, "ruleIndex": 0}, Level.FAILURE),
        ({"ruleId": None, "ruleIndex": -1}, Level.WARNING),
        ({"ruleId": None, "rule": {"id": "R2"}}, Level.FAILURE),
    ],
)
def test_levels(told: dict[str, Any], level: Level) -> None:
    described = log(result(**told))
    described["runs"][0]["tool"]["driver"]["rules"] = [{"id": "R2", "defaultConfiguration": {"level": "error"}}]
    (finding,) = sarif(described, "src/a.py")
    assert finding.level is level


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "pass"},
        {"kind": "notApplicable"},
        {"baselineState": "absent"},
        {"suppressions": [{"kind": "inSource"}]},
        {"suppressions": [{"status": "rejected"}, {"status": "accepted"}]},
        {"locations": []},
        {"locations": None},
        {"locations": [7, {"physicalLocation": 7}]},
        {"locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 0}}}]},
        {
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 10**30}}}
            ]
        },
    ],
)
def test_what_is_no_finding(told: dict[str, Any]) -> None:
    assert sarif(log(result(**told)), "src/a.py") == ()


def test_a_message_with_arguments() -> None:
    message = {"id": "m", "arguments": ["a", "\x1b[31mb"]}
    (finding,) = sarif(log(result(message=message)), "src/a.py")
    assert (finding.title, finding.message) == ("tool: R1", "no a in b")


@pytest.mark.hostile
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 1_000_000,
        b'{"runs":' + b"[" * 900_000,
        b'{"runs":' * 100_000,
        b'{"runs":[' + b"{}," * 3_000_000,
        b'{"runs":[{"results":[' + b'"a",' * 2_000_000 + b"1]}]}",
        b'{"runs":[{"results":[' + b"9" * 1_000_000 + b"]}]}",
        b'{"runs":[{"results":[NaN, Infinity, -1e999]}]}',
        b'{"runs":7}',
        b'{"runs":[7, null, {"tool":[], "results":{}}, {"tool":{"driver":{"rules":7,"name":{}}}}]}',
        b"7",
        b"null",
        b" " * (LARGEST_SARIF + 1),
    ],
)
def test_hostile_json_gives_nothing_and_quickly(content: bytes) -> None:
    started = time.process_time()
    assert sarif(content, "src/a.py") == ()
    assert time.process_time() - started < 5


# Together


def test_a_failing_test_in_output_and_report_is_one_finding() -> None:
    output = (SAMPLES / "pytest_with_junit.txt").read_bytes()
    report = ReportFile(Tier.FULL, "junit.xml", (SAMPLES / "junit_pytest.xml").read_bytes())
    alone = find([(Tier.FULL, output)], frozenset(PYTHON), workspace="/workspace/py")
    both = find([(Tier.FULL, output)], frozenset(PYTHON), reports=[report], workspace="/workspace/py")
    assert [(f.path, f.line, f.title) for f in both] == [(f.path, f.line, f.title) for f in alone]
    assert both[0].message == 'failed on setup with "RuntimeError: no fixture"'


@pytest.mark.parametrize(
    ("output", "report"), [("rspec", "rspec"), ("gotestsum", "gotestsum"), ("go_test", "go_junit_report")]
)
def test_other_tests_in_output_and_report_are_one_finding_each(output: str, report: str) -> None:
    folder, paths, _, _ = REPORTS[report]
    told = [(Tier.FULL, (SAMPLES / f"{output}.txt").read_bytes())]
    file = ReportFile(Tier.FULL, "a.xml", (SAMPLES / f"junit_{report}.xml").read_bytes())
    alone = find(told, frozenset(paths), workspace=f"/workspace{folder}")
    both = find(told, frozenset(paths), reports=[file], workspace=f"/workspace{folder}")
    assert [(f.path, f.line, f.title) for f in both] == [(f.path, f.line, f.title) for f in alone]


def test_a_linter_in_output_and_report_gives_one_finding_for_each_tier() -> None:
    line = b"src/a.py:3:8: F401 [*] `os` imported but unused\nFound 1 error.\n"
    report = json.dumps(log(result(message={"text": "`os` imported but unused"}))).encode()
    files = [ReportFile(tier, "a.sarif", report) for tier in (Tier.FAST, Tier.FULL)]
    findings = find([(Tier.FAST, line)], frozenset({"src/a.py"}), reports=files)
    assert [(finding.tier, finding.title, finding.column) for finding in findings] == [
        (Tier.FAST, "ruff: F401", 8),
        (Tier.FULL, "tool: R1", None),
    ]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.xml", b"<testsuites/>", "junit"),
        ("A.XML", b'<?xml version="1.0"?>\n<!-- a -->\n<testsuite/>', "junit"),
        ("a.xml", "<testsuite/>".encode("utf-16"), "junit"),
        ("a.xml", b"<coverage/>", ""),
        ("a.xml", b'{"runs":[]}', ""),
        ("a.sarif", b'\xef\xbb\xbf {"runs":[]}', "sarif"),
        ("a.sarif.json", b"{}", "sarif"),
        ("a.sarif", b"<testsuite/>", ""),
        ("a.json", b"{}", ""),
        ("", b"", ""),
    ],
)
def test_what_a_report_is(name: str, content: bytes, kind: str) -> None:
    assert kind_of(name, content) == kind


def test_reports_have_one_budget() -> None:
    one = case('name="a" file="src/a.py" line="{}"')
    files = [
        ReportFile(Tier.FAST, f"../../{number}.xml", one.replace(b"{}", b"%d" % number) + b" " * 9 * 2**20)
        for number in range(1, 20)
    ]
    findings = find([], frozenset({"src/a.py"}), reports=files)
    assert len(findings) == LARGEST_REPORTS // (9 * 2**20)
