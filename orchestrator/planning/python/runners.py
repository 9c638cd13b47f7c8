"""The task runners that set up their own environments: tox, nox and hatch, and when they run the tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.python import rules
from orchestrator.planning.python.calls import Call
from orchestrator.planning.python.checkers import only_checks
from orchestrator.planning.python.hatch import HatchScript, read_hatch
from orchestrator.planning.python.noxfile import NoxSession, read_noxfile
from orchestrator.planning.python.practice import Practice
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.tox import Tox, read_tox
from orchestrator.planning.trail import Trail

ASIDE = re.compile(
    r"lint|doc|cov|report|clean|build|releas|publish|dist|bench|type|mypy|pyright|flake|black|isort|ruff|style|format"
    r"|check|dev|pre-commit|precommit|package|pkg|manifest|readme|deploy|fix|upload|changelog|integration|nightly|bump"
    r"|smoke|e2e|pyodide|emscripten|wasm|downstream"
)
TESTS = re.compile(r"(?:unit-?_?)?tests?|testing|pytest|unit|test-?_?all|run|cov|test-cov|tests-cov|no-cov|cover")
RUNNING = re.compile(r"(?:^|\s)(?:pytest|py\.test|unittest|trial|stestr|manage\.py test|\S*run_?tests?\.py)(?:\s|$)")
UNRELEASED = re.compile(r"(?:main|master|dev|nightly|trunk|git|edge|pre|latest)(?:-|$)")
"""Factors that test with a dependency that is not released."""

SERVICES = re.compile(r"mysql|maria|postgres|psycopg|postgis|oracle|redis|mongo|mssql|rabbit|elastic")
"""Factors that test with a service, which a job does not have."""

LEAST = re.compile(r"no[a-z]|without|min|lowest|oldest")
"""How factors begin that test with less than all, or with old releases."""

HATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
PY_FACTOR = re.compile(r"py3[0-9]{0,2}$|py$|3\.[0-9]{1,2}$")


@dataclass(frozen=True, slots=True)
class Runner:
    """A task runner in charge of the tests: what sets it up, its commands, and the tools that its fast ones call."""

    tool: str
    setup: tuple[str, ...]
    fast: tuple[str, ...]
    full: tuple[str, ...]
    checking: frozenset[str] = frozenset()


def choose_runner(
    project: PythonProject, practice: Practice, version: str, locked: bool, trail: Trail
) -> Runner | None:
    """Return the runner in charge of the tests, or None where they are run directly.

    `version` is the image's Python; `locked` says that a lock installs what the tests need.
    """
    if practice.tests or locked:
        return None
    minor = ".".join(version.split(".")[:2])
    for call in practice.runs:
        runner = _by_tool(call.program, project, practice, minor, call, trail)
        if runner is not None:
            return runner
    if _tests_are_provided(project) or not (project.tests or "noxfile.py" in project.tree.paths):
        return None
    found = (_by_tool(tool, project, practice, minor, None, trail) for tool in ("tox", "nox", "hatch"))
    return next((runner for runner in found if runner is not None), None)


def _tests_are_provided(project: PythonProject) -> bool:
    """Return whether a manifest, extra or group names pytest."""
    sets = (project.required, project.dependencies, *project.extras.values(), *project.groups.values())
    return any("pytest" in names for names in sets)


def _by_tool(
    tool: str, project: PythonProject, practice: Practice, minor: str, call: Call | None, trail: Trail
) -> Runner | None:
    if tool == "tox" and trail.applies(rules.TOX):
        return _tox(project, practice, minor, call, trail)
    if tool == "nox" and trail.applies(rules.NOX):
        return _nox(project, practice, minor, call, trail)
    if tool == "hatch" and trail.applies(rules.HATCH):
        return _hatch(project, practice, minor, call, trail)
    return None


def _reason(call: Call | None, tool: str) -> str:
    return f"the workflows run {tool} ({call.place})" if call else f"nothing but {tool} installs what the tests need"


# tox


def _tox(project: PythonProject, practice: Practice, minor: str, call: Call | None, trail: Trail) -> Runner | None:
    tox = read_tox(project)
    asked = [name for one in practice.called("tox") for name in _after(one, ("-e", "--env"))]
    name = _tox_environment(tox, asked, minor) if tox.file else None
    if name is None:
        return None
    command = f"tox run -e {name} --skip-pkg-install"
    sentence = f"{_reason(call, 'tox')}; {name} is the environment"
    trail.note("full", command, sentence, file=tox.file, line=tox.line, by=rules.TOX)
    fast: list[str] = []
    checking: frozenset[str] = frozenset()
    done: set[tuple[str, ...]] = set()
    known = {**dict.fromkeys(asked), **dict.fromkeys(tox.names), **dict.fromkeys(tox.sections)}
    for one in known if trail.applies(rules.TOX_FAST) else ():
        commands = tox.environment(one).commands
        may = one != name and one in {*tox.names, *tox.sections} and commands not in done and _runs_here(one, minor)
        tools = only_checks(_bare(commands)) if may else frozenset()
        if tools:
            checking |= tools
            done.add(commands)
            fast.append(f"tox run -e {one}")
            sentence = f"tox's environment {one} only checks"
            trail.note("fast", fast[-1], sentence, file=tox.file, line=tox.line, by=rules.TOX_FAST)
    return Runner("tox", (f"tox run -e {name} --notest",), tuple(fast), (command,), checking)


def _factors(minor: str) -> tuple[str, str]:
    return "py" + minor.replace(".", ""), minor


def _runs_here(name: str, minor: str) -> bool:
    """Return whether an environment is for the one Python, or for any."""
    pythons = [factor for factor in name.split("-") if PY_FACTOR.fullmatch(factor) or factor.startswith("pypy")]
    return all(factor in (*_factors(minor), "py", "py3") for factor in pythons)


def _bare(commands: Iterable[str]) -> list[str]:
    """Return tox's commands without its substitutions, to judge them by."""
    return [re.sub(r"\{[^{}]*\}", "x", re.sub(r"\{posargs:?|\{tty:?", "", one)).replace("}", "") for one in commands]


def _tox_environment(tox: Tox, asked: list[str], minor: str) -> str | None:
    factors = _factors(minor)
    named = [name for name in asked if _may_test(tox, name)] or [name for name in tox.names if _may_test(tox, name)]
    if not named and not tox.names:
        return "py" if _runs_tests(tox.base.commands) else None
    ours = [name for name in named if set(factors) & set(name.split("-"))] or [
        name for name in tox.names if set(factors) & set(name.split("-")) and _may_test(tox, name)
    ]
    if ours:
        return min(ours, key=lambda name: _cost(name, ours.index(name)))
    generic = [name for name in named if not any(map(PY_FACTOR.match, name.split("-")))]
    factored = [name for name in named if name not in generic]
    if factored:
        parts = factored[-1].split("-")
        rest = [part for part in parts if not PY_FACTOR.match(part)]
        return "-".join([factors["." in parts[0]], *rest])
    return min(generic, key=lambda name: not TESTS.fullmatch(name)) if generic else None


def _cost(name: str, position: int) -> tuple[bool, bool, bool, int, int]:
    """Return the sort key of environments for the same Python: plain ones first, of equals the last that is listed."""
    least = any(map(LEAST.match, name.split("-")))
    return UNRELEASED.search(name) is not None, SERVICES.search(name) is not None, least, name.count("-"), -position


def _may_test(tox: Tox, name: str) -> bool:
    """Return whether an environment is one for tests: by its Python factor, or by what it runs."""
    if not grammar.fits(grammar.SCRIPT, name) or "pypy" in name:
        return False
    factors = name.split("-")
    if any(ASIDE.search(factor) for factor in factors if factor != "cov") and not TESTS.fullmatch(name):
        return False
    return any(map(PY_FACTOR.match, factors)) or _runs_tests(tox.environment(name).commands)


def _runs_tests(commands: Iterable[str]) -> bool:
    return any(RUNNING.search(command) for command in commands)


def _after(call: Call, options: tuple[str, ...]) -> list[str]:
    """Return the values of a call's options, lists split at commas: `-e py,lint`, `-epy`, `--env=py`."""
    found: list[str] = []
    words = iter(call.arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if word in options:
            value = next(words, "")
        elif not (equals and option in options):
            value = word[2:] if word[:2] in options and not word.startswith("--") else ""
        found += [one for one in value.split(",") if one]
    return found


# nox


def _nox(project: PythonProject, practice: Practice, minor: str, call: Call | None, trail: Trail) -> Runner | None:
    sessions = read_noxfile(project)
    asked = [name for one in practice.called("nox") for name in _after(one, ("-s", "--session", "--sessions"))]
    session = _nox_session(sessions, asked)
    if session is None:
        return None
    command = _nox_command(session, minor)
    sentence = f"{_reason(call, 'nox')}; {session.name} is the session"
    trail.note("full", command, sentence, file="noxfile.py", line=session.line, by=rules.NOX)
    fast = []
    checking: frozenset[str] = frozenset()
    for one in sessions if trail.applies(rules.NOX_FAST) else ():
        tools = only_checks(one.commands) if one.name != session.name and not one.parametrized else frozenset()
        if tools:
            checking |= tools
            fast.append(_nox_command(one, minor))
            sentence = f"nox's session {one.name} only checks"
            trail.note("fast", fast[-1], sentence, file="noxfile.py", line=one.line, by=rules.NOX_FAST)
    return Runner("nox", (), tuple(fast), (command,), checking)


def _nox_session(sessions: tuple[NoxSession, ...], asked: list[str]) -> NoxSession | None:
    usable = [one for one in sessions if not one.parametrized and _runs_tests(one.commands)]
    bare = [name.rpartition("-")[0] if PY_FACTOR.match(name.rpartition("-")[2]) else name for name in asked]
    named = [one for one in sessions if one.name in bare and not one.parametrized and not ASIDE.search(one.name)]
    named = [one for one in named if one.name.startswith(("test", "unit", "py")) or _runs_tests(one.commands)]
    ranked = named or sorted(usable, key=lambda one: (not TESTS.fullmatch(one.name), bool(ASIDE.search(one.name))))
    return ranked[0] if ranked else None


def _nox_command(session: NoxSession, minor: str) -> str:
    if not session.pythons:
        return f"nox -s {session.name}"
    if minor in session.pythons:
        return f"nox -s {session.name}-{minor}" if len(session.pythons) > 1 else f"nox -s {session.name}"
    return f"nox --force-python {minor} -s {session.name}"


# hatch


def _hatch(project: PythonProject, practice: Practice, minor: str, call: Call | None, trail: Trail) -> Runner | None:
    scripts = read_hatch(project)
    asked = [one.arguments[1] for one in practice.called("hatch") if one.arguments[:1] == ("run",) and one.words[2:]]
    command, file, line = "", "pyproject.toml", None
    setup = _hatch_setup(practice, trail)
    if any(one.arguments[:1] == ("test",) for one in practice.called("hatch")):
        command = "hatch test"
    else:
        script = _hatch_script(scripts, asked)
        if script is None:
            return None
        command, file, line = script.command(minor), script.file, script.line
        if not setup and trail.applies(rules.HATCH_TESTS):
            setup = (script.making(minor),)
            sentence = "makes the environment of the tests"
            trail.note("setup", setup[0], sentence, file=file, line=line, by=rules.HATCH_TESTS)
    trail.note("full", command, _reason(call, "hatch"), file=file, line=line, by=rules.HATCH)
    fast = _hatch_fast(scripts, practice, asked, command, minor, trail) if trail.applies(rules.HATCH_FAST) else ()
    return Runner("hatch", setup, fast, (command,))


def _hatch_fast(
    scripts: tuple[HatchScript, ...], practice: Practice, asked: list[str], tests: str, minor: str, trail: Trail
) -> tuple[str, ...]:
    fast: dict[str, None] = {}
    for one in practice.called("hatch"):
        if one.arguments[:1] == ("fmt",) and "--check" in one.arguments:
            command = "hatch fmt --check"
            sentence = f"as in {one.place}: hatch's own linter checks"
            trail.note("fast", command, sentence, file=one.seen.file, line=one.seen.line, by=rules.HATCH_FAST)
            fast[command] = None
            break
    checks = [one for one in scripts if one.command(minor) != tests and only_checks(_bare(one.lines))]
    for script in _outermost(checks, asked):
        fast[script.command(minor)] = None
        sentence = f"hatch's script {script.name} only checks"
        trail.note("fast", script.command(minor), sentence, file=script.file, line=script.line, by=rules.HATCH_FAST)
    return tuple(fast)


def _hatch_setup(practice: Practice, trail: Trail) -> tuple[str, ...]:
    """Return the environments that the tests' job makes by name; hatch makes all others as it runs them."""
    found: dict[str, None] = {}
    for one in practice.job if trail.applies(rules.HATCH_ENVIRONMENTS) else ():
        if one.words[:3] == ("hatch", "env", "create") and all(map(HATCH_NAME.fullmatch, one.words[3:4])):
            command = " ".join(one.words[:4])
            found[command] = None
            sentence = "as the workflow does before its tests"
            trail.note("setup", command, sentence, file=one.seen.file, line=one.seen.line, by=rules.HATCH_ENVIRONMENTS)
    return tuple(found)


def _hatch_script(scripts: tuple[HatchScript, ...], asked: list[str]) -> HatchScript | None:
    usable = [one for one in scripts if _runs_tests(one.lines)]
    named = [one for one in usable if one.asked_by(asked)]
    ranked = named or sorted(usable, key=lambda one: (not TESTS.fullmatch(one.name), one.name not in ("test", "tests")))
    return ranked[0] if ranked else None


def _outermost(scripts: list[HatchScript], asked: list[str]) -> list[HatchScript]:
    """Return the scripts that the workflows ask for, else those that no other one includes, of each environment."""
    named = [one for one in scripts if one.asked_by(asked)]
    included = {(one.environment, name) for one in scripts for name in one.includes}
    return named or [one for one in scripts if (one.environment, one.name) not in included]
