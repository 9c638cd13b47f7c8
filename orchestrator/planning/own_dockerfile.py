"""Chooses the repository's own Dockerfile: the one that was set, else one that is fit to run checks in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from draftsman.domain.errors import BuildError
from draftsman.domain.plan import ProfileOverrides, Tree
from orchestrator.copied_files import Sources, read_sources, select
from orchestrator.dockerfile_lexer import Instruction, read_instructions
from orchestrator.dockerfile_rules import check_build_args, check_dockerfile
from orchestrator.dockerignore import Ignored, dockerignore_of, read_patterns
from orchestrator.planning.repo_file import Said
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail, show

CANDIDATES = (".devcontainer/Dockerfile", "Dockerfile.dev", "Dockerfile")
"""Where an own Dockerfile is looked for, the likeliest to carry development tools first."""

OWN = Rule(
    "any.dockerfile.own",
    "The repository's own Dockerfile (`.devcontainer/Dockerfile`, `Dockerfile.dev`, `Dockerfile`) is used where it is "
    "fit for checks.",
)
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
RULES = (OWN, REFUSED, NO_SHELL, TOOLCHAIN, ELSEWHERE, COPIES_TREE)

_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
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

_STAMP = "# Generated text: "


@dataclass(frozen=True, slots=True)
class OwnDockerfile:
    """A Dockerfile of the repository: its path, its text, and whether it was inferred."""

    path: str
    text: str
    inferred: bool


def given(tree: Tree, said: Said, trail: Trail) -> OwnDockerfile | None:
    """Return the Dockerfile that was set. Raises PlanError where this commit has no such file."""
    overrides = said.overrides
    path = overrides.dockerfile
    if overrides.dockerfile_mode == "generate":
        return None
    if path is None:
        if overrides.dockerfile_mode == "path":
            raise said.wrong("dockerfile", "is not set, though its dockerfile_mode is `path`")
        return None
    if path.startswith("/") or ".." in path.split("/"):
        raise said.wrong("dockerfile", f"{show(path)!r} is not in this commit: it leaves the repository")
    if path not in tree.paths:
        raise said.wrong("dockerfile", f"{show(path)!r} is not in this commit as a file (a symlink is not followed)")
    text = tree.text(path)
    if text is None or not text.strip():
        raise said.wrong("dockerfile", f"{show(path)!r} is empty, or too large to be read")
    target = overrides.dockerfile_target
    if target is not None and not _TARGET.fullmatch(target):
        raise said.wrong("dockerfile_target", f"{show(target)!r} is not the name of a stage")
    try:
        check_build_args(dict(overrides.build_args))
    except BuildError as error:
        raise said.wrong("build_args", f"cannot be used: {error}") from error
    said.note(trail, "dockerfile", path)
    return OwnDockerfile(path, text, inferred=False)


def infer(tree: Tree, overrides: ProfileOverrides, ecosystems: Iterable[str], trail: Trail) -> OwnDockerfile | None:
    """Return the first own Dockerfile that is fit for checks with these ecosystems, with why others are not."""
    if overrides.dockerfile_mode == "generate" or overrides.generated_dockerfile is not None:
        return None
    names = tuple(ecosystems)
    if not trail.applies(OWN):
        return None
    for path in (path for path in CANDIDATES if path in tree.paths):
        text = tree.text(path)
        unfit = _unfit(tree, path, text, names, trail)
        if text is not None and unfit is None:
            trail.note("dockerfile", path, "the repository's own, fit for checks", file=path, by=OWN)
            return OwnDockerfile(path, text, inferred=True)
        if unfit is not None:
            trail.note(
                "dockerfile", path, f"considered, not used: {unfit.why}", file=path, line=unfit.line, by=unfit.rule
            )
    return None


@dataclass(frozen=True, slots=True)
class _Unfit:
    rule: Rule
    why: str
    line: int | None = None


def _unfit(tree: Tree, path: str, text: str | None, ecosystems: tuple[str, ...], trail: Trail) -> _Unfit | None:
    if text is None or not text.strip():
        return _Unfit(REFUSED, "it is empty, or too large to be read")
    try:
        check_dockerfile(text, _BUILDKIT)
        instructions = read_instructions(text)
        sources = read_sources(text)
        copied = _copied(tree, path, sources)
    except BuildError as error:
        return _Unfit(REFUSED, str(error)) if trail.applies(REFUSED) else None
    found = (
        _without_shell(instructions),
        _without_toolchain(instructions, ecosystems),
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


def _without_shell(instructions: list[Instruction]) -> _Unfit | None:
    root = next((one for one in _last_stage(instructions) if one.name == "FROM"), None)
    if root is None:
        return _Unfit(NO_SHELL, "it has no FROM")
    image = root.rest.split()[0].lower() if root.rest.split() else ""
    if image == "scratch" or "distroless" in image or "chainguard" in image:
        return _Unfit(NO_SHELL, f"its last stage is {show(image, 80)}, which has no shell", root.line)
    return None


def _without_toolchain(instructions: list[Instruction], ecosystems: tuple[str, ...]) -> _Unfit | None:
    said = "\n".join(
        " ".join((*one.flags, one.rest)) for one in _last_stage(instructions) if one.name in ("FROM", "RUN", "COPY")
    ).lower()
    if not ecosystems:
        return _Unfit(TOOLCHAIN, "the plan needs no toolchain")
    for name in ecosystems:
        if not re.search(_TRACES.get(name, re.escape(name)), said):
            return _Unfit(TOOLCHAIN, f"its last stage names no {name}")
    return None


def _from_elsewhere(tree: Tree, sources: Sources) -> _Unfit | None:
    folders = {path[: at.start()] for path in tree.paths for at in re.finditer("/", path)} if sources.paths else set()
    absent = sorted(sources.paths - tree.paths - folders)
    return _Unfit(ELSEWHERE, f"it copies {show(absent[0], 80)}, which is not in the repository") if absent else None


def _of_the_tree(tree: Tree, sources: Sources, copied: list[str]) -> _Unfit | None:
    many = sources.whole_at is not None or len(copied) > _FEW
    if not many or len(copied) * 2 < len(tree.paths):
        return None
    return _Unfit(COPIES_TREE, f"it copies {len(copied)} of {len(tree.paths)} files into the image", sources.whole_at)


def stamped(text: str) -> str:
    """Return a generated Dockerfile with a line that tells what it was when it was generated."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if not line.startswith("#")), 0)
    return "\n".join(
        [*lines[:first], f"{_STAMP}{digest} (keep this line: it tells when the hints have moved on)", *lines[first:]]
    )


def warn_if_moved_on(edited: str, generated: str, trail: Trail) -> None:
    """Warn where a person edited a Dockerfile that would be generated otherwise today."""
    before, now = _stamp_of(edited), _stamp_of(generated)
    if before is not None and before != now:
        trail.warn(
            "The generated Dockerfile was edited, and what it was generated from has changed since: compare it with "
            "the one that would be generated now (delete the profile's generated_dockerfile to have that one)."
        )


def _stamp_of(text: str) -> str | None:
    found = re.search(rf"^{_STAMP}([0-9a-f]{{12}})\b", text, re.MULTILINE)
    return found[1] if found else None
