"""Which Rust: the toolchain file, tool files, the versions that workflows set up, the floor, the default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from draftsman.domain.plan import Tree
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import Document, malformed, read_toml, strings, table, toml_line, written
from orchestrator.planning.rule import Rule
from orchestrator.planning.rust import rules
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import AS_OF, RUST, RUST_DEFAULT, Release
from orchestrator.planning.workflows import Seen, Workflows

NUMBER = re.compile(r"1\.[0-9]{1,3}(?:\.[0-9]{1,2})?")
CHANNEL = re.compile(r"(stable|1\.[0-9]{1,3}(?:\.[0-9]{1,2})?|(?:nightly|beta)(?:-20[0-9]{2}-[0-9]{2}-[0-9]{2})?)")
HOST = re.compile(r"-(?:x86_64|aarch64|i686)-[a-z0-9-]{3,40}$")
COMPONENT = re.compile(r"[a-z][a-z0-9-]{1,40}")
TARGET = re.compile(r"[a-z0-9][a-z0-9_.-]{3,60}")
TOOLCHAIN_FILES = ("rust-toolchain.toml", "rust-toolchain")
EDITIONS = {"2015": "1.0", "2018": "1.31", "2021": "1.56", "2024": "1.85"}
"""The Rust that brought each edition. Source: https://doc.rust-lang.org/edition-guide/."""

# A Rust gets fixes until the next one, six weeks later: to call every pin unsupported would say nothing, so that only
# a pin whose fixes ended two years before the table was made is called old.
KNOWN = tuple(
    replace(release, end_of_life=date.max) if release.end_of_life + timedelta(days=2 * 365) >= AS_OF else release
    for release in RUST
)


@dataclass(frozen=True, slots=True)
class ToolchainFile:
    """What the toolchain file says, empty where there is none. `channel` is None where it names only components."""

    file: str | None = None
    line: int | None = None
    channel: str | None = None
    components: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def read_toolchain_file(tree: Tree, trail: Trail) -> ToolchainFile:
    """Return what `rust-toolchain.toml`, or the older `rust-toolchain`, says. Raises PlanError where malformed."""
    file = next((path for path in TOOLCHAIN_FILES if path in tree.paths), None)
    if file is None or not trail.applies(rules.TOOLCHAIN_FILE):
        return ToolchainFile()
    text = (tree.text(file) or "").strip()
    if file == "rust-toolchain" and "[" not in text:
        return ToolchainFile(file, 1, _channel(text, file, 1))
    said = table(read_toml(tree, file), "toolchain")
    line = toml_line(tree.text(file), "toolchain", "channel")
    if "path" in said:
        what = "a toolchain at a path is not in the repository. Name a channel, or a Dockerfile in the profile."
        raise malformed(file, toml_line(tree.text(file), "toolchain", "path"), what)
    channel = said.get("channel")
    return ToolchainFile(
        file,
        line,
        None if channel is None else _channel(channel, file, line),
        tuple(filter(COMPONENT.fullmatch, strings(said.get("components")))),
        tuple(filter(TARGET.fullmatch, strings(said.get("targets")))),
    )


def choose_rust(tree: Tree, manifest: Document, toolchain: ToolchainFile, workflows: Workflows, trail: Trail) -> str:
    """Return the version for the image's tag, or a channel such as `nightly-2026-01-31`. Raises PlanError."""
    floors = list(_floors(tree, manifest, trail))
    candidates = [
        *_toolchain_candidate(toolchain),
        *_tool_files(tree, trail),
        *_workflow_candidate(workflows, floors, trail),
        *floors,
    ]
    channels = [one.version for one in candidates if not NUMBER.fullmatch(one.version)]
    known = (*KNOWN, *(Release(channel, date.max) for channel in channels))
    return choose("Rust", candidates, RUST_DEFAULT, known, trail)


def _channel(text: object, file: str, line: int | None) -> str:
    """Return `1.85`, `1.85.1`, or a channel; `stable` is the default."""
    match = CHANNEL.fullmatch(HOST.sub("", text)) if isinstance(text, str) and len(text) < 100 else None
    if match is None:
        what = f"{written(text)!r} is not a Rust toolchain. Write one such as 1.90, stable or nightly-2026-01-31."
        raise malformed(file, line, what)
    return RUST_DEFAULT if match.group(1) == "stable" else match.group(1)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _enough(version: str, floor: str) -> bool:
    """Return whether a tag (`1.90` stands for its newest patch release) or a channel is not below a floor."""
    if not NUMBER.fullmatch(version):
        return True
    return (*_order(version), 99)[:3] >= _order(floor)


def _toolchain_candidate(toolchain: ToolchainFile) -> Iterator[Candidate]:
    if toolchain.file is not None and toolchain.channel is not None:
        rule = f"`{toolchain.file}` names it"
        yield Candidate(
            toolchain.channel, toolchain.file, toolchain.line, toolchain.channel, rule, by=rules.TOOLCHAIN_FILE
        )


def _tool_files(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    if trail.applies(rules.TOOL_FILES):
        for hint in read_tool_files(tree, ("rust",)):
            version = _channel(hint.text, hint.file, hint.line)
            rule = f"`{hint.file}` names it exactly"
            yield Candidate(version, hint.file, hint.line, hint.text, rule, by=rules.TOOL_FILES)


def _workflow_candidate(workflows: Workflows, floors: list[Candidate], trail: Trail) -> Iterator[Candidate]:
    """Offer stable where a workflow sets it up: the numbers beside it are floors that are tested as well."""
    seen: dict[str, Seen] = {}
    for found in workflows.versions_of("rust"):
        match = CHANNEL.fullmatch(found.text)
        version = RUST_DEFAULT if match and match.group(1) == "stable" else found.text
        if match and all(_enough(version, floor.value) for floor in floors if floor.by is rules.FLOOR):
            seen.setdefault(version, found)
    numbers = sorted((one for one in seen if NUMBER.fullmatch(one)), key=_order, reverse=True)
    for version in (RUST_DEFAULT, *numbers, *seen):
        if version in seen:
            found = seen[version]
            rule = "the repository's own workflow sets it up"
            yield Candidate(version, found.file, found.line, found.text, rule, by=rules.WORKFLOW_VERSION)
            return


def _floors(tree: Tree, manifest: Document, trail: Trail) -> Iterator[Candidate]:
    text = tree.text("Cargo.toml")
    for section in ("package", "workspace.package"):
        said = table(manifest, *section.split("."))
        floor = said.get("rust-version")
        if isinstance(floor, dict) or floor is None or not trail.applies(rules.FLOOR):
            continue
        line = toml_line(text, section, "rust-version")
        if not isinstance(floor, str) or not NUMBER.fullmatch(floor):
            what = f"`rust-version` {written(floor)!r} is not a Rust version. Write one such as 1.90."
            raise malformed("Cargo.toml", line, what)
        yield _floor(floor, line, floor, "`rust-version`", rules.FLOOR)
    for section in ("package", "workspace.package"):
        edition = table(manifest, *section.split(".")).get("edition")
        if isinstance(edition, dict) or edition is None or not trail.applies(rules.EDITION):
            continue
        line = toml_line(text, section, "edition")
        if edition not in EDITIONS:
            what = f"`edition` {written(edition)!r} is none of {', '.join(EDITIONS)}."
            raise malformed("Cargo.toml", line, what)
        yield _floor(EDITIONS[edition], line, edition, "`edition`", rules.EDITION)


def _floor(floor: str, line: int | None, value: str, what: str, by: Rule) -> Candidate:
    fitting = [release.version for release in reversed(RUST) if _enough(release.version, floor)]
    version = next((one for one in (RUST_DEFAULT, *fitting) if _enough(one, floor)), floor)
    reason = "a floor, and the default is not below it" if version == RUST_DEFAULT else "the first that is enough"
    return Candidate(version, "Cargo.toml", line, value, f"{what}: {reason}", lambda one: _enough(one, floor), by=by)


def is_channel(version: str) -> bool:
    """Return whether this is beta or nightly rather than a release."""
    return not NUMBER.fullmatch(version)


def note_channel(version: str, trail: Trail) -> None:
    """Say what a channel without an image means."""
    trail.note(
        "image", show(version), f"no official image has it: rustup installs it on Rust {RUST_DEFAULT}", by=rules.NIGHTLY
    )
    if "-20" not in version:
        trail.warn(
            f"Rust {version} is whatever was the newest when the image was built: checks may turn red without a "
            "change. Name a date, such as nightly-2026-01-31, to keep it."
        )
