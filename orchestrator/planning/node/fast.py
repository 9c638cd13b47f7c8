"""The fast checks: linters, formats and types that the workflows run, else the scripts of such names."""

from __future__ import annotations

from orchestrator.planning.node import rules
from orchestrator.planning.node.managers import NodeManager
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.node.scripts import refusal
from orchestrator.planning.node.seen_checks import CHECKING_FIRST, TYPE_TESTS, TYPES, Check, as_run
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail

FAST_NAMES = (
    "lint",
    "typecheck",
    "type-check",
    "check-types",
    "check:types",
    "types:check",
    "tsc",
    "check",
    "lint:check",
    "format:check",
    "check:format",
    "prettier:check",
)
MAX_FAST = 8
TESTING = frozenset({"test", "test:unit", "test:ci", "tests"})


def choose_fast(project: NodeProject, manager: NodeManager, seen: list[Check], trail: Trail) -> tuple[str, ...]:
    """Return the commands that lint and check types and formats, without those that rewrite files."""
    checks = [check for check in seen if check.tier == "fast"]
    chosen = _from_workflows(project, checks, trail)
    if chosen and any(check.kind != TYPES and check.problem is None for check in checks):
        for name in (name for name in FAST_NAMES if name in project.scripts.commands):
            if all(check.script != name for check in seen):
                _note(project, name, f"script `{name}` is not run: the workflows do not run it", None, trail)
        return chosen
    if not trail.applies(rules.FAST_SCRIPTS):
        return chosen
    return tuple(dict.fromkeys((*_from_scripts(project, manager, trail), *chosen)))


def _from_workflows(project: NodeProject, checks: list[Check], trail: Trail) -> tuple[str, ...]:
    if not trail.applies(rules.WORKFLOW_FAST):
        return ()
    chosen: list[Check] = []
    for check in checks:
        problem = check.problem or _repeated(project, check.script, [one.script for one in chosen if one.script], trail)
        by = rules.WORKFLOW_FAST if check.script else rules.FAST_EXEC
        if problem is None and len(chosen) < MAX_FAST:
            chosen.append(check)
            why = f"the workflow runs it: `{check.command}`"
        else:
            why = f"`{check.command}` is not run: {problem[1] if problem else 'there are enough'}"
            by = problem[0] or by if problem else by
        trail.note("fast", check.seen.text, why, file=check.seen.file, line=check.seen.line, by=by)
    return tuple(dict.fromkeys(as_run(check, trail) for check in chosen))


def _from_scripts(project: NodeProject, manager: NodeManager, trail: Trail) -> tuple[str, ...]:
    chosen: list[str] = []
    for name in [*(name for name in FAST_NAMES if name in project.scripts.commands), *_parts_of_tests(project, trail)]:
        problem = refusal(project.scripts, name, trail) or _repeated(project, name, chosen, trail)
        if problem is not None:
            _note(project, name, f"script `{name}` is not run: {problem[1]}", problem[0], trail)
            continue
        chosen.append(name)
        _note(project, name, f"script `{name}`", rules.FAST_SCRIPTS, trail)
    return tuple(manager.running(name) for name in chosen)


def _parts_of_tests(project: NodeProject, trail: Trail) -> list[str]:
    """Return the linters that the test script joins, where it cannot run as a whole."""
    scripts = project.scripts
    whole = "test" not in scripts.commands or refusal(scripts, "test", trail) is None
    if whole or not trail.applies(rules.PARTS):
        return []
    return [part for part in scripts.parts("test") if CHECKING_FIRST.search(part) and not TYPE_TESTS.search(part)]


def _repeated(
    project: NodeProject, name: str | None, chosen: list[str], trail: Trail
) -> tuple[Rule | None, str] | None:
    """Return why a script that runs the tests, or another check, is left out."""
    if name is None or not trail.applies(rules.RUNS_TESTS):
        return None
    shared = project.scripts.called(name) & {*TESTING, *chosen}
    return (rules.RUNS_TESTS, f"it runs `{min(shared)}`, which has its own place") if shared else None


def _note(project: NodeProject, name: str, why: str, by: Rule | None, trail: Trail) -> None:
    scripts = project.scripts
    trail.note("fast", scripts.commands[name], why, file="package.json", line=scripts.line(name), by=by)
