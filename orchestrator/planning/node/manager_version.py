"""Which version of the manager: the one that is named, else one that reads the lock and runs on the Node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import nodesemver

from orchestrator.planning import grammar
from orchestrator.planning.documents import line_of, malformed, read_yaml, table
from orchestrator.planning.node import rules
from orchestrator.planning.node.manager_choice import FIELD, Named
from orchestrator.planning.node.managers import NPM, YARN_BERRY, YARN_CLASSIC, NodeManager
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.node.version import allows
from orchestrator.planning.rule import Rule
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import NODE_MANAGERS
from orchestrator.planning.workflows import Workflows

NUMBER = r"(?:0|[1-9][0-9]{0,5})"
RELEASE = rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-[A-Za-z]{{1,10}}(?:\.{NUMBER})?)?"
EXACT = re.compile(rf"v?({RELEASE})")
YARN_RELEASE = re.compile(rf"yarn-({RELEASE})\.c?js")
PNPM_LOCK = re.compile(r"^lockfileVersion: '?([0-9]{1,2}\.[0-9]{1,2})", re.MULTILINE)
YARN_LOCK = re.compile(r"^__metadata:\r?\n  version: ([0-9]{1,2})", re.MULTILINE)

PNPM_OF_LOCK = (("9", ">=9"), ("6", "8"), ("5.4", "7"), ("5", "6"))
"""Of pnpm's `lockfileVersion`, the majors that keep it."""

YARN_OF_LOCK = {"4": "<3", "5": "3.1.1", "6": "^3.2", "7": "4.0.0 - 4.13", "8": "4.0.0 - 4.13", "9": "4.14 - 4.15"}
"""Of a lock's `__metadata` version, the releases that leave it as it is: a newer one fails as it would change it."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A version or range of the manager that a file names."""

    text: str
    file: str
    line: int | None
    why: str
    by: Rule


@dataclass(frozen=True, slots=True)
class Wanted:
    """The manager, and its version, or the ranges that it should be in, the weightiest first."""

    manager: NodeManager
    exact: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def floor(self) -> str:
        """Return the range of Node that it needs, as far as its version is known."""
        return self.manager.floor(self.exact) if self.exact else "*"


def wanted_version(project: NodeProject, named: Named, workflows: Workflows, trail: Trail) -> Wanted:
    """Return what the files say of the manager's version. Raises PlanError for a malformed one."""
    hints = [hint for hint in _hints(project, named, workflows) if trail.applies(hint.by)]
    hints = [hint for hint in hints if hint.by in (rules.EXACT_VERSION, rules.YARN_PATH) or _is_version(hint.text)]
    winner = hints[0] if hints else None
    for hint in hints:
        why = hint.why if hint is winner or winner is None else f"{hint.why}; lost to `{winner.file}`"
        decides = f"{named.manager.name} version"
        trail.note(decides, hint.text, why, file=hint.file, line=hint.line, by=hint.by)
    manager = _kind(project, named.manager, winner, trail)
    if winner is None:
        return Wanted(manager)
    exact = EXACT.fullmatch(winner.text)
    if exact and winner.by is not rules.YARN_PATH:
        return Wanted(manager, exact.group(1))
    if exact:  # it only starts the one in the tree, so any of its major does
        return Wanted(manager, None, (f"^{exact.group(1).partition('.')[0]}",))
    return Wanted(manager, None, tuple(dict.fromkeys((winner.text, hints[-1].text))))


def settle_version(wanted: Wanted, node: str, trail: Trail) -> str | None:
    """Return the release for the image; None for the npm that comes with Node."""
    manager = wanted.manager
    decides = f"{manager.name} version"
    if manager is NPM and wanted.exact is None:
        return None
    if wanted.exact is not None:
        if manager is NPM and not allows(wanted.floor, node):
            trail.note(decides, wanted.exact, f"it does not run on Node {node}: the npm that comes with it is used")
            return None
        return wanted.exact
    pins = NODE_MANAGERS[manager.package]
    first, rest = wanted.allowed[:1], wanted.allowed[1:]
    fitting = _fitting(pins, wanted.allowed) or _fitting(pins, first) or (_fitting(pins, rest) if rest else [])
    running = [pin for pin in fitting if allows(manager.floor(pin), node)]
    if fitting and running[:1] != fitting[:1] and trail.applies(rules.FITS_NODE):
        if running:
            trail.note(decides, running[0], f"runs on Node {node}, as {fitting[0]} does not", by=rules.FITS_NODE)
            fitting = running
        else:
            trail.warn(f"No {manager.name} that the repository admits runs on Node {node}.")
    if fitting:
        trail.note(decides, fitting[0], "the release that Draftsman pins", by=rules.MANAGER_IN_IMAGE)
        return fitting[0]
    start = EXACT.search(first[0])
    if start and nodesemver.satisfies(start.group(1), first[0], False):
        return start.group(1)
    trail.warn(f"Draftsman knows no {manager.name} that fits {show(first[0])!r}: it uses {pins[0]}.")
    return pins[0]


def _fitting(pins: tuple[str, ...], ranges: tuple[str, ...]) -> list[str]:
    return [pin for pin in pins if all(nodesemver.satisfies(pin, one, False) for one in ranges)]


def _kind(project: NodeProject, manager: NodeManager, winner: Hint | None, trail: Trail) -> NodeManager:
    """Return the manager, Yarn 1 and later ones told apart."""
    if manager is not YARN_CLASSIC:
        return manager
    # A range such as `>=1.22` admits Yarn 4, and the lock is looked at below.
    exact = winner is not None and winner.by not in (rules.ENGINES_VERSION, rules.YARN_LOCK_VERSION)
    major = re.match(r"[v^~>=]*([0-9]{1,4})", winner.text) if winner is not None and exact else None
    if major is not None:
        return YARN_BERRY if int(major.group(1)) >= 2 else YARN_CLASSIC
    if not trail.applies(rules.YARN_KIND):
        return manager
    lock = "yarn.lock" if "yarn.lock" in project.tree.paths else None
    line = line_of(project.head("yarn.lock"), "^__metadata:") if lock else None
    if line is not None or (lock is None and ".yarnrc.yml" in project.tree.paths):
        file = "yarn.lock" if line is not None else ".yarnrc.yml"
        trail.note("dependency_manager", file, "of Yarn 2 or later", file=file, line=line, by=rules.YARN_KIND)
        return YARN_BERRY
    return manager


def _hints(project: NodeProject, named: Named, workflows: Workflows) -> Iterator[Hint]:
    """Yield what names the version, strongest first."""
    name = named.manager.name
    yield from _package_json(project, name)
    if name == "yarn":
        yield from _yarn_path(project)
    if name == "bun":
        lines = (project.tree.text(".bun-version") or "").split()
        if lines:
            yield Hint(lines[0].removeprefix("bun-v"), ".bun-version", 1, "`.bun-version` names it", rules.BUN_VERSION)
    for tool in read_tool_files(project.tree, (name,)):
        yield Hint(tool.text, tool.file, tool.line, f"`{tool.file}` names it", rules.TOOL_VERSION)
    volta = table(project.manifest, "volta").get(name)
    if isinstance(volta, str):
        line = project.line("volta", name)
        yield Hint(volta, "package.json", line, f"`volta.{name}` names it", rules.TOOL_VERSION)
    if name != "npm":
        for seen in workflows.versions_of(name):
            yield Hint(seen.text, seen.file, seen.line, "the workflow sets it up", rules.WORKFLOW_MANAGER_VERSION)
        yield from _engines(project, name)
    yield from _lock_version(project, named)


def _package_json(project: NodeProject, name: str) -> Iterator[Hint]:
    field = project.manifest.get("packageManager")
    match = FIELD.fullmatch(field) if isinstance(field, str) else None
    if match and match.group(1) == name and match.group(2):
        line = project.line("packageManager")
        text = match.group(2).partition("+")[0]
        if not (_is_version(text) or re.fullmatch(r"[a-z]{1,20}", text)):
            what = f"`packageManager` {show(match.group())!r} has no version such as 'pnpm@10.4.1'."
            raise malformed("package.json", line, what)
        if _is_version(text):
            yield Hint(text, "package.json", line, "`packageManager` names it", rules.EXACT_VERSION)


def _yarn_path(project: NodeProject) -> Iterator[Hint]:
    path = table(read_yaml(project.tree, ".yarnrc.yml")).get("yarnPath")
    release = YARN_RELEASE.search(path) if isinstance(path, str) else None
    if release and isinstance(path, str):
        line = line_of(project.tree.text(".yarnrc.yml"), "^yarnPath")
        if path.removeprefix("./") in project.tree.paths:
            yield Hint(release.group(1), ".yarnrc.yml", line, "`yarnPath` keeps it in the tree", rules.YARN_PATH)
        else:
            why = "`yarnPath` names it, but the file is not in the commit"
            yield Hint(release.group(1), ".yarnrc.yml", line, why, rules.YARN_PATH_MISSING)


def yarn_path_is_missing(project: NodeProject) -> bool:
    """Return whether `yarnPath` names a file that the commit does not hold."""
    return any(hint.by is rules.YARN_PATH_MISSING for hint in _yarn_path(project))


def _engines(project: NodeProject, name: str) -> Iterator[Hint]:
    developers = table(project.manifest, "devEngines", "packageManager")
    if developers.get("name") == name and isinstance(developers.get("version"), str):
        line = project.line("devEngines", "packageManager", "version")
        why = "`devEngines.packageManager` allows it"
        yield Hint(developers["version"], "package.json", line, why, rules.ENGINES_VERSION)
    text = table(project.manifest, "engines").get(name)
    if isinstance(text, str) and text.strip():
        yield Hint(
            text, "package.json", project.line("engines", name), f"`engines.{name}` allows it", rules.ENGINES_VERSION
        )


def _lock_version(project: NodeProject, named: Named) -> Iterator[Hint]:
    if named.lock == "pnpm-lock.yaml":
        head = project.head(named.lock)
        found = PNPM_LOCK.search(head)
        majors = next((majors for start, majors in PNPM_OF_LOCK if found and found.group(1).startswith(start)), None)
        if found and majors:
            line = head.count("\n", 0, found.start(1)) + 1
            why = f"the lock of version {found.group(1)} is pnpm {majors}'s"
            yield Hint(majors, named.lock, line, why, rules.PNPM_LOCK_VERSION)
    if named.lock == "yarn.lock":
        head = project.head(named.lock)
        found = YARN_LOCK.search(head)
        if found:
            line = head.count("\n", 0, found.start(1)) + 1
            majors = YARN_OF_LOCK.get(found.group(1), ">=4.16")
            why = f"the lock of version {found.group(1)} is kept by Yarn {majors}"
            yield Hint(majors, named.lock, line, why, rules.YARN_LOCK_VERSION)


def _is_version(text: str) -> bool:
    return grammar.fits(grammar.NODE_RANGE, text) and bool(text) and nodesemver.valid_range(text, False) is not None
