"""Reads the lists of repositories: which ones at which commits, and what is right for a plan of each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

LIST = Path(__file__).parent / "repositories.toml"
LISTS = {"first": LIST, "second": Path(__file__).parent / "second.toml"}

Part = Literal["toolchain", "commands", "lint"]
PARTS: tuple[Part, ...] = ("toolchain", "commands", "lint")
"""What the percentages are of: ecosystems, versions and manager; setup and tests; lint and types."""

_HOOKS = "hooks"
_KNOWN = {
    "name",
    "sha",
    "why",
    "note",
    "ecosystems",
    "may",
    "manager",
    "versions",
    "setup",
    "tests",
    "lint",
    "unjudged",
}
_KNOWN_IN_ITEM = {"is", "any", "hook", "anywhere", "never", "quote"}
_SHA = re.compile(r"[0-9a-f]{40}")


class ListError(Exception):
    """The list is malformed. `str()` says where."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A line of the repository that an expected value comes from. `text` is the beginning of it."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Item:
    """A command that must be there (any of `patterns` is found), or must not (`forbidden`)."""

    label: str
    patterns: tuple[re.Pattern[str], ...]
    quote: Quote
    forbidden: bool = False
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Versions:
    """Acceptable versions of an ecosystem: `3.12`, `3.10..3.14`, `>=1.88`, or a word."""

    ecosystem: str
    accepts: tuple[str, ...]
    quote: Quote


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is right for the plan of a repository at one commit."""

    name: str
    sha: str
    why: str
    ecosystems: tuple[str, ...]
    may: tuple[str, ...]
    managers: tuple[str, ...]
    manager_quote: Quote
    versions: tuple[Versions, ...]
    setup: tuple[Item, ...]
    tests: tuple[Item, ...]
    lint: tuple[Item, ...]
    note: str = ""
    unjudged: Mapping[Part, str] = field(default_factory=dict)

    @property
    def quotes(self) -> Iterator[Quote]:
        """Yield every quoted line."""
        yield self.manager_quote
        yield from (one.quote for one in self.versions)
        yield from (one.quote for one in (*self.setup, *self.tests, *self.lint))


def read(file: Path = LIST) -> list[Expectation]:
    """Return a list in its order. Without equivalents of its own it is judged by those of the first one.

    Raises ListError where an entry is not of the form that `repositories.toml` describes.
    """
    document = tomllib.loads(file.read_text("utf-8"))
    spelled = document.get("equivalents") or tomllib.loads(LIST.read_text("utf-8"))["equivalents"]
    equivalents = {name: tuple(_compile(pattern, name) for pattern in patterns) for name, patterns in spelled.items()}
    return [_expectation(entry, equivalents) for entry in document["repository"]]


def _expectation(entry: dict[str, Any], equivalents: Mapping[str, tuple[re.Pattern[str], ...]]) -> Expectation:
    name = entry.get("name", "?")
    if unknown := entry.keys() - _KNOWN:
        raise ListError(f"{name}: unknown keys {sorted(unknown)}")
    if not _SHA.fullmatch(entry["sha"]):
        raise ListError(f"{name}: the sha is not a full one")
    unjudged = entry.get("unjudged", {})
    if unknown := unjudged.keys() - set(PARTS):
        raise ListError(f"{name}: unjudged names no part: {sorted(unknown)}")
    items = {
        key: tuple(_item(item, equivalents, f"{name}, {key}") for item in entry.get(key, []))
        for key in ("setup", "tests", "lint")
    }
    if "commands" not in unjudged and not items["tests"]:
        raise ListError(f"{name}: no tests are expected, and no reason is given")
    if ("lint" in unjudged) == bool(items["lint"]):
        raise ListError(f"{name}: lint is either expected or unjudged with a reason")
    versions = tuple(
        Versions(one["ecosystem"], tuple(one["accepts"]), _quote(one["quote"], name)) for one in entry["versions"]
    )
    if missing := set(entry["ecosystems"]) - {one.ecosystem for one in versions}:
        raise ListError(f"{name}: no versions for {sorted(missing)}")
    return Expectation(
        name=name,
        sha=entry["sha"],
        why=entry["why"],
        ecosystems=tuple(entry["ecosystems"]),
        may=tuple(entry.get("may", ())),
        managers=tuple(entry["manager"]["accepts"]),
        manager_quote=_quote(entry["manager"]["quote"], name),
        versions=versions,
        note=entry.get("note", ""),
        unjudged=unjudged,
        **items,
    )


def _item(entry: dict[str, Any], equivalents: Mapping[str, tuple[re.Pattern[str], ...]], where: str) -> Item:
    if unknown := entry.keys() - _KNOWN_IN_ITEM:
        raise ListError(f"{where}: unknown keys {sorted(unknown)}")
    quote = _quote(entry["quote"], where)
    if "never" in entry:
        never = entry["never"]
        return Item(f"never /{never}/", (_compile(never, where),), quote, forbidden=True)
    names = entry.get("is", [])
    if unknown := set(names) - equivalents.keys():
        raise ListError(f"{where}: no equivalents called {sorted(unknown)}")
    own = entry.get("any", [])
    hooks = [_HOOKS] if entry.get("hook") else []
    patterns = [pattern for name in (*names, *hooks) for pattern in equivalents[name]]
    patterns += [_compile(pattern, where) for pattern in own]
    if not patterns:
        raise ListError(f"{where}: an item without a pattern")
    label = " or ".join([*names, *(f"/{pattern}/" for pattern in own), *hooks])
    return Item(label, tuple(patterns), quote, anywhere=bool(entry.get("anywhere")))


def _compile(pattern: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise ListError(f"{where}: {pattern!r} is no pattern: {error}") from error


def _quote(text: str, where: str) -> Quote:
    match = re.fullmatch(r"(.+?):(\d+): (.+)", text)
    if match is None:
        raise ListError(f"{where}: {text!r} is no quote of the form file:line: text")
    return Quote(match[1], int(match[2]), match[3])
