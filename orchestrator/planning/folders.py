"""Projects in folders of a repository whose top has none to test: which folders, and the commit as seen from one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules, grammar
from orchestrator.planning.part import Part
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.workflows import Workflows

MAX_FOLDERS = 4
"""Projects of one repository that are checked; the others are named in the evidence."""

MAX_NAMED = 5
"""Commands of a workflow that are named for a project which is not checked."""

MAX_SHOWN = 120
"""Characters of each."""

MAX_DEPTH = 3
"""Folders deep that a project may lie, as in `services/api/server`."""

MANIFESTS = {
    "pyproject.toml": "python",
    "setup.py": "python",
    "requirements.txt": "python",
    "Pipfile": "python",
    "package.json": "node",
    "Gemfile": "ruby",
    "go.mod": "go",
    "go.work": "go",
    "Cargo.toml": "rust",
}
"""The files that make a folder a project, and of which ecosystem."""

NOT_PROJECTS = frozenset(
    {"doc", "docs", "documentation", "website", "site", "example", "examples", "sample", "samples", "demo", "demos"}
    | {"test", "tests", "testing", "testdata", "fixture", "fixtures", "spec", "specs", "e2e", "__tests__", "bench"}
    | {"benchmark", "benchmarks", "template", "templates", "vendor", "third_party", "node_modules", "scripts", "tools"}
    | {"ci", "hack", "contrib", "playground", "playgrounds", "dist", "build"}
)
"""Folders whose manifests are not the repository's own work. Hidden folders are none either."""

INHERITED = (".python-version", ".node-version", ".nvmrc", ".ruby-version", ".tool-versions", "mise.toml", ".mise.toml")
"""Files at the top that count for the folders too, where a folder has none of its own."""


def project_folders(paths: Iterable[str]) -> list[str]:
    """Return the folders that hold a manifest, the shallowest first, without those inside of another one."""
    found = {
        path.rpartition("/")[0]
        for path in paths
        if "/" in path and path.rpartition("/")[2] in MANIFESTS and path.count("/") <= MAX_DEPTH
    }
    chosen: dict[str, None] = {}
    for folder in sorted(filter(_may_be_project, found), key=lambda one: (one.count("/"), one)):
        parts = folder.split("/")
        if not any("/".join(parts[:depth]) in chosen for depth in range(1, len(parts))):
            chosen[folder] = None
    return list(chosen)


def at_top(tree: Tree, folders: list[str], ecosystem: str) -> Tree:
    """Return the commit without the folders that are this ecosystem's own projects, where its top is none."""
    own = [name for name, language in MANIFESTS.items() if language == ecosystem]
    inner = tuple(f"{folder}/" for folder in folders if any(f"{folder}/{name}" in tree.paths for name in own))
    if not inner or any(name in tree.paths for name in own):
        return tree
    return replace(tree, paths=frozenset(path for path in tree.paths if not path.startswith(inner)))


def under(tree: Tree, folder: str) -> Tree:
    """Return the commit as seen from a folder, with the version files and workflows of its top."""
    prefix = f"{folder}/"
    inherited = {path for path in tree.paths if path in INHERITED or path.startswith(".github/")}
    paths = frozenset(path.removeprefix(prefix) for path in tree.paths if path.startswith(prefix))
    outer = inherited - paths
    contents = {path: content for path, content in tree.contents.items() if path in outer}
    contents |= {
        path.removeprefix(prefix): content for path, content in tree.contents.items() if path.startswith(prefix)
    }
    unread = frozenset(path.removeprefix(prefix) for path in tree.unread if path.startswith(prefix))
    return Tree(paths | outer, contents, unread)


def workflows_under(workflows: Workflows, folder: str) -> Workflows:
    """Return what the workflows run in a folder, as if it were the top; versions count for all folders."""
    jobs = []
    for job in workflows.jobs:
        commands = tuple(replace(seen, folder="") for seen in job.commands if seen.folder == folder)
        if commands:
            jobs.append(replace(job, commands=commands))
    first = {seen.text: seen for job in reversed(jobs) for seen in reversed(job.commands)}
    return replace(workflows, commands=tuple(reversed(first.values())), jobs=tuple(jobs))


def note_unchecked(folder: str, workflows: Workflows, trail: Trail) -> None:
    """Note a project in a folder that is not checked, and what a workflow runs there, for a person's profile."""
    why = "a project of its own, not checked: the top decides"
    for job in workflows.jobs:
        run = [seen for seen in job.commands if seen.folder == folder]
        if run:
            commands = ", ".join(f"`{show(seen.text, MAX_SHOWN)}`" for seen in run[:MAX_NAMED])
            more = f" and {len(run) - MAX_NAMED} more" if len(run) > MAX_NAMED else ""
            why += f". The workflow runs {commands}{more} in it: what of it should be a check goes into the profile"
            trail.note("project", folder, why, file=run[0].file, line=run[0].line, by=any_rules.SUB_PROJECT)
            return
    trail.note("project", folder, why, by=any_rules.SUB_PROJECT)


def placed(part: Part, folder: str) -> Part:
    """Return the part with commands that run in the folder, and leave the one that called them where it was."""
    return replace(
        part,
        setup=tuple(f"(cd {folder} && {command})" for command in part.setup),
        fast=tuple(f"cd {folder} && {command}" for command in part.fast),
        full=tuple(f"cd {folder} && {command}" for command in part.full),
    )


def relocate(trail: Trail, tree: Tree, folder: str) -> Trail:
    """Return the trail with its files named from the top of the repository."""
    moved = trail.fresh()
    for one in trail.evidence:
        file = None if one.file is None else _from_top(one.file, tree, folder)
        moved.note(one.decides, one.value, one.rule, file=file, line=one.line, by=one.rule_id)
    for sentence in trail.warnings:
        moved.warn(f"In {folder}: {sentence}")
    return moved


def relocated(error: PlanError, tree: Tree, folder: str) -> PlanError:
    """Return the error with its file named from the top of the repository."""
    sentence = str(error)
    file, colon, rest = sentence.partition(":")
    return PlanError(_from_top(file, tree, folder) + colon + rest, error.detail)


def _from_top(file: str, tree: Tree, folder: str) -> str:
    inside = f"{folder}/{file}"
    return inside if inside in tree.paths else file


def _may_be_project(folder: str) -> bool:
    parts = folder.split("/")
    return grammar.is_tree_path(folder) and not any(part in NOT_PROJECTS or part.startswith(".") for part in parts)
