"""Tests of workspaces, run from a root that has no test script of its own."""

from __future__ import annotations

from orchestrator.planning import grammar
from orchestrator.planning.node import rules
from orchestrator.planning.node.managers import NPM, YARN_CLASSIC, NodeManager
from orchestrator.planning.node.project import Member, NodeProject
from orchestrator.planning.node.scripts import refusal
from orchestrator.planning.trail import Trail

TASK_RUNNERS = (
    ("turbo", "turbo.json", "turbo run test"),
    ("nx", "nx.json", "nx run-many -t test"),
    ("lerna", "lerna.json", "lerna run test"),
)
MAX_NAMED = 10


def choose_workspace_tests(project: NodeProject, manager: NodeManager, trail: Trail) -> tuple[str, ...]:
    """Return the command that runs the test scripts of the workspaces, or none."""
    tested: list[Member] = []
    for member in project.members:
        if "test" not in member.scripts.commands or not trail.applies(rules.WORKSPACE_TESTS):
            continue
        problem = refusal(member.scripts, "test", trail)
        why = f"its test script is not run: {problem[1]}" if problem else "a workspace with tests"
        if len(tested) < MAX_NAMED:
            file = f"{member.folder}/package.json"
            line = member.scripts.line("test")
            by = problem[0] if problem else rules.WORKSPACE_TESTS
            trail.note("full", member.scripts.commands["test"], why, file=file, line=line, by=by)
        if problem is None:
            tested.append(member)
    if not tested:
        return ()
    for name, file, command in TASK_RUNNERS:
        if name in project.dependencies and file in project.tree.paths and trail.applies(rules.TASK_RUNNER):
            trail.note("full", name, f"{name} runs the tests of all workspaces", file=file, by=rules.TASK_RUNNER)
            return (f"{manager.execute} {command}",)
    whole = len(tested) == len([one for one in project.members if "test" in one.scripts.commands])
    everywhere = len(tested) == len(project.members)
    if whole and (manager is not YARN_CLASSIC or everywhere):
        return (manager.all_tests,)
    return tuple(_one(member, manager) for member in tested[:MAX_NAMED])


def _one(member: Member, manager: NodeManager) -> str:
    """Return the command that tests one workspace."""
    name = member.manifest.get("name")
    if manager is NPM:
        return f"npm test --workspace {member.folder}"
    plain = isinstance(name, str) and grammar.fits(grammar.PACKAGE, name)
    if plain and manager.name == "yarn":
        return f"yarn workspace {name} test"
    if plain and manager.name == "pnpm":
        return f"pnpm --filter {name} test"
    return f"cd {member.folder} && {manager.test}"
