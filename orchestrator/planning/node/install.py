"""How dependencies are installed: frozen to the lock, unless the repository itself does not keep to it."""

from __future__ import annotations

from orchestrator.planning.documents import line_of
from orchestrator.planning.node import rules
from orchestrator.planning.node.manager_choice import Install
from orchestrator.planning.node.managers import NPM, YARN_BERRY, NodeManager
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.trail import Trail

FLAGS = frozenset(
    {"--legacy-peer-deps", "--force", "--ignore-engines", "--ignore-scripts", "--include=dev", "--ignore-platform"}
    | {"--strict-peer-dependencies=false", "--no-strict-peer-dependencies", "--shamefully-hoist", "--include=optional"}
)
"""Flags of a workflow's install without which it may fail, or do something else."""


def install_command(
    project: NodeProject, manager: NodeManager, lock: str | None, installs: tuple[Install, ...], trail: Trail
) -> str:
    """Return the install with the flags that the repository's own workflows need."""
    own = [one for one in installs if one.manager.name == manager.name]
    command = _frozen_or_not(project, manager, lock, own, trail)
    for flag in dict.fromkeys(flag for one in own[:1] for flag in one.flags if flag in FLAGS):
        if trail.applies(rules.WORKFLOW_FLAGS):
            seen = own[0].seen
            why = f"the workflow installs with {flag}"
            trail.note("setup", seen.text, why, file=seen.file, line=seen.line, by=rules.WORKFLOW_FLAGS)
            command += f" {flag}"
    return command


def _frozen_or_not(
    project: NodeProject, manager: NodeManager, lock: str | None, own: list[Install], trail: Trail
) -> str:
    if lock is None or not trail.applies(rules.FROZEN):
        trail.note("setup", manager.install, "no lock: versions are resolved anew in each run", file="package.json")
        return manager.install
    refused = line_of(project.tree.text(".npmrc"), r"^[ \t]*+package-lock[ \t]*+=[ \t]*+false[ \t\r]*+$")
    if manager is NPM and refused and trail.applies(rules.PACKAGE_LOCK_OFF):
        why = f"the repository keeps no lock: {lock} is stale, not used"
        by = rules.PACKAGE_LOCK_OFF
        trail.note("setup", "package-lock=false", why, file=".npmrc", line=refused, by=by)
        return manager.install
    loose = [one for one in own if " ".join((one.command, *_freezing(one))) in manager.unfrozen]
    if own and len(loose) == len(own) and manager is not YARN_BERRY and trail.applies(rules.WORKFLOW_UNFROZEN):
        seen = own[0].seen
        why = f"the workflows install without freezing: {lock} may be stale"
        trail.note("setup", seen.text, why, file=seen.file, line=seen.line, by=rules.WORKFLOW_UNFROZEN)
        return manager.install
    trail.note("setup", manager.frozen_install, "the lock decides the versions", file=lock, by=rules.FROZEN)
    return manager.frozen_install


def _freezing(install: Install) -> list[str]:
    """Return the flags that say whether the lock is kept."""
    return [flag for flag in install.flags if "frozen" in flag or "immutable" in flag]
