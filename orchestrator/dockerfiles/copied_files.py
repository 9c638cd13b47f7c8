"""Which files of a commit a Dockerfile can see: what its COPY, ADD and bind mounts name. Pure.

Where that cannot be told before the build (a variable that a base image may set, a symlink on the way), it is the
whole tree: an image may then be built more often than it must, and never from files that its key does not cover.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from orchestrator.dockerfiles.dockerignore import Ignored
from orchestrator.dockerfiles.glob import Wildcards, translate
from orchestrator.dockerfiles.lexer import Instruction, read_instructions, triggered
from orchestrator.dockerfiles.words import UNKNOWN, expand, read_fields, read_json, read_pairs

_BETWEEN = re.compile(r"[\t\v\f\r ]+")
_MOST_PATTERNS = 200
_MOST_COMPARISONS = 5_000_000


@dataclass(frozen=True, slots=True)
class Sources:
    """What a Dockerfile takes from its context.

    `paths` are files and folders, `patterns` have wildcards, `whole_at` is the line that takes the whole tree, or
    may do so.
    """

    paths: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    whole_at: int | None = None

    def __bool__(self) -> bool:
        return bool(self.paths or self.patterns or self.whole_at)


def read_sources(dockerfile: str, *, given: Collection[str] = ()) -> Sources:
    """Return what the Dockerfile takes from its context; `given` are files that are there whatever the tree holds.

    Raises BuildError where the Dockerfile cannot be read.
    """
    reader = _Reader()
    paths: set[str] = set()
    patterns: dict[str, None] = {}
    for instruction in read_instructions(dockerfile):
        for word in reader.read(instruction):
            source = "" if UNKNOWN in word else posixpath.normpath(f"/{word}").lstrip("/")
            if not source:
                return Sources(whole_at=instruction.line)
            if any(sign in source for sign in "*?[\\"):
                if _takes_all(source) or len(patterns) >= _MOST_PATTERNS:
                    return Sources(whole_at=instruction.line)
                patterns[source] = None
            elif source not in given:
                paths.add(source)
    return Sources(frozenset(paths), tuple(patterns))


def _takes_all(pattern: str) -> bool:
    """Return whether a pattern begins with what any name at the top fits, or cannot be read."""
    return translate(pattern) is None or pattern.partition("/")[0].strip("*") == ""


class _Reader:
    """Follows the variables of each stage, as far as the Dockerfile itself fixes their values."""

    def __init__(self) -> None:
        self._stages: dict[str, dict[str, str]] = {}
        self._env: dict[str, str] = {}

    def read(self, instruction: Instruction) -> Iterator[str]:
        """Yield the sources of one instruction, with UNKNOWN in those that cannot be told."""
        if instruction.name == "FROM":
            words = instruction.rest.split()
            self._env = dict(self._stages.get(words[0].lower(), {})) if words else {}
            if len(words) >= 3 and words[1].lower() == "as":
                self._stages[words[2].lower()] = self._env
        elif instruction.name == "ENV":
            for name, value in read_pairs(instruction.rest, instruction.escape, self._look_up):
                self._env[name] = value or ""
        elif instruction.name == "ONBUILD":
            yield from _sources(triggered(instruction), lambda _: UNKNOWN)
        else:
            yield from _sources(instruction, self._look_up)

    def _look_up(self, name: str) -> str:
        return self._env.get(name, UNKNOWN)


def _sources(instruction: Instruction, look_up: Callable[[str], str]) -> Iterator[str]:
    if instruction.name in ("COPY", "ADD"):
        if any(flag.lower().startswith("--from=") for flag in instruction.flags):
            return
        words = read_json(instruction.rest) or _BETWEEN.split(instruction.rest)
        for word in words[:-1]:
            if not word.startswith("<<"):
                yield expand(word, instruction.escape, look_up)
    elif instruction.name == "RUN":
        for flag in instruction.flags:
            if flag.lower().startswith("--mount="):
                yield from _mounted(flag[len("--mount=") :])


def _mounted(mount: str) -> Iterator[str]:
    """Yield what a mount shows of the context: `bind` is the kind where none is named, the whole tree its source."""
    fields = [field.partition("=") for field in read_fields(mount)]
    values = {name.strip().lower(): value for name, _, value in fields}
    if values.get("type", "bind").lower() != "bind" or values.get("from"):
        return
    source = values.get("source", values.get("src", ""))
    yield UNKNOWN if "$" in source or '"' in mount else source


def takes_from_context(instruction: Instruction) -> bool:
    """Return whether an instruction takes anything from the context."""
    return next(_sources(instruction, lambda _: UNKNOWN), None) is not None


def select(sources: Sources, paths: Iterable[str], links: Iterable[str], ignored: Ignored) -> list[str]:
    """Return those of the paths that a build with these sources can see. `links` are the symlinks among them."""
    if not sources:
        return []
    every = list(paths)
    if sources.whole_at is None:
        finder = _Finder(sources)
        many = len(every) * len(sources.patterns) > _MOST_COMPARISONS
        if not many and not any(map(finder.passes, links)):
            every = [path for path in every if finder.finds(path)]
    return [path for path in every if not ignored.hides(path)]


class _Finder:
    def __init__(self, sources: Sources) -> None:
        self._paths = sources.paths
        self._ways = {way for path in sources.paths for way in _with_folders(path)}
        self._patterns = [_Parts(pattern) for pattern in sources.patterns]

    def finds(self, path: str) -> bool:
        """Return whether the path is one of the sources, or in one of them."""
        return any(way in self._paths for way in _with_folders(path)) or any(
            pattern.finds(path) for pattern in self._patterns
        )

    def passes(self, link: str) -> bool:
        """Return whether the way to a source may lead over this symlink. Inside of a source it is copied as it is."""
        return link in self._ways or any(pattern.passes(link) for pattern in self._patterns)


def _with_folders(path: str) -> list[str]:
    """Return the path and all folders above it."""
    parts = path.split("/")
    return ["/".join(parts[: end + 1]) for end in range(min(len(parts), 200))] + [path]


class _Parts:
    """A pattern, folder by folder: of `a*/b` the ways are `a*` and `a*/b`. From `**` on, everything is found."""

    def __init__(self, pattern: str) -> None:
        parts = pattern.split("/")
        open_at = next((at for at, part in enumerate(parts) if "**" in part), len(parts))
        kept = parts[:open_at]
        self._depth = len(kept)
        self._ways: list[Wildcards | None] = [translate("/".join(kept[: end + 1])) for end in range(self._depth)]

    def _fits(self, path: str, depth: int) -> bool:
        way = self._ways[depth - 1] if depth else None
        return way is None or way.fullmatch(path)

    def finds(self, path: str) -> bool:
        parts = path.split("/", self._depth)
        return len(parts) >= self._depth and self._fits("/".join(parts[: self._depth]), self._depth)

    def passes(self, link: str) -> bool:
        depth = link.count("/") + 1
        return depth <= self._depth and self._fits(link, depth)
