"""The dependency managers of Node: their locks, how they install, and how they run a script.

Another manager is another row of `MANAGERS`.
"""

from __future__ import annotations

from dataclasses import dataclass

from draftsman.domain.plan import ProfileOverrides, Tree
from orchestrator.planning.documents import line_of
from orchestrator.planning.trail import Trail


@dataclass(frozen=True, slots=True)
class NodeManager:
    """A manager: the locks that are its own, its commands, and the caches that it fills."""

    name: str
    locks: tuple[str, ...]
    frozen_install: str
    install: str
    test: str
    run: str
    caches: tuple[str, ...]

    def running(self, script: str) -> str:
        """Return the command that runs a script, as a person types it."""
        return self.test if script == "test" else f"{self.run} {script}"


NPM = NodeManager(
    name="npm",
    locks=("package-lock.json", "npm-shrinkwrap.json"),
    frozen_install="npm ci",
    install="npm install --no-audit --no-fund",
    test="npm test",
    run="npm run",
    caches=("npm",),
)
MANAGERS = (NPM,)

OTHER_LOCKS = ("pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
"""Locks of managers that have no row here."""


def decide_install(
    tree: Tree, overrides: ProfileOverrides, manager: str | None, trail: Trail
) -> tuple[NodeManager, str]:
    """Return the manager and its install command: frozen to the lock, if the repository keeps one."""
    if "package.json" not in tree.paths:
        trail.note("dependency_manager", NPM.name, "the profile's commands need Node")
        return NPM, ""
    chosen = next((one for one in MANAGERS if one.name == manager), NPM)
    lock = next((path for path in chosen.locks if path in tree.paths), None)
    if manager is None:
        rule = "the lock is npm's" if lock else "a package.json and no npm lock: npm"
        trail.note("dependency_manager", chosen.name, rule, file=lock or "package.json")
    for other in (path for path in OTHER_LOCKS if path in tree.paths):
        trail.note("dependency_manager", other, f"seen, not used: {chosen.name} installs", file=other)
        if lock is None and overrides.setup is None:
            trail.warn(
                f"{other} is not used: dependencies are installed with npm. Set `setup` in the profile to use it."
            )
    refused = line_of(tree.text(".npmrc"), r"^[ \t]*+package-lock[ \t]*+=[ \t]*+false[ \t\r]*+$")
    if lock is not None and refused:
        trail.note(
            "setup",
            "package-lock=false",
            f"the repository keeps no lock: {lock} is stale, not used",
            file=".npmrc",
            line=refused,
        )
        return chosen, chosen.install
    if lock is not None:
        trail.note("setup", chosen.frozen_install, "the lock decides the versions", file=lock)
        return chosen, chosen.frozen_install
    trail.note("setup", chosen.install, "no lock: versions are resolved anew in each run", file="package.json")
    return chosen, chosen.install
