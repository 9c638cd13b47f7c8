"""Planning of Node repositories, with Bun as one of their managers and runtimes."""

from __future__ import annotations

from draftsman.domain.plan import Toolchain
from orchestrator.planning.node import rules
from orchestrator.planning.node.build import builds_before
from orchestrator.planning.node.fast import choose_fast
from orchestrator.planning.node.full import choose_full
from orchestrator.planning.node.image import (
    image_packages,
    image_steps,
    image_variables,
    installed_toolchains,
    system_packages,
)
from orchestrator.planning.node.install import install_command
from orchestrator.planning.node.manager_choice import Named, choose_manager, installs_of, lock_of
from orchestrator.planning.node.manager_version import settle_version, wanted_version
from orchestrator.planning.node.managers import BY_NAME, MANAGERS
from orchestrator.planning.node.project import NodeProject, read_project, reads
from orchestrator.planning.node.seen_checks import checks_of
from orchestrator.planning.node.version import choose_node
from orchestrator.planning.part import Ecosystem, Part, Question
from orchestrator.planning.rule import rules_in
from orchestrator.planning.trail import Trail


def infer(question: Question, trail: Trail) -> Part | None:
    """Return what Node brings to the plan, or None where the commit has no package.json at its top.

    Raises PlanError where a Node hint is malformed.
    """
    present = "package.json" in question.tree.paths and trail.applies(rules.PACKAGE_JSON)
    if not present and not question.forced:
        for path in sorted(path for path in question.tree.paths if path.endswith("/package.json"))[:3]:
            trail.note("image", path, "seen, not used: not at the top of the repository", file=path)
        return None
    project = read_project(question.tree)
    workflows = question.workflows
    installs = installs_of(workflows)
    named = _named(project, question, trail) or choose_manager(project, installs, trail)
    wanted = wanted_version(project, named, workflows, trail)
    manager = wanted.manager
    version = choose_node(project, workflows, wanted.floor, trail)
    release = settle_version(wanted, version, trail)
    seen = checks_of(project, manager.name, workflows.commands, trail) if present else []
    fast = choose_fast(project, manager, seen, trail)
    full = choose_full(project, manager, seen, trail)
    install = [install_command(project, manager, named.lock, installs, trail)] if present else []
    setup = (*install, *builds_before(project, manager, workflows, (*fast, *full), trail))
    packages = image_packages(wanted, release, (*setup, *fast, *full), project, trail)
    return Part(
        toolchain=Toolchain("node", version, f"node:{version}-slim"),
        manager=manager.name,
        setup=setup,
        fast=fast,
        full=full,
        caches=manager.caches,
        apt=system_packages(project, trail),
        steps=image_steps(packages),
        also=installed_toolchains(packages, trail),
        env=image_variables(project, wanted, release, trail),
    )


def _named(project: NodeProject, question: Question, trail: Trail) -> Named | None:
    """Return the manager that the profile names, or npm where only its commands need Node."""
    if question.manager is not None:
        manager = BY_NAME[question.manager]
        return Named(manager, lock_of(project, manager, trail))
    if "package.json" not in question.tree.paths:
        trail.note("dependency_manager", "npm", "the profile's commands need Node")
        return Named(BY_NAME["npm"], None)
    return None


ECOSYSTEM = Ecosystem(
    name="node",
    managers=tuple(manager.name for manager in MANAGERS),
    words=frozenset(
        {"node", "npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx", "corepack", "tsc", "eslint", "prettier"}
    ),
    portable=True,
    looked_for="package.json",
    reads=reads,
    infer=infer,
    rules=rules_in(rules),
)
