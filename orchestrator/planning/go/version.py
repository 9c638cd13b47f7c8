"""Which Go: exact files, the toolchain line, the versions that workflows test with, the floor, the default."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nodesemver

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import malformed
from orchestrator.planning.go import rules
from orchestrator.planning.go.module import VERSION, GoModule
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import GO, GO_DEFAULT
from orchestrator.planning.workflows import Seen, Workflows

BOOKWORM_SINCE = (1, 21)
"""Releases before it have no image on Debian 12 for all of their patch levels; theirs has no suite in its name."""


def choose_go(tree: Tree, module: GoModule, workflows: Workflows, trail: Trail) -> str:
    """Return the version for the image's tag, `1.26` or `1.24.3`. Raises PlanError for a malformed hint."""
    candidates = [
        *_version_file(tree, trail),
        *_tool_files(tree),
        *_toolchains(module),
        *_workflow_file(workflows, module),
        *_workflow_candidate(workflows, module),
        *_floors(module),
    ]
    return choose("Go", candidates, GO_DEFAULT, GO, trail)


def image_of(version: str) -> str:
    """Return the official image of a version."""
    return f"golang:{version}-bookworm" if _order(version) >= BOOKWORM_SINCE else f"golang:{version}"


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version.partition("rc")[0].partition("beta")[0]))


def _enough(version: str, floor: str) -> bool:
    """Return whether a tag (`1.26` stands for its newest patch release) is not below a floor."""
    full = _order(version)
    return (*full, 999)[:3] >= _order(floor)


def _exact(text: str, file: str, line: int) -> str:
    version = text.removeprefix("go")
    if not VERSION.fullmatch(version):
        raise malformed(file, line, f"{show(text)!r} is not a Go version. Write one such as 1.25 or 1.25.3.")
    return version


def _version_file(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    if not trail.applies(rules.GO_VERSION_FILE):
        return
    for number, raw in enumerate((tree.text(".go-version") or "").splitlines(), start=1):
        text = raw.partition("#")[0].strip()
        if text:
            version = _exact(text, ".go-version", number)
            rule = "`.go-version` names it exactly"
            yield Candidate(version, ".go-version", number, text, rule, by=rules.GO_VERSION_FILE)
            return


def _tool_files(tree: Tree) -> Iterator[Candidate]:
    for hint in read_tool_files(tree, ("golang", "go")):
        version = _exact(hint.text, hint.file, hint.line)
        rule = f"`{hint.file}` names it exactly"
        yield Candidate(version, hint.file, hint.line, hint.text, rule, by=rules.TOOL_FILES)


def _toolchains(module: GoModule) -> Iterator[Candidate]:
    for line in module.toolchains:
        rule = "the `toolchain` line names it exactly"
        yield Candidate(line.version, line.file, line.number, f"go{line.version}", rule, by=rules.TOOLCHAIN)


def _workflow_file(workflows: Workflows, module: GoModule) -> Iterator[Candidate]:
    for seen in workflows.version_files_of("go"):
        for line in module.floors:
            if line.file == seen.text:
                version = ".".join(map(str, _order(line.version)[:2]))
                rule = f"{seen.file}:{seen.line} reads its Go from it"
                yield Candidate(version, line.file, line.number, f"go {line.version}", rule, by=rules.WORKFLOW_FILE)
                return


def _workflow_candidate(workflows: Workflows, module: GoModule) -> Iterator[Candidate]:
    seen: dict[str, Seen] = {}
    for found in workflows.versions_of("go"):
        version = _tested(found.text)
        if version and all(_enough(version, line.version) for line in module.floors):
            seen.setdefault(version, found)
    for version in (GO_DEFAULT, *sorted(seen, key=_order, reverse=True)):
        if version in seen:
            found = seen[version]
            rule = "the repository's own workflow tests with it"
            yield Candidate(version, found.file, found.line, found.text, rule, by=rules.WORKFLOW_VERSION)
            return


def _tested(text: str) -> str | None:
    """Return the tag for what stands in `go-version`: a version, `stable`, `oldstable`, or a range; else None."""
    names = {"stable": GO[0].version, "oldstable": GO[1].version}
    plain = text.removesuffix(".x")
    if text in names or VERSION.fullmatch(plain):
        return names.get(text, plain)
    if not grammar.fits(grammar.NODE_RANGE, text) or nodesemver.valid_range(text, False) is None:
        return None
    ranked = sorted(GO, key=lambda one: (one.version != GO_DEFAULT, not one.supported))
    return next((one.version for one in ranked if nodesemver.satisfies(f"{one.version}.999", text, False)), None)


def _floors(module: GoModule) -> Iterator[Candidate]:
    highest = sorted(module.floors, key=lambda line: _order(line.version), reverse=True)
    for line in highest:
        floor = line.version
        ranked = [GO_DEFAULT, *(release.version for release in reversed(GO) if _enough(release.version, floor))]
        version = next((one for one in ranked if _enough(one, floor)), floor)
        reason = "a floor, and the default is not below it" if version == GO_DEFAULT else "the first that is enough"

        def allows(other: str, floor: str = floor) -> bool:
            return _enough(other, floor)

        yield Candidate(version, line.file, line.number, f"go {floor}", f"the `go` line: {reason}", allows, rules.FLOOR)
