"""Which Node: the exact files first, then volta and devEngines, engines, dev container, workflows, default."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nodesemver

from orchestrator.planning import grammar
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import malformed, table, written
from orchestrator.planning.node import rules
from orchestrator.planning.node.project import NodeProject
from orchestrator.planning.rule import Rule
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import NODE, NODE_DEFAULT, Release, find
from orchestrator.planning.workflows import Workflows

EXACT = re.compile(r"v?((?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,3})){0,2})")
ALIAS = re.compile(r"lts/(\*|-[0-9]{1,2}|[A-Za-z]{1,20})")
NEWEST_NAMES = ("node", "latest", "current", "stable")
EXACT_FILES = {".node-version": rules.NODE_VERSION, ".nvmrc": rules.NVMRC}
DEVCONTAINERS = (".devcontainer/devcontainer.json", ".devcontainer.json")
CONTAINER_IMAGE = re.compile(
    r'"image"\s*:\s*"[a-z0-9./-]{0,100}(?:javascript-node|typescript-node|/node|"node):(?:[0-9]{1,2}-)?([0-9]{2})\b'
)
CONTAINER_FEATURE = re.compile(
    r'features/node:[0-9]{1,2}"\s*:\s*\{\s*"version"\s*:\s*"([0-9]{1,3}(?:\.[0-9]{1,4}){0,2})"'
)


def choose_node(project: NodeProject, workflows: Workflows, floor: str, trail: Trail) -> str:
    """Return the version for the image's tag, `24` or `20.11.1`.

    `floor` is the range of Node that the package manager needs. Raises PlanError for a malformed hint.
    """
    seen = _named_by_workflows(workflows, trail)
    container = list(_container_candidate(project))
    candidates = [
        *_exact_files(project, workflows, trail),
        *_developers(project, trail),
        *_engines(project, seen, floor, trail),
        *container,
        *_workflow_candidate(seen, floor, trail),
    ]
    default = NODE_DEFAULT if allows(floor, NODE_DEFAULT) else newest_in(floor, trail) or NODE_DEFAULT
    version = choose("Node", candidates, default, NODE, trail)
    if not allows(floor, version):
        trail.warn(f"The package manager needs Node {floor}, but the files say {version}: the checks use {version}.")
    return version


def read_version(text: str, file: str, line: int | None, trail: Trail) -> str:
    """Return the tag for what stands in `.nvmrc` and its like: a version, an alias, or a range."""
    version = _version_of(text, trail)
    if version is None:
        raise malformed(file, line, f"{show(text)!r} is not a Node version. Write one such as 22 or 22.11.0.")
    return version


def _version_of(text: str, trail: Trail) -> str | None:
    if match := EXACT.fullmatch(text):
        return match.group(1)
    if text in NEWEST_NAMES:
        return NODE[0].version
    alias = ALIAS.fullmatch("lts/*" if text in ("lts", "lts/latest") else text)
    if alias and trail.applies(rules.LTS_ALIAS):
        release = _alias(alias.group(1).lower())
        return None if release is None else release.version
    return newest_in(text, trail)


def newest_in(text: str, trail: Trail, *, floor: str = "*") -> str | None:
    """Return the tag that a range of npm's grammar takes, or None where it is no range or nothing fits.

    The default comes first, then the newest supported long-term release, then other supported ones, then
    old ones; where no whole major fits, the minor or the exact version at which the range starts. `floor` is
    another range, kept where both can be.
    """
    if not _is_range(text):
        return None
    fitting = [release for release in _ranked(trail) if allows(text, release.version)]
    for release in [one for one in fitting if allows(floor, one.version)] or fitting:
        return release.version
    newest = int(NODE[0].version)
    for start in sorted(_starts(text), reverse=True):
        for parts in (1, 2, 3):
            version = ".".join(map(str, start[:parts]))
            if start[0] <= newest + 1 and allows(text, version):
                return version
    return None


def allows(text: str, version: str) -> bool:
    """Return whether a range admits a tag; `22` stands for its newest release."""
    full = version + ".999" * (2 - version.count("."))
    return bool(nodesemver.satisfies(full, text, False))


def _is_range(text: str) -> bool:
    return grammar.fits(grammar.NODE_RANGE, text) and nodesemver.valid_range(text, False) is not None


def _ranked(trail: Trail) -> list[Release]:
    even = trail.applies(rules.LTS_FIRST)
    return sorted(NODE, key=lambda one: (one.version != NODE_DEFAULT, not one.supported, even and not one.lts))


def _starts(text: str) -> list[tuple[int, int, int]]:
    """Return the versions that stand in a range, which is where it starts or ends."""
    found = re.findall(r"([0-9]{1,3})\.([0-9]{1,4}|x|\*)(?:\.([0-9]{1,4}))?|([0-9]{1,3})", text)
    return [
        (int(major or alone), int(minor) if minor.isdigit() else 0, int(patch or 0))
        for major, minor, patch, alone in found[:20]
    ]


def _alias(name: str) -> Release | None:
    longterm = [release for release in NODE if release.lts]
    if name == "*":
        return longterm[0]
    if name.startswith("-"):
        back = int(name[1:])
        return longterm[back] if back < len(longterm) else None
    return next((release for release in longterm if release.codename == name), None)


def _exact_files(project: NodeProject, workflows: Workflows, trail: Trail) -> Iterator[Candidate]:
    named = [
        seen.text
        for seen in workflows.version_files_of("node")
        if seen.text.rpartition("/")[2] in EXACT_FILES and seen.text in project.tree.contents
    ]
    for file in named[:1] if trail.applies(rules.WORKFLOW_VERSION_FILE) else []:
        yield from _exact_file(project, file, rules.WORKFLOW_VERSION_FILE, trail)
    for file, rule in EXACT_FILES.items():
        if file not in named[:1]:
            yield from _exact_file(project, file, rule, trail)
    if trail.applies(rules.TOOL_FILES):
        for hint in read_tool_files(project.tree, ("nodejs", "node")):
            version = read_version(hint.text, hint.file, hint.line, trail)
            why = f"`{hint.file}` names it exactly"
            yield Candidate(version, hint.file, hint.line, hint.text, why, by=rules.TOOL_FILES)


def _exact_file(project: NodeProject, file: str, rule: Rule, trail: Trail) -> Iterator[Candidate]:
    if not trail.applies(rule):
        return
    lines = [
        (number, raw.split("#")[0].strip())
        for number, raw in enumerate((project.tree.text(file) or "").splitlines(), start=1)
    ]
    lines = [(number, text) for number, text in lines if text]
    if len(lines) > 1:
        number, text = lines[1]
        what = f"{show(text)!r} stands after the version. The file should hold one version and nothing else."
        raise malformed(file, number, what)
    for number, text in lines:
        version = read_version(text, file, number, trail)
        reason = ", and the workflow reads it" if rule is rules.WORKFLOW_VERSION_FILE else ""
        yield Candidate(version, file, number, text, f"`{show(file)}` names it exactly{reason}", by=rule)


def _developers(project: NodeProject, trail: Trail) -> Iterator[Candidate]:
    """Offer what `volta` and `devEngines` say of the Node that developers use."""
    volta = table(project.manifest, "volta").get("node")
    if volta is not None and trail.applies(rules.VOLTA):
        line = project.line("volta", "node")
        version = _required(volta, line, "volta.node", trail)
        yield Candidate(version, "package.json", line, str(volta), "`volta.node`", by=rules.VOLTA)
    declared = table(project.manifest, "devEngines").get("runtime")
    for one in declared[:10] if isinstance(declared, list) else [declared]:
        text = one.get("version") if isinstance(one, dict) and one.get("name") == "node" else None
        if text is not None and trail.applies(rules.DEV_ENGINES):
            line = project.line("devEngines", "runtime", "version")
            version = _required(text, line, "devEngines.runtime", trail)
            why = "`devEngines.runtime` allows it"
            yield Candidate(version, "package.json", line, str(text), why, by=rules.DEV_ENGINES)


def _engines(project: NodeProject, seen: dict[str, Candidate], floor: str, trail: Trail) -> Iterator[Candidate]:
    text = table(project.manifest, "engines").get("node")
    if text is None or not trail.applies(rules.ENGINES):
        return
    line = project.line("engines", "node")
    floor = floor if trail.applies(rules.MANAGER_FLOOR) else "*"
    version = _required(text, line, "engines.node", trail, floor)
    reason, by = "the default" if version == NODE_DEFAULT else "the newest that fits", rules.ENGINES
    tested = [one for one in _ranked(trail) if one.version in seen and allows(text, one.version)]
    tested = [one for one in tested if allows(floor, one.version)]
    if tested and trail.applies(rules.ENGINES_NARROWED) and tested[0].version != version:
        version, by = tested[0].version, rules.ENGINES_NARROWED
        where = seen[version]
        reason = f"and {show(where.file)}:{where.line} tests with it"
    elif not allows(floor, version):
        version, by = _lowest(floor) or version, rules.MANAGER_FLOOR
        reason = f"but the package manager needs Node {floor}"
        yield Candidate(version, "package.json", line, text, f"`engines.node`, {reason}", by=by)
        return
    release = find(NODE, version)
    reason += " (old)" if release is not None and not release.supported else ""
    why = f"`engines.node` allows it, {reason}"
    yield Candidate(version, "package.json", line, text, why, lambda other: allows(text, other), by)


def _lowest(floor: str) -> str | None:
    return next((one.version for one in reversed(NODE) if one.lts and allows(floor, one.version)), None)


def _required(value: object, line: int | None, what: str, trail: Trail, floor: str = "*") -> str:
    version = newest_in(value, trail, floor=floor) if isinstance(value, str) else None
    if version is None and isinstance(value, str) and what != "engines.node":
        version = _version_of(value, trail)
    if version is None:
        raise malformed(
            "package.json",
            line,
            f"`{what}` {written(value)!r} is not a Node version or range that any release fits, such as '>=20'.",
        )
    return version


def _container_candidate(project: NodeProject) -> Iterator[Candidate]:
    """Offer the version of a dev container, whose JSON may hold comments."""
    for file in DEVCONTAINERS:
        text = project.tree.text(file) or ""
        match = CONTAINER_FEATURE.search(text) or CONTAINER_IMAGE.search(text)
        if match:
            line = text.count("\n", 0, match.start(1)) + 1
            why = "the dev container has it"
            yield Candidate(match.group(1), file, line, match.group(1), why, by=rules.DEVCONTAINER)
            return


def _named_by_workflows(workflows: Workflows, trail: Trail) -> dict[str, Candidate]:
    """Return the majors of the table that workflows test with, each with its place."""
    found: dict[str, Candidate] = {}
    for seen in workflows.versions_of("node"):
        version = _version_of(seen.text, trail)
        release = find(NODE, version) if version else None
        if release is not None:
            why = "the repository's own workflow tests with it"
            made = Candidate(release.version, seen.file, seen.line, seen.text, why, by=rules.WORKFLOW_VERSION)
            found.setdefault(release.version, made)
    return found


def _workflow_candidate(seen: dict[str, Candidate], floor: str, trail: Trail) -> Iterator[Candidate]:
    """Offer the default if a workflow tests with it, else the newest long-term release that one does."""
    ranked = sorted(_ranked(trail), key=lambda one: not allows(floor, one.version))
    yield from [seen[release.version] for release in ranked if release.version in seen][:1]
