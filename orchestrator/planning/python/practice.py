"""What a repository's workflows practise: the job that tests, how it tests, and all other calls."""

from __future__ import annotations

import re
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning.python.calls import Call, calls_by_job
from orchestrator.planning.python.shell_calls import ShellScripts
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Workflows

ASIDE = re.compile(
    r"bench|docs?\b|releas|publish|deploy|nightly|wheel|integration|e2e|end.to.end|windows|macos|fuzz|downstream|smoke"
    r"|browser|playwright"
    r"|min(?:imum|imal)?\b|oldest|pypy|codspeed|canary|upstream|docker|conda|emscripten|pyodide|wasm|android|\bios\b"
)
"""Jobs that are not the first to ask how the tests run."""

TEST_JOB = re.compile(r"test|\bci\b|unit|check|build|python|main|tox|nox")
TEST_PROGRAMS = re.compile(r"(?:[A-Za-z0-9_./-]*/)?(?:run[_-]?(?:unit[_-]?)?tests?(?:\.py)?|test[_-]?runner\.py)")
INSTALL_PROGRAMS = re.compile(
    r"(?:[A-Za-z0-9_.-]+/)+(?:install|bootstrap)(?:[_-](?:dev|deps|dependencies|test)){0,3}(?:\.py)?"
)
MAX_TEST_CALLS = 3


@dataclass(frozen=True, slots=True)
class Practice:
    """The calls of all jobs, and those of the job that tests; `tests` are its calls that run tests.

    `runs` are the calls of task runners (tox, nox, hatch), in all jobs, the likeliest job first.
    """

    calls: tuple[Call, ...] = ()
    job: tuple[Call, ...] = ()
    tests: tuple[Call, ...] = ()
    runs: tuple[Call, ...] = ()

    def called(self, program: str) -> tuple[Call, ...]:
        """Return the calls of a program, the likeliest job's first."""
        return tuple(call for call in self.calls if call.program == program)


def read_practice(workflows: Workflows, tree: Tree, trail: Trail) -> Practice:
    """Return what the workflows practise. A job that only tests elsewhere (benchmarks, Windows) comes last."""
    scripts = ShellScripts(tree, trail)
    jobs = [(name, scripts.opened(calls)) for name, calls in calls_by_job(workflows)]
    jobs.sort(key=lambda job: _weight(job[0]))
    calls = tuple(call for _, one in jobs for call in one)
    tested = [one for _, one in jobs if any(map(_tests, one))]
    job = tested[0] if tested else ()
    if not tested:
        job = next((one for _, one in jobs if any(call.program in ("tox", "nox", "hatch") for call in one)), ())
    tests = tuple({call.words: call for call in job if _tests(call)}.values())
    runs = tuple(call for call in calls if call.program in ("tox", "nox", "hatch"))
    return Practice(calls, job, tests[:MAX_TEST_CALLS], runs)


def _tests(call: Call) -> bool:
    return call.whole and runs_tests(call)


def _weight(name: str) -> tuple[bool, bool]:
    return bool(ASIDE.search(name)), not TEST_JOB.search(name)


def runs_tests(call: Call) -> bool:
    """Return whether a call runs tests by itself: a test runner, or a test program of the project's own."""
    words = call.words
    if call.program in ("pytest", "py.test"):
        return not {"--version", "--collect-only", "--co", "--help", "-h"} & set(words)
    if call.program in ("unittest", "trial"):
        return True
    if call.program == "stestr":
        return words[1:2] == ("run",)
    if call.program in ("django", "django-admin"):
        return words[1:2] == ("test",)
    return call.program == "python" and is_test_program(words)


def installs_by_program(call: Call) -> bool:
    """Return whether a call is one of the repository's own Python programs that install what tests need."""
    return call.program == "python" and len(call.words) == 2 and INSTALL_PROGRAMS.fullmatch(call.words[1]) is not None


def is_test_program(words: tuple[str, ...]) -> bool:
    """Return whether the words after `python` run tests: `manage.py test`, `runtests.py`."""
    script = words[1] if len(words) > 1 else ""
    if script.rpartition("/")[2] == "manage.py":
        return words[2:3] == ("test",)
    return TEST_PROGRAMS.fullmatch(script) is not None
