"""Whether a Dockerfile of the repository is fit to run checks in: its rules, and the base of its last stage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from draftsman.domain.errors import BuildError
from draftsman.domain.plan import Tree
from orchestrator.dockerfiles.copied_files import Sources, read_sources, select
from orchestrator.dockerfiles.dockerignore import Ignored, dockerignore_of, read_patterns
from orchestrator.dockerfiles.lexer import Instruction, read_instructions
from orchestrator.dockerfiles.rules import check_dockerfile
from orchestrator.dockerfiles.words import UNKNOWN, expand, read_pairs
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail, show

REFUSED = Rule("any.dockerfile.refused", "A Dockerfile that may not be built here is not used.")
NO_SHELL = Rule("any.dockerfile.no-shell", "A Dockerfile that ends in scratch or a distroless image is not used.")
TOOLCHAIN = Rule(
    "any.dockerfile.toolchain", "A Dockerfile is used only where its last stage names every toolchain of the plan."
)
ELSEWHERE = Rule(
    "any.dockerfile.elsewhere", "A Dockerfile that copies what is not in the repository is built elsewhere: not used."
)
COPIES_TREE = Rule(
    "any.dockerfile.copies-tree",
    "A Dockerfile that copies the tree, or half of its files, is not used: every commit would be another image.",
)
OTHER_VERSION = Rule(
    "any.dockerfile.other-version",
    "A Dockerfile whose base is another version than the one that a file names exactly is not used.",
)
UNTESTED_VERSION = Rule(
    "any.dockerfile.untested-version",
    "A Dockerfile whose base is none of the versions that the workflows test with is not used.",
)
PRODUCTION = Rule(
    "any.dockerfile.production",
    "A Dockerfile that sets up production (NODE_ENV, RAILS_ENV, no development dependencies) is not used.",
)
RULES = (REFUSED, NO_SHELL, TOOLCHAIN, OTHER_VERSION, UNTESTED_VERSION, PRODUCTION, ELSEWHERE, COPIES_TREE)

_TRACES = {
    "python": r"python|pypy|conda|\buv\b",
    "node": r"node|nvm|javascript|typescript|\bbun\b|oven/bun",
    "bun": r"\bbun\b|oven/bun",
    "ruby": r"ruby|rbenv",
    "go": r"golang|\bgo\b|go\.dev",
    "rust": r"rust|cargo",
}
"""What a stage that carries a toolchain says somewhere: in the name of its base, in what it copies or installs."""

_FEW = 10
"""Files that a Dockerfile may copy, however small the repository is."""

_IMAGES = {"python": "python", "node": "node", "bun": "oven/bun", "ruby": "ruby", "go": "golang", "rust": "rust"}
"""The official images."""

_PRODUCTION = re.compile(
    r"\b(?:NODE_ENV|RAILS_ENV|RACK_ENV|APP_ENV|FLASK_ENV|BUN_ENV)[= ][\"']?production\b"
    r"|\bBUNDLE_WITHOUT\b|\bBUNDLE_DEPLOYMENT\b|--omit[= ]dev\b|--production\b|--prod\b|--no-dev\b"
    r"|--only[= ]main\b|--without[= ][a-z,]*(?:dev|test)\b"
)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a Dockerfile is not used, and the line that says so."""

    rule: Rule
    why: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of an ecosystem that a Dockerfile may have: the one that a file names exactly, else those that the
    workflows test with; any where neither says so.
    """

    exact: str | None = None
    tested: tuple[str, ...] = ()


def unfit(tree: Tree, path: str, versions: Mapping[str, Versions], trail: Trail) -> Unfit | None:
    """Return why the Dockerfile at `path` is not fit for checks, or None where it is.

    `versions` has the ecosystems of the plan.
    """
    text = tree.text(path)
    if text is None or not text.strip():
        return Unfit(REFUSED, "it is empty, or too large to be read")
    try:
        check_dockerfile(text, _BUILDKIT)
        instructions = read_instructions(text)
        sources = read_sources(text)
        copied = _copied(tree, path, sources)
    except BuildError as error:
        return Unfit(REFUSED, str(error)) if trail.applies(REFUSED) else None
    found = (
        _without_shell(instructions),
        _without_toolchain(instructions, tuple(versions)),
        _of_other_version(instructions, versions),
        _of_untested_version(instructions, versions),
        _for_production(instructions),
        _from_elsewhere(tree, sources),
        _of_the_tree(tree, sources, copied),
    )
    return next((one for one in found if one is not None and trail.applies(one.rule)), None)


_BUILDKIT = {f"{side}{part}": "" for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH")}


def _copied(tree: Tree, path: str, sources: Sources) -> list[str]:
    name = dockerignore_of(path, tree.paths)
    text = (tree.text(name) if name else None) or ""
    return select(sources, tree.paths, (), Ignored(read_patterns(text, file=name or "")))


def _last_stage(instructions: list[Instruction]) -> list[Instruction]:
    """Return the instructions that make the last stage: its own, and those of the stages that it builds on."""
    stages: list[list[Instruction]] = []
    names: dict[str, int] = {}
    for instruction in instructions:
        if instruction.name == "FROM":
            words = instruction.rest.split()
            parent = names.get(words[0].lower()) if words else None
            stages.append([*(stages[parent] if parent is not None else ()), instruction])
            if len(words) >= 3:
                names[words[2].lower()] = len(stages) - 1
        elif stages:
            stages[-1].append(instruction)
    return stages[-1] if stages else []


def _without_shell(instructions: list[Instruction]) -> Unfit | None:
    root = next((one for one in _last_stage(instructions) if one.name == "FROM"), None)
    if root is None:
        return Unfit(NO_SHELL, "it has no FROM")
    image = root.rest.split()[0].lower() if root.rest.split() else ""
    if image == "scratch" or "distroless" in image or "chainguard" in image:
        return Unfit(NO_SHELL, f"its last stage is {show(image, 80)}, which has no shell", root.line)
    return None


def _without_toolchain(instructions: list[Instruction], ecosystems: tuple[str, ...]) -> Unfit | None:
    said = "\n".join(
        " ".join((*one.flags, one.rest)) for one in _last_stage(instructions) if one.name in ("FROM", "RUN", "COPY")
    ).lower()
    if not ecosystems:
        return Unfit(TOOLCHAIN, "the plan needs no toolchain")
    for name in ecosystems:
        if not re.search(_TRACES.get(name, re.escape(name)), said):
            return Unfit(TOOLCHAIN, f"its last stage names no {name}")
    return None


def _from_elsewhere(tree: Tree, sources: Sources) -> Unfit | None:
    folders = {path[: at.start()] for path in tree.paths for at in re.finditer("/", path)} if sources.paths else set()
    absent = sorted(sources.paths - tree.paths - folders)
    return Unfit(ELSEWHERE, f"it copies {show(absent[0], 80)}, which is not in the repository") if absent else None


def _of_the_tree(tree: Tree, sources: Sources, copied: list[str]) -> Unfit | None:
    many = sources.whole_at is not None or len(copied) > _FEW
    if not many or len(copied) * 2 < len(tree.paths):
        return None
    return Unfit(COPIES_TREE, f"it copies {len(copied)} of {len(tree.paths)} files into the image", sources.whole_at)


def base_of(text: str) -> str | None:
    """Return the image that the last stage starts from, or None where that cannot be told."""
    try:
        return _root_image(read_instructions(text))
    except BuildError:
        return None


def version_in(image: str | None, ecosystem: str) -> str | None:
    """Return the version in the tag of a language's official image (`python:3.12-slim`), or None."""
    name = re.escape(_IMAGES.get(ecosystem, ecosystem))
    found = re.search(rf"(?:^|/){name}:v?(\d+(?:\.\d+){{0,2}})(?![\d.])", image or "")
    return found[1] if found else None


def _root_image(instructions: list[Instruction]) -> str | None:
    """Return the image below the last stage, with the defaults of the file's arguments put in."""
    known: dict[str, str] = {}
    for instruction in instructions:
        if instruction.name == "FROM":
            break
        if instruction.name == "ARG":
            pairs = read_pairs(instruction.rest, instruction.escape, known.get)
            known |= {name: value for name, value in pairs if value is not None}
    root = next((one for one in _last_stage(instructions) if one.name == "FROM"), None)
    words = root.rest.split() if root is not None else []
    image = expand(words[0], root.escape, known.get) if root is not None and words else ""
    return image.lower() if image and UNKNOWN not in image else None


def _of_other_version(instructions: list[Instruction], versions: Mapping[str, Versions]) -> Unfit | None:
    image = _root_image(instructions)
    for ecosystem, may in versions.items():
        found = version_in(image, ecosystem)
        if may.exact is not None and found is not None and not _agree(ecosystem, found, may.exact):
            why = f"its base {show(image or '', 80)} is not {ecosystem} {may.exact}, which the repository names"
            return Unfit(OTHER_VERSION, why)
    return None


def _of_untested_version(instructions: list[Instruction], versions: Mapping[str, Versions]) -> Unfit | None:
    image = _root_image(instructions)
    for ecosystem, may in versions.items():
        found = version_in(image, ecosystem)
        if may.exact is not None or found is None or not may.tested:
            continue
        if not any(_agree(ecosystem, found, one) for one in may.tested):
            tested = ", ".join(may.tested)
            why = f"its base {show(image or '', 80)} is no {ecosystem} that the workflows test with ({tested})"
            return Unfit(UNTESTED_VERSION, why)
    return None


def _agree(ecosystem: str, found: str, wanted: str) -> bool:
    """Return whether two versions are the same as far as both say, to the major of Node and the minor of others."""
    shared = min(len(wanted.split(".")), len(found.split(".")), 1 if ecosystem == "node" else 2)
    return wanted.split(".")[:shared] == found.split(".")[:shared]


def _for_production(instructions: list[Instruction]) -> Unfit | None:
    for one in _last_stage(instructions):
        found = _PRODUCTION.search(one.rest) if one.name in ("ENV", "ARG", "RUN") else None
        if found is not None:
            return Unfit(PRODUCTION, f"it sets up production (`{show(found[0], 60)}`)", one.line)
    return None
