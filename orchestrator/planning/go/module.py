"""Reads `go.mod` and `go.work`: their Go, their toolchain, what they require, and the modules of a workspace."""

from __future__ import annotations

import re
from dataclasses import dataclass

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.documents import malformed, text_of
from orchestrator.planning.trail import show

VERSION = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,3}){1,2}(?:(?:rc|beta)[0-9]{1,2})?")
TOOLCHAIN = re.compile(r"go([0-9][0-9a-z.]{0,20})(?:[-+][A-Za-z0-9_.+-]{1,60})?")
MAJOR = re.compile(r"(?:/v[0-9]{1,4}|\.v[0-9]{1,4})$")
CONFLICT = ("<<<<<<<", ">>>>>>>")
MAX_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Line:
    """A version in a go.mod or go.work, and where it stands."""

    file: str
    number: int
    version: str


@dataclass(frozen=True, slots=True)
class GoModule:
    """What `go.mod` and `go.work` at the top say. `used` are the folders of a workspace's modules, `.` among them."""

    floors: tuple[Line, ...]
    toolchains: tuple[Line, ...]
    requires: frozenset[str]
    used: tuple[str, ...]


def read_module(tree: Tree) -> GoModule:
    """Return what the two files say. Raises PlanError where one is malformed."""
    floors: list[Line] = []
    toolchains: list[Line] = []
    requires: set[str] = set()
    used: list[str] = []
    for file in ("go.work", "go.mod"):
        for number, directive, words in _statements(tree, file):
            if directive == "go":
                floors.append(Line(file, number, _version(file, number, words)))
            elif directive == "toolchain" and words[:1] != ["default"]:
                toolchains.append(Line(file, number, _toolchain(file, number, words)))
            elif directive == "require" and words:
                requires.add(MAJOR.sub("", words[0].strip('"')))
            elif directive == "use" and file == "go.work" and words:
                used.append(_folder(file, number, words[0].strip('"')))
    return GoModule(tuple(floors), tuple(toolchains), frozenset(requires), tuple(dict.fromkeys(used)))


def _statements(tree: Tree, file: str) -> list[tuple[int, str, list[str]]]:
    """Return line, directive and words of each statement; those in a block `require ( ... )` count as `require`."""
    found = []
    block = ""
    for number, raw in enumerate((text_of(tree, file) or "").splitlines()[:MAX_LINES], start=1):
        if raw.startswith(CONFLICT):
            raise malformed(file, number, "a merge conflict stands here. Resolve it.")
        words = raw.partition("//")[0].split()
        if not words:
            continue
        if block:
            block = "" if words[0] == ")" else block
            if block:
                found.append((number, block, words))
        elif words[1:] == ["("]:
            block = words[0]
        else:
            found.append((number, words[0], words[1:]))
    return found


def _version(file: str, number: int, words: list[str]) -> str:
    text = " ".join(words)
    if not VERSION.fullmatch(text):
        raise malformed(file, number, f"{show(text)!r} is not a Go version. Write one such as 1.25 or 1.25.3.")
    return text


def _toolchain(file: str, number: int, words: list[str]) -> str:
    text = " ".join(words)
    match = TOOLCHAIN.fullmatch(text)
    if match is None or not VERSION.fullmatch(match.group(1)):
        raise malformed(file, number, f"{show(text)!r} is not a Go toolchain. Write one such as go1.25.3.")
    return match.group(1)


def _folder(file: str, number: int, text: str) -> str:
    folder = text.removeprefix("./").rstrip("/") or "."
    if folder != "." and not grammar.is_tree_path(folder):
        raise malformed(file, number, f"{show(text)!r} is not a folder of this repository.")
    return folder
