"""GitHub's own protocol in the output of a step."""

from __future__ import annotations

import pytest

from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator.findings import find

PATHS = frozenset({"src/a.py", "a b,c:d.py"})


def found(output: str) -> tuple[Finding, ...]:
    return find([(Tier.FAST, output.encode())], PATHS)


def test_everything_that_a_command_can_tell() -> None:
    (finding,) = found("::error file=src/a.py,line=3,endLine=5,col=7,endColumn=9,title=Bad::what is wrong\n")
    assert finding == Finding(
        tier=Tier.FAST,
        path="src/a.py",
        line=3,
        level=Level.FAILURE,
        title="Bad",
        message="what is wrong",
        tool="bad",
        end_line=5,
        column=7,
    )


@pytest.mark.parametrize(
    ("name", "level"),
    [("error", Level.FAILURE), ("warning", Level.WARNING), ("notice", Level.NOTICE), ("ERROR", Level.FAILURE)],
)
def test_levels(name: str, level: Level) -> None:
    assert [finding.level for finding in found(f"  ::{name} file=src/a.py::x\n")] == [level]


@pytest.mark.parametrize(
    ("written", "title", "message"),
    [
        ("title=a%3Ab%2Cc::d%0Ae", "a:b,c", "d\ne"),
        ("title=100%25::50%25 off", "100%", "50% off"),
        ("title=%253A::%250A", "%3A", "%0A"),
        ("title=a::x%0D%0Ay", "a", "x\ny"),
        ("title=a::b::c", "a", "b::c"),
        ("title=a=b::c", "a=b", "c"),
        ("title=a::%3A stays in a message", "a", "%3A stays in a message"),
        ("title=::only a message", "annotation", "only a message"),
        ("title=only a title::", "only a title", "only a title"),
    ],
)
def test_escapes(written: str, title: str, message: str) -> None:
    (finding,) = found(f"::error file=src/a.py,line=1,{written}\n")
    assert (finding.title, finding.message) == (title, message)


def test_a_path_with_every_escaped_sign() -> None:
    assert [finding.path for finding in found("::error file=a b%2Cc%3Ad.py::x\n")] == ["a b,c:d.py"]


@pytest.mark.parametrize(
    "line",
    [
        "::group::src/a.py:1:1: F401 x",
        "::endgroup::",
        "::add-mask::src/a.py:1:1: F401 x",
        "::debug::src/a.py:1:1: F401 x",
        "::debug file=src/a.py,line=1::x",
        "::set-output name=src/a.py::src/a.py:1:1: F401 x",
        "::error::no place",
        "::error file=other.py::no file of ours",
        "::error file=../../etc/passwd::x",
        "::error file=src/a.py,line=0::x",
        "::error file=src/a.py,line=-1::x",
        "::error file=src/a.py,line=99999999999999999999::x",
        "::error file=src/a.py,line=١::x",
        "::errors file=src/a.py::x",
        "::error file=src/a.py",
        "text ::error file=src/a.py::x",
        "::",
        "::::",
        ":: error file=src/a.py::x",
    ],
)
def test_what_is_no_finding(line: str) -> None:
    assert found(f"{line}\n") == ()


@pytest.mark.parametrize("told", ["col=x", "col=0", "endLine=2", "endLine=x", "col=123456789"])
def test_numbers_that_are_none_are_left_out(told: str) -> None:
    (finding,) = found(f"::error file=src/a.py,line=3,{told}::x\n")
    assert (finding.line, finding.end_line, finding.column) == (3, None, None)


def test_commands_stop_until_their_token_comes() -> None:
    output = (
        "::error file=src/a.py,line=1::before\n"
        "::stop-commands::pause-1\n"
        "::error file=src/a.py,line=2::stopped\n"
        "::stop-commands::other\n"
        "::other::\n"
        "src/a.py:9:1: F401 text is looked at all the same\n"
        "::pause-1::\n"
        "::error file=src/a.py,line=3::after\n"
    )
    assert sorted(finding.line for finding in found(output)) == [1, 3, 9]


@pytest.mark.parametrize("token", ["", "error", "stop-commands", "debug", "pause-logging"])
def test_a_token_that_could_be_anybodys_stops_nothing(token: str) -> None:
    assert len(found(f"::stop-commands::{token}\n::error file=src/a.py,line=2::x\n")) == 1


def test_commands_between_tests_count() -> None:
    output = "=== FAILURES ===\n___ test_a ___\n::error file=src/a.py,line=2::x\n=== short test summary info ===\n"
    assert [finding.line for finding in found(output)] == [2]
