"""Which Node: the exact files first, then volta, engines, workflows, default."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nodesemver

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import Document, json_line, malformed, table, written
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import NODE, NODE_DEFAULT, Release, find
from orchestrator.planning.workflows import Workflows

EXACT = re.compile(r"v?([0-9]{1,3}(?:\.[0-9]{1,4}){0,2})")
ALIAS = re.compile(r"lts/(\*|-[0-9]{1,2}|[A-Za-z]{1,20})")
NEWEST_NAMES = ("node", "latest", "current", "stable")


def choose_node(tree: Tree, manifest: Document, workflows: Workflows, trail: Trail) -> str:
    """Return the version for the image's tag, `24` or `20.11.1`. Raises PlanError for a malformed hint."""
    candidates = [*_exact_files(tree), *_constraints(tree, manifest), *_workflow_candidate(workflows)]
    return choose("Node", candidates, NODE_DEFAULT, NODE, trail)


def read_version(text: str, file: str, line: int | None) -> str:
    """Return the tag for what stands in `.nvmrc` and its like: a version, an alias, or a range."""
    if match := EXACT.fullmatch(text):
        return match.group(1)
    if text in NEWEST_NAMES:
        return NODE[0].version
    if text == "lts":
        return next(release.version for release in NODE if release.lts)
    if match := ALIAS.fullmatch(text):
        release = _alias(match.group(1).lower())
        if release is not None:
            return release.version
    elif version := newest_in(text):
        return version
    raise malformed(file, line, f"{show(text)!r} is not a Node version. Write one such as 22 or 22.11.0.")


def newest_in(text: str) -> str | None:
    """Return the tag that a range of npm's grammar takes, or None where it is no range or nothing fits.

    The default comes first, then the newest supported long-term release, then other supported ones, then
    old ones; where no whole major fits, the minor or the exact version at which the range starts.
    """
    if not grammar.fits(grammar.NODE_RANGE, text) or nodesemver.valid_range(text, False) is None:
        return None
    ranked = sorted(NODE, key=lambda one: (one.version != NODE_DEFAULT, not one.supported, not one.lts))
    for release in ranked:
        if allows(text, release.version):
            return release.version
    for start in sorted(_starts(text), reverse=True):
        for parts in (1, 2, 3):
            version = ".".join(map(str, start[:parts]))
            if allows(text, version):
                return version
    return None


def allows(text: str, version: str) -> bool:
    """Return whether a range admits a tag; `22` stands for its newest release."""
    full = version + ".999" * (2 - version.count("."))
    return bool(nodesemver.satisfies(full, text, False))


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


def _exact_files(tree: Tree) -> Iterator[Candidate]:
    for file in (".node-version", ".nvmrc"):
        lines = [
            (number, raw.split("#")[0].strip())
            for number, raw in enumerate((tree.text(file) or "").splitlines(), start=1)
        ]
        lines = [(number, text) for number, text in lines if text]
        if len(lines) > 1:
            number, text = lines[1]
            raise malformed(
                file,
                number,
                f"{show(text)!r} stands after the version. The file should hold one version and nothing else.",
            )
        for number, text in lines:
            version = read_version(text, file, number)
            yield Candidate(version, file, number, text, f"`{file}` names it exactly")
    for hint in read_tool_files(tree, ("nodejs", "node")):
        version = read_version(hint.text, hint.file, hint.line)
        yield Candidate(version, hint.file, hint.line, hint.text, f"`{hint.file}` names it exactly")


def _constraints(tree: Tree, manifest: Document) -> Iterator[Candidate]:
    text = tree.text("package.json")
    volta = table(manifest, "volta").get("node")
    if volta is not None:
        line = json_line(text, "volta", "node")
        yield Candidate(_required(volta, line, "volta.node"), "package.json", line, str(volta), "`volta.node`")
    engines = table(manifest, "engines").get("node")
    if engines is not None:
        line = json_line(text, "engines", "node")
        version = _required(engines, line, "engines.node")
        release = find(NODE, version)
        reason = "the default" if version == NODE_DEFAULT else "the newest that fits"
        reason += " (old)" if release is not None and not release.supported else ""
        rule = f"`engines.node` allows it, {reason}"
        yield Candidate(version, "package.json", line, engines, rule, lambda other: allows(engines, other))


def _required(value: object, line: int | None, what: str) -> str:
    version = newest_in(value) if isinstance(value, str) else None
    if version is None:
        raise malformed(
            "package.json",
            line,
            f"`{what}` {written(value)!r} is not a Node version or range that any release fits, such as '>=20'.",
        )
    return version


def _workflow_candidate(workflows: Workflows) -> Iterator[Candidate]:
    """Offer the default if a workflow tests with it, else the newest long-term release that one does."""
    seen = {}
    for found in workflows.versions_of("node"):
        if EXACT.fullmatch(found.text) or grammar.fits(grammar.NODE_RANGE, found.text):
            version = newest_in(found.text)
            release = find(NODE, version) if version else None
            if release is not None:
                seen[release.version] = found
    ranked = sorted(NODE, key=lambda one: (one.version != NODE_DEFAULT, not one.lts))
    for release in ranked:
        if release.version in seen:
            found = seen[release.version]
            yield Candidate(
                release.version, found.file, found.line, found.text, "the repository's own workflow tests with it"
            )
            return
