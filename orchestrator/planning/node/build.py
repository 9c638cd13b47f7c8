"""What is built before the checks, as the workflow's job does before its own."""

from __future__ import annotations

import re

from orchestrator.planning.command_words import ASSIGNMENT
from orchestrator.planning.node import rules
from orchestrator.planning.node.managers import YARN_CLASSIC, NodeManager
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.node.scripts import line_refusal, refusal
from orchestrator.planning.node.seen_checks import TESTING_NAME, plain, script_of
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows

BUILD_NAME = re.compile(
    r"^(?:build|compile|bundle|generate|gen|codegen|prebuild|transpile|bootstrap|prepare|prepack|setup|dist)(?:[:._-]|$)|[:._-](?:build|generate|codegen)$"
)
NOT_BUILT = re.compile(r"docs?|site|storybook|website|demo|example|release|docker|deploy|publish|playground|bench")
BUILD_COMMAND = re.compile(
    r"(?:(?:npx|pnpm(?: exec)?|yarn|bunx) )?"
    r"(?:turbo(?: run)? build|nx run-many (?:-t|--target=?) ?build|lerna run build"
    r"|tsc(?: -b| --build| -p [A-Za-z0-9./_-]+)?)"
    r"(?: --[a-z-]+(?:=[A-Za-z0-9./_@*-]+)?)*"
    r"|pnpm (?:-r|--recursive)(?: run)? build|npm run build (?:--workspaces|-ws)(?: --if-present)?"
    r"|yarn workspaces (?:run|foreach(?: -[A-Za-z-]+)+ run) build"
)
WORKSPACE_SCRIPT = re.compile(
    r"npm (?:run )?([a-z][a-z0-9:._-]*)(?: -ws| --workspaces| -w [^ ]+| --workspace[= ][^ ]+| --if-present)+"
    r"|pnpm (?:run )?(?:-r|--recursive|(?:-F|--filter)[= ][^ ]+)(?: --[a-z-]+)*(?: run)? ([a-z][a-z0-9:._-]*)"
    r"|yarn workspaces? (?:run|foreach(?: -[A-Za-z-]+)+ run|[^ ]+(?: run)?) ([a-z][a-z0-9:._-]*)"
    r"|bun (?:run )?--filter [^ ]+ ([a-z][a-z0-9:._-]*)"
)
"""A script of all workspaces, or of some."""

MAX_BUILDS = 4


def builds_before(
    project: NodeProject, manager: NodeManager, workflows: Workflows, chosen: tuple[str, ...], trail: Trail
) -> tuple[str, ...]:
    """Return the builds that stand before a chosen check in a job of a workflow."""
    chosen = tuple(map(_without_variables, chosen))
    found: dict[str, Seen] = {}
    for job in workflows.jobs:
        before: dict[str, Seen] = {}
        for seen in (seen for seen in job.commands if not seen.folder):
            command = plain(seen)
            if command is None:
                continue
            if command in chosen:
                found |= before
            elif _builds(project, command, trail):
                before[command] = seen
    done = {name for command in chosen if (script := script_of(project, command)) for name in _run_by(project, script)}
    built: dict[str, Seen] = {}
    for command, seen in found.items():
        script = script_of(project, command)
        if script in done or not trail.applies(rules.BUILD) or len(built) >= MAX_BUILDS:
            continue
        if script is not None:
            done |= _run_by(project, script)
        built[command] = seen
        why = f"the workflow builds before its checks: `{command}`"
        trail.note("setup", seen.text, why, file=seen.file, line=seen.line, by=rules.BUILD)
    of_workspaces = manager.all_tests in chosen or any(map(WORKSPACE_SCRIPT.fullmatch, chosen))
    if not built and of_workspaces and (build := _of_workspaces(project, manager, workflows, trail)):
        return (build,)
    return tuple(built)


def _of_workspaces(project: NodeProject, manager: NodeManager, workflows: Workflows, trail: Trail) -> str | None:
    """Return the build of all workspaces where a job builds some of them before it tests some."""
    for job in workflows.jobs:
        built: tuple[str, Seen] | None = None
        for seen in job.commands:
            match = None if seen.folder else WORKSPACE_SCRIPT.fullmatch(plain(seen) or "")
            script = next(filter(None, match.groups()), "") if match else ""
            if built is None and BUILD_NAME.search(script) and not NOT_BUILT.search(script):
                built = script, seen
            elif built is not None and TESTING_NAME.search(script) and trail.applies(rules.WORKSPACE_BUILD):
                name, first = built
                if _built_everywhere(project, manager, name, trail):
                    why = f"the workflow builds workspaces by `{name}` before it tests them"
                    trail.note("setup", first.text, why, file=first.file, line=first.line, by=rules.WORKSPACE_BUILD)
                    return manager.everywhere(name)
    return None


def _built_everywhere(project: NodeProject, manager: NodeManager, name: str, trail: Trail) -> bool:
    having = [member for member in project.members if name in member.scripts.commands]
    if any(refusal(member.scripts, name, trail) is not None for member in having):
        return False
    return bool(having) and (manager is not YARN_CLASSIC or len(having) == len(project.members))


def _without_variables(command: str) -> str:
    words = command.split(" ")
    while words and ASSIGNMENT.fullmatch(words[0]):
        del words[0]
    return " ".join(words)


def _run_by(project: NodeProject, script: str) -> frozenset[str]:
    """Return the scripts that run before or inside a script."""
    hook = f"pre{script}"
    inside = project.scripts.called(script)
    before = project.scripts.called(hook) if hook in project.scripts.commands else frozenset()
    return inside | before | {hook}


def _builds(project: NodeProject, command: str, trail: Trail) -> bool:
    script = script_of(project, command)
    if script is not None:
        named = BUILD_NAME.search(script) and not NOT_BUILT.search(script)
        return bool(named) and refusal(project.scripts, script, trail) is None
    if "tsc" in command and "--noEmit" in command:
        return False
    return BUILD_COMMAND.fullmatch(command) is not None and line_refusal([command], trail) is None
