"""Which arguments of a test call are taken over: not those that only report, spread the work, or split it."""

from __future__ import annotations

from orchestrator.planning.python.calls import Call
from orchestrator.planning.python.project import PythonProject, has_path

DROPPED = (
    *("--cov", "--no-cov", "--junit", "--codecov", "--color", "--durations", "--numprocesses", "--dist", "--html"),
    *("--self-contained-html", "--report-log", "--json-report", "--md-report", "--parallel", "--splits", "--group"),
    *("--store-durations", "--allure", "--alluredir", "--maxprocesses", "--test-group", "--codspeed", "--github"),
)
"""How options begin that are dropped."""

DROPPED_VALUES = frozenset(
    {"--cov", "--cov-report", "--cov-config", "--cov-fail-under", "--cov-context", "--junitxml", "--junit-xml", "-n"}
    | {"--junit-prefix", "--color", "--durations", "--durations-min", "--numprocesses", "--dist", "--html", "--splits"}
    | {"--report-log", "--group", "--maxprocesses", "--json-report-file", "--alluredir", "--parallel", "--test-group"}
)
"""Dropped options that take the word after them as their value."""

VALUED = frozenset(
    {
        "-m",
        "-k",
        "-o",
        "-p",
        "-W",
        "-c",
        "-r",
        "--ignore",
        "--deselect",
        "--rootdir",
        "--tb",
        "--import-mode",
        "-s",
        "-t",
    }
    | {"--timeout", "--maxfail", "--reruns", "--settings", "--ignore-glob", "--basetemp", "--confcutdir", "--log-level"}
    | {"--start-directory", "--pattern", "--top-level-directory", "--exclude-tag", "--tag", "--verbosity", "-v"}
    | {"--log-cli-level", "--override-ini", "--config-file", "--asyncio-mode", "--ds", "--reporter"}
)
"""Options that take a value which is no path to check, in pytest, unittest or Django."""

PYTEST_ALONE = frozenset({"-s", "-v"})
"""Options that take no value in pytest, but one elsewhere."""


def usable_arguments(project: PythonProject, call: Call) -> list[str] | None:
    """Return the arguments to keep; None where a path among them is none of this commit."""
    pytest = call.program in ("pytest", "py.test")
    kept: list[str] = []
    words = list(call.arguments)
    while words:
        word = words.pop(0)
        option = word.partition("=")[0]
        if pytest and _is_dropped(word):
            if option in DROPPED_VALUES and "=" not in word and words and not words[0].startswith("-"):
                words.pop(0)
        elif word == "-o" and words and words[0].startswith("junit"):
            words.pop(0)
        elif word.startswith("-"):
            kept.append(word)
            takes = option in VALUED and "=" not in word and not (pytest and word in PYTEST_ALONE)
            if takes and words and not words[0].startswith("-"):
                kept.append(words.pop(0))
        elif _must_exist(call, kept) and not _exists(project, word):
            return None
        else:
            kept.append(word)
    return kept


def _is_dropped(word: str) -> bool:
    short = (
        word.startswith("-n")
        and not word.startswith("--")
        and (word[2:] in ("", "auto", "logical") or word[2:3].isdigit() or word[2:3] == "=")
    )
    return short or (word.startswith("--") and word.startswith(DROPPED))


def _must_exist(call: Call, kept: list[str]) -> bool:
    """Return whether the next plain word is a path: any of pytest's, and the script after `python`."""
    if call.program in ("pytest", "py.test"):
        return "--pyargs" not in call.words
    return call.program == "python" and not kept


def _exists(project: PythonProject, word: str) -> bool:
    path = word.partition("::")[0]
    return path == "." or has_path(project, path)
