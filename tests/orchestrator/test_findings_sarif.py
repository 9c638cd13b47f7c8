"""SARIF of real tools (tests/orchestrator/findings_samples), and hostile JSON."""

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
from orchestrator.findings.places import Places
from orchestrator.findings.sarif import LARGEST_SARIF, read_sarif

SAMPLES = Path(__file__).parent / "findings_samples"


def sarif(log: object, *paths: str) -> tuple[Finding, ...]:
    content = log if isinstance(log, bytes) else json.dumps(log).encode()
    return read_sarif(content, Tier.FAST, Places(frozenset(paths), "/workspace"))


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
    assert time.process_time() - started < 30


@pytest.mark.hostile
@given(st.binary(max_size=200))
def test_whatever_a_log_is_it_raises_nothing(content: bytes) -> None:
    sarif(content)
    sarif(b'{"runs":[{"results":[' + content)
