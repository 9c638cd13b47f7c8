"""The full checks: the tests that the workflows run, else the script, else the workspaces' scripts, else a runner."""

from __future__ import annotations

import re
from collections import Counter

from orchestrator.planning.documents import line_of
from orchestrator.planning.node import rules
from orchestrator.planning.node.managers import NodeManager
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.node.scripts import PLACEHOLDER, only_echoes, refusal
from orchestrator.planning.node.seen_checks import CHECKING_FIRST, ONE_WORKSPACE, TESTING_NAME, Check, as_run
from orchestrator.planning.node.workspaces import choose_workspace_tests
from orchestrator.planning.trail import Trail

FULL_NAMES = ("test", "test:run", "test:ci", "test:unit", "test:node", "tests", "unit", "test:all", "spec", "coverage")
MAX_FULL = 3
MAX_SIBLINGS = 20
MAIN = (
    re.compile(r"tests?"),
    re.compile(r"(?:tests?[:._-])?(?:ci|unit|units|run|all|node|jest|vitest|mocha|ava|once|only)|unit-?tests?|spec"),
    re.compile(r"(?:tests?[:._-])?(?:coverage|cover|cov|c8|nyc)(?:[:._-]ci)?|verify|validate|check|checks|qa"),
)
"""The names of scripts that run the plain tests, the plainest first."""

RUNNERS = {
    "vitest": "vitest run",
    "jest": "jest",
    "mocha": "mocha",
    "ava": "ava",
    "tap": "tap",
    "uvu": "uvu",
    "jasmine": "jasmine",
}
IMPORTS = (("bun:test", r"from [\"']bun:test[\"']", "bun test"), ("node:test", r"[\"']node:test[\"']", "node --test"))


def choose_full(project: NodeProject, manager: NodeManager, seen: list[Check], trail: Trail) -> tuple[str, ...]:
    """Return the commands that run the tests, none where there are none that can run here."""
    return (
        _from_workflows(project, [check for check in seen if check.tier == "full"], trail)
        or _from_scripts(project, manager, trail)
        or choose_workspace_tests(project, manager, trail)
        or (() if _has_tests(project) else _from_runner(project, manager, trail) or _from_imports(project, trail))
    )


def _has_tests(project: NodeProject) -> bool:
    """Return whether a script runs tests, be it one that cannot run here: a runner alone would miss what it adds."""
    commands = [project.scripts.commands[name] for name in FULL_NAMES if name in project.scripts.commands]
    return any(command.strip() and PLACEHOLDER not in command and not only_echoes(command) for command in commands)


def _from_workflows(project: NodeProject, checks: list[Check], trail: Trail) -> tuple[str, ...]:
    if not trail.applies(rules.WORKFLOW_FULL):
        return ()
    chosen = _main([check for check in checks if check.problem is None], project, trail)
    for check in checks:
        why, by = f"the workflow runs it: `{check.command}`", rules.WORKFLOW_FULL
        if check.problem is not None:
            why, by = f"`{check.command}` is not run: {check.problem[1]}", check.problem[0] or by
        elif not chosen and check.kind == ONE_WORKSPACE:
            why, by = f"`{check.command}` is not run by itself: the tests of all workspaces are", rules.ONE_BY_ONE
        elif check not in chosen:
            why, by = (
                f"`{check.command}` is not run: it is none of the plain tests, or runs them again",
                rules.MAIN_TESTS,
            )
        trail.note("full", check.seen.text, why, file=check.seen.file, line=check.seen.line, by=by)
    return tuple(dict.fromkeys(as_run(check, trail) for check in chosen))


def _main(runnable: list[Check], project: NodeProject, trail: Trail) -> list[Check]:
    """Return the plain tests: one script, or the programs that the workflows call themselves."""
    if not trail.applies(rules.MAIN_TESTS):
        return runnable[:MAX_FULL]
    has_test = "test" in project.scripts.commands and refusal(project.scripts, "test", trail) is None
    parts = project.scripts.called("test") if "test" in project.scripts.commands else frozenset()
    for names in MAIN:
        named = [check for check in runnable if check.script and names.fullmatch(check.script)]
        of_test = [check for check in runnable if names is MAIN[-2] and check.script in parts]
        siblings = _siblings(of_test) if trail.applies(rules.SIBLINGS) else []
        if siblings and (not named or any(check in siblings for check in named)):
            return siblings
        named = named or of_test
        if named:
            return [min(named, key=lambda check: len(check.command.split()))]
        programs = [check for check in runnable if check.script is None]
        programs = [check for check in programs if not has_test or check.kind != ONE_WORKSPACE]
        if _by_workspace(programs, project, trail):
            return []
        if programs:
            return programs[:MAX_FULL]
    tested = any(name in project.scripts.commands for name in FULL_NAMES)
    return [] if tested else runnable[:1]


def _siblings(checks: list[Check]) -> list[Check]:
    """Return those that are parts of one whole (`test-node:unit`, `test-node:integration`), none for less than two."""
    stems = Counter((check.script or "").rpartition(":")[0] for check in checks)
    del stems[""]
    stem, count = next(iter(stems.most_common(1)), ("", 0))
    return [one for one in checks if (one.script or "").startswith(f"{stem}:")][:MAX_SIBLINGS] if count > 1 else []


def _by_workspace(programs: list[Check], project: NodeProject, trail: Trail) -> bool:
    """Return whether the workflows test workspaces one by one, so that the tests of all stand for them."""
    one_by_one = len(programs) > 1 and all(check.kind == ONE_WORKSPACE for check in programs)
    if not one_by_one or not trail.applies(rules.ONE_BY_ONE):
        return False
    tested = (member.scripts for member in project.members if "test" in member.scripts.commands)
    return any(refusal(scripts, "test", trail) is None for scripts in tested)


def _from_scripts(project: NodeProject, manager: NodeManager, trail: Trail) -> tuple[str, ...]:
    scripts = project.scripts
    for name in (name for name in FULL_NAMES if name in scripts.commands and trail.applies(rules.TEST_SCRIPTS)):
        problem = refusal(scripts, name, trail)
        why = f"script `{name}` is not run: {problem[1]}" if problem else f"script `{name}`"
        by = problem[0] if problem else rules.TEST_SCRIPTS
        trail.note("full", scripts.commands[name], why, file="package.json", line=scripts.line(name), by=by)
        parts = [name] if problem is None else _parts(project, name, trail)
        if parts:
            return tuple(manager.running(part) for part in parts)
    return ()


def _parts(project: NodeProject, name: str, trail: Trail) -> list[str]:
    """Return the tests that a script joins, but for those that cannot run here."""
    scripts = project.scripts
    if not trail.applies(rules.PARTS):
        return []
    parts = [part for part in scripts.parts(name) if TESTING_NAME.search(part) and not CHECKING_FIRST.search(part)]
    kept = [part for part in parts if refusal(scripts, part, trail) is None][:MAX_FULL]
    for part in kept:
        why = f"script `{part}`, a part of `{name}`"
        trail.note("full", scripts.commands[part], why, file="package.json", line=scripts.line(part), by=rules.PARTS)
    return kept


def _from_runner(project: NodeProject, manager: NodeManager, trail: Trail) -> tuple[str, ...]:
    """Return a runner that is a dependency of the top, where the tree has files that look like tests."""
    if not any(
        re.search(r"(?:^|/)(?:tests?|__tests__|spec)/|[._](?:test|spec)\.[cm]?[jt]sx?$", path)
        for path in project.tree.contents
    ):
        return ()
    for name, command in RUNNERS.items():
        if project.dependencies.get(name) == "package.json" and trail.applies(rules.RUNNER):
            why = f"no script runs the tests, and {name} is a dependency"
            line = project.line("devDependencies", name) or project.line("dependencies", name)
            trail.note("full", name, why, file="package.json", line=line, by=rules.RUNNER)
            return (f"{manager.execute} {command}",)
    return ()


def _from_imports(project: NodeProject, trail: Trail) -> tuple[str, ...]:
    """Return the runner that is part of Bun or Node, where a test file imports it."""
    for path in sorted(path for path in project.tree.contents if re.search(r"\.[cm]?[jt]sx?$", path)):
        text = project.tree.text(path)
        for name, pattern, command in IMPORTS:
            line = line_of(text, pattern)
            if line is not None and trail.applies(rules.BUILT_IN_RUNNER):
                if command == "node --test" and not path.endswith("js"):
                    continue  # Node finds tests in TypeScript only from version 22 on
                why = f"no script runs the tests, and this file imports {name}"
                trail.note("full", name, why, file=path, line=line, by=rules.BUILT_IN_RUNNER)
                return (command,)
    return ()
