"""Which manager installs: what names it, then the lock, then what the workflow does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.planning.documents import malformed, table, written
from orchestrator.planning.node import rules
from orchestrator.planning.node.managers import BY_NAME, MANAGERS, NEWEST_FIRST, NPM, NodeManager
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.workflows import Seen, Workflows

FIELD = re.compile(r"(npm|yarn|pnpm|bun)(?:@(\S{1,200}))?")
ONLY_ALLOW = re.compile(r"\bonly-allow(?:@\S+)? (npm|yarn|pnpm|bun)\b")
INSTALL = re.compile(
    r"(?:corepack )?(npm (?:ci|clean-install|install|i)|yarn(?: install)?|pnpm (?:install|i)|bun (?:install|i))"
    r"((?: -[^ ]+)*)"
)
GLOBAL = re.compile(r" (?:-g|--global|--location=global)\b")
SETTINGS = {"pnpm-workspace.yaml": "pnpm", ".yarnrc.yml": "yarn", ".yarnrc": "yarn", "bunfig.toml": "bun"}


@dataclass(frozen=True, slots=True)
class Install:
    """An install that a workflow runs: the manager, the command without flags, and its flags."""

    manager: NodeManager
    command: str
    flags: tuple[str, ...]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Named:
    """A manager with the place that decided on it. `lock` is its lock, None where there is none."""

    manager: NodeManager
    lock: str | None


def installs_of(workflows: Workflows) -> tuple[Install, ...]:
    """Return the installs at the top that workflows run."""
    found = []
    for seen in workflows.commands:
        match = INSTALL.fullmatch(seen.text)
        if match and not GLOBAL.search(match.group(2)):
            manager = BY_NAME[match.group(1).split()[0]]
            found.append(Install(manager, match.group(1), tuple(match.group(2).split()), seen))
    return tuple(found)


def choose_manager(project: NodeProject, installs: tuple[Install, ...], trail: Trail) -> Named:
    """Return the manager that the files name, and note the locks of others. Raises PlanError for a malformed field."""
    manager = (
        _stated(project, trail) or _from_locks(project, installs, trail) or _without_lock(project, installs, trail)
    )
    return Named(manager, lock_of(project, manager, trail))


def lock_of(project: NodeProject, manager: NodeManager, trail: Trail) -> str | None:
    """Return the manager's lock, and note the locks of others as stale."""
    paths = project.tree.paths
    for other in MANAGERS:
        for lock in other.locks if other is not manager else ():
            if lock in paths:
                why = f"stale, not used: {manager.name} installs"
                trail.note("dependency_manager", lock, why, file=lock)
    return next((lock for lock in manager.locks if lock in paths), None)


def _stated(project: NodeProject, trail: Trail) -> NodeManager | None:
    """Return the manager that package.json names, whatever locks there are."""
    field = project.manifest.get("packageManager")
    if field is not None and trail.applies(rules.PACKAGE_MANAGER):
        line = project.line("packageManager")
        match = FIELD.fullmatch(field) if isinstance(field, str) else None
        if match is None:
            what = f"`packageManager` {written(field)!r} is not a manager and version, such as 'pnpm@10.4.1'."
            raise malformed("package.json", line, what)
        name = match.group(1)
        return _noted(BY_NAME[name], field, "`packageManager` names it", rules.PACKAGE_MANAGER, line, trail)
    name = table(project.manifest, "devEngines", "packageManager").get("name")
    if isinstance(name, str) and name in BY_NAME and trail.applies(rules.DEV_ENGINES_MANAGER):
        line = project.line("devEngines", "packageManager", "name")
        why = "`devEngines.packageManager` names it"
        return _noted(BY_NAME[name], name, why, rules.DEV_ENGINES_MANAGER, line, trail)
    hook = project.scripts.commands.get("preinstall", "")[:500]
    match = ONLY_ALLOW.search(hook)
    if match and trail.applies(rules.ONLY_ALLOW):
        line = project.scripts.line("preinstall")
        return _noted(BY_NAME[match.group(1)], hook, "no other is admitted", rules.ONLY_ALLOW, line, trail)
    return None


def _from_locks(project: NodeProject, installs: tuple[Install, ...], trail: Trail) -> NodeManager | None:
    """Return the manager of the lock, or of the one that is live among several."""
    locked = [one for one in NEWEST_FIRST if any(lock in project.tree.paths for lock in one.locks)]
    if not locked or not trail.applies(rules.LOCK):
        return None
    used = list(dict.fromkeys(install.manager for install in installs))
    live = [one for one in locked if one in used]
    if (
        used
        and (len(live) == 1 or not live)
        and (len(locked) > 1 or not live)
        and trail.applies(rules.WORKFLOW_INSTALL)
    ):
        return _by_install(next(one for one in installs if one.manager in (live or used)), trail)
    if len(locked) > 1:
        for file, name in SETTINGS.items():
            if file in project.tree.paths and BY_NAME[name] in locked and trail.applies(rules.MANAGER_SETTINGS):
                why = "its settings are there, beside several locks"
                return _noted(BY_NAME[name], file, why, rules.MANAGER_SETTINGS, None, trail, file)
        if not trail.applies(rules.NEWEST_LOCK):
            locked.reverse()
    lock = next(lock for lock in locked[0].locks if lock in project.tree.paths)
    by = rules.NEWEST_LOCK if len(locked) > 1 else rules.LOCK
    why = "the newest of several locks" if len(locked) > 1 else f"the lock is {locked[0].name}'s"
    return _noted(locked[0], lock, why, by, None, trail, lock)


def _without_lock(project: NodeProject, installs: tuple[Install, ...], trail: Trail) -> NodeManager:
    if installs and trail.applies(rules.WORKFLOW_INSTALL):
        return _by_install(installs[0], trail)
    for manager, keys in _mentioned(project):
        if trail.applies(rules.ENGINES_MANAGER):
            value = str(table(project.manifest, keys[0])[keys[1]])
            line = project.line(*keys)
            return _noted(manager, value, f"`{'.'.join(keys)}` names it", rules.ENGINES_MANAGER, line, trail)
    trail.note("dependency_manager", NPM.name, "a package.json and no lock: npm", file="package.json")
    return NPM


def _mentioned(project: NodeProject) -> Iterator[tuple[NodeManager, tuple[str, str]]]:
    for field in ("engines", "volta"):
        for manager in NEWEST_FIRST:
            text = table(project.manifest, field).get(manager.name)
            if manager is not NPM and isinstance(text, str) and re.match(r"[0-9v^~>=*]", text):
                yield manager, (field, manager.name)


def _by_install(install: Install, trail: Trail) -> NodeManager:
    seen = install.seen
    why = "the workflow installs with it"
    trail.note("dependency_manager", seen.text, why, file=seen.file, line=seen.line, by=rules.WORKFLOW_INSTALL)
    return install.manager


def _noted(
    manager: NodeManager, value: str, why: str, by: Rule, line: int | None, trail: Trail, file: str = "package.json"
) -> NodeManager:
    trail.note("dependency_manager", show(value), f"{why}: {manager.name}", file=file, line=line, by=by)
    return manager
