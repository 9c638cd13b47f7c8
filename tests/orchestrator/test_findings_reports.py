"""Reports and output together: what both say is one finding."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from draftsman.domain.plan import Tier
from orchestrator.findings import ReportFile, find
from orchestrator.findings.reports import LARGEST_REPORTS, kind_of

SAMPLES = Path(__file__).parent / "findings_samples"

PYTHON = frozenset({"src/shop.py", "tests/test_shop.py"})
GO = frozenset({"pkg/total.go", "pkg/total_test.go", "other/total_test.go"})
FOLDERS = {
    "rspec": ("/rb", frozenset({"shop.rb", "spec/shop_spec.rb"})),
    "gotestsum": ("/go", GO),
    "go_junit_report": ("/go", GO),
}

LOG = {
    "runs": [
        {
            "tool": {"driver": {"name": "Tool"}},
            "results": [
                {
                    "ruleId": "R1",
                    "message": {"text": "`os` imported but unused"},
                    "locations": [
                        {"physicalLocation": {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3}}}
                    ],
                }
            ],
        }
    ]
}


def test_a_failing_test_in_output_and_report_is_one_finding() -> None:
    output = (SAMPLES / "pytest_with_junit.txt").read_bytes()
    report = ReportFile(Tier.FULL, "junit.xml", (SAMPLES / "junit_pytest.xml").read_bytes())
    alone = find([(Tier.FULL, output)], PYTHON, workspace="/workspace/py")
    both = find([(Tier.FULL, output)], PYTHON, reports=[report], workspace="/workspace/py")
    assert [(f.path, f.line, f.title) for f in both] == [(f.path, f.line, f.title) for f in alone]
    assert both[0].message == 'failed on setup with "RuntimeError: no fixture"'


@pytest.mark.parametrize(
    ("output", "report"), [("rspec", "rspec"), ("gotestsum", "gotestsum"), ("go_test", "go_junit_report")]
)
def test_other_tests_in_output_and_report_are_one_finding_each(output: str, report: str) -> None:
    folder, paths = FOLDERS[report]
    told = [(Tier.FULL, (SAMPLES / f"{output}.txt").read_bytes())]
    file = ReportFile(Tier.FULL, "a.xml", (SAMPLES / f"junit_{report}.xml").read_bytes())
    alone = find(told, paths, workspace=f"/workspace{folder}")
    both = find(told, paths, reports=[file], workspace=f"/workspace{folder}")
    assert [(f.path, f.line, f.title) for f in both] == [(f.path, f.line, f.title) for f in alone]


def test_a_linter_in_output_and_report_gives_one_finding_for_each_tier() -> None:
    line = b"src/a.py:3:8: F401 [*] `os` imported but unused\nFound 1 error.\n"
    report = json.dumps(LOG).encode()
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
    one = b'<testsuite><testcase name="a" file="src/a.py" line="{}"><failure message="bad"/></testcase></testsuite>'
    files = [
        ReportFile(Tier.FAST, f"../../{number}.xml", one.replace(b"{}", b"%d" % number) + b" " * 9 * 2**20)
        for number in range(1, 20)
    ]
    findings = find([], frozenset({"src/a.py"}), reports=files)
    assert len(findings) == LARGEST_REPORTS // (9 * 2**20)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("size", "many"),
    [(10 * 2**20, 4), (40 * 2**20 // 500, 500)],
    ids=["a few large ones", "many small ones"],
)
def test_reports_full_of_failures_without_a_place_take_seconds(size: int, many: int) -> None:
    one = b'<testcase name="a" classname="src.a.b.c.d.e.f.g"><failure/></testcase>'
    content = b"<testsuite>" + one * ((size - 30) // len(one)) + b"</testsuite>"
    started = time.process_time()
    assert find([], frozenset({"src/x.py"}), reports=[ReportFile(Tier.FAST, "a.xml", content)] * many) == ()
    assert time.process_time() - started < 80
