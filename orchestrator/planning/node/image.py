"""What the image needs for Node: the manager, variables that keep installs from downloading, Debian packages."""

from __future__ import annotations

from draftsman.domain.plan import Toolchain
from orchestrator.planning.command_words import called_programs
from orchestrator.planning.node import rules
from orchestrator.planning.node.manager_version import Wanted, yarn_path_is_missing
from orchestrator.planning.node.managers import BUN, BY_NAME, YARN_BERRY
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.system_packages import NODE_NEEDS, needed
from orchestrator.planning.trail import Trail
from orchestrator.planning.versions import NODE_MANAGERS

DOWNLOADS = {
    "puppeteer": ("PUPPETEER_SKIP_DOWNLOAD=true", "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD=true"),
    "playwright": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1",),
    "@playwright/test": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1",),
    "playwright-chromium": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1",),
    "cypress": ("CYPRESS_INSTALL_BINARY=0",),
    "electron": ("ELECTRON_SKIP_BINARY_DOWNLOAD=1",),
    "chromedriver": ("CHROMEDRIVER_SKIP_DOWNLOAD=true",),
    "geckodriver": ("GECKODRIVER_SKIP_DOWNLOAD=1",),
    "@sentry/cli": ("SENTRYCLI_SKIP_DOWNLOAD=1",),
}
"""The variables that keep a dependency from downloading a binary from elsewhere, which a fence may refuse."""

HOOKS = {
    "husky": "HUSKY=0",
    "simple-git-hooks": "SKIP_SIMPLE_GIT_HOOKS=1",
    "lefthook": "LEFTHOOK=0",
}
INSTALL = "npm install -g --force --no-audit --no-fund --loglevel=error"
"""`--force`: some official images have a yarn of their own in the way. Corepack would download the manager in every
job, and newer releases of Node come without it."""


def image_packages(
    wanted: Wanted, version: str | None, commands: tuple[str, ...], project: NodeProject, trail: Trail
) -> dict[str, str]:
    """Return the manager that the image gets, and others that the checks call: the npm package and its version."""
    packages = {} if version is None else {wanted.manager.package: version}
    texts = [project.scripts.commands[name] for name in project.scripts.commands]
    called = called_programs([*commands, *texts])
    for name in ("pnpm", "bun"):
        manager = BY_NAME[name]
        if manager is not wanted.manager and called & {name, "bunx" if name == "bun" else name}:
            packages.setdefault(manager.package, NODE_MANAGERS[manager.package][0])
    if not packages or not trail.applies(rules.MANAGER_IN_IMAGE):
        return {}
    listed = " ".join(f"{package}@{release}" for package, release in packages.items())
    trail.note("image", listed, "the manager is in the image, at one exact version", by=rules.MANAGER_IN_IMAGE)
    return packages


def image_steps(packages: dict[str, str]) -> tuple[str, ...]:
    """Return the commands that put the packages into the image."""
    if not packages:
        return ()
    # npm 12 runs no install scripts unless they are named, and Bun's puts its program in place.
    scripts = " --allow-scripts=bun" if BUN.package in packages else ""
    return (" ".join([f"{INSTALL}{scripts}", *(f"{package}@{release}" for package, release in packages.items())]),)


def installed_toolchains(packages: dict[str, str], trail: Trail) -> tuple[Toolchain, ...]:
    """Return Bun where it is among the packages: it runs checks by itself, as no other manager does."""
    version = packages.get(BUN.package)
    if version is None or not trail.applies(rules.BUN):
        return ()
    trail.note("bun version", version, "in the image beside Node: Bun runs scripts and tests itself", by=rules.BUN)
    return (Toolchain("bun", version, ""),)


def image_variables(project: NodeProject, wanted: Wanted, version: str | None, trail: Trail) -> tuple[str, ...]:
    """Return the variables that installs need, as `NAME=value`."""
    found: list[str] = []
    for name in (name for name in DOWNLOADS if name in project.dependencies and trail.applies(rules.NO_DOWNLOADS)):
        found += DOWNLOADS[name]
        why = f"{name} downloads no binary, which no check could use"
        trail.note("image", " ".join(DOWNLOADS[name]), why, file=project.dependencies[name], by=rules.NO_DOWNLOADS)
    for name in (name for name in HOOKS if name in project.dependencies and trail.applies(rules.NO_HOOKS)):
        found.append(HOOKS[name])
        why = f"{name} installs no hooks"
        trail.note("image", HOOKS[name], why, file=project.dependencies[name], by=rules.NO_HOOKS)
    if wanted.manager is YARN_BERRY:
        found.append("YARN_ENABLE_TELEMETRY=0")
        if yarn_path_is_missing(project) and trail.applies(rules.YARN_PATH_MISSING):
            found.append("YARN_IGNORE_PATH=1")
        old = version is not None and int(version.partition(".")[0]) < 4
        if old and not _holds_cache(project) and trail.applies(rules.YARN_CACHE):
            why = "Yarn 4 does so by itself"
            trail.note("image", "YARN_ENABLE_GLOBAL_CACHE=true", why, by=rules.YARN_CACHE)
            found.append("YARN_ENABLE_GLOBAL_CACHE=true")
    return tuple(dict.fromkeys(found))


def system_packages(project: NodeProject, trail: Trail) -> tuple[str, ...]:
    """Return the Debian packages that dependencies with native code need."""
    packages: list[str] = []
    for name, apt in needed(project.dependencies, NODE_NEEDS).items():
        if trail.applies(rules.NATIVE):
            packages += apt
            why = f"Debian packages that {name} needs"
            trail.note("image", " ".join(apt), why, file=project.dependencies[name], by=rules.NATIVE)
    return tuple(dict.fromkeys(packages))


def _holds_cache(project: NodeProject) -> bool:
    return any(path.startswith(".yarn/cache/") or path == ".pnp.cjs" for path in project.tree.paths)
