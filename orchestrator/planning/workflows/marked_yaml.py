"""Reads YAML as strings, lists and dictionaries whose strings know their lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from orchestrator.planning.absurd import is_nested_too_deeply

FAST = bool(yaml.__with_libyaml__)
MAX_CHARACTERS = 128 * 1024 if FAST else 32 * 1024
"""Of a file: libyaml takes about 0.2 s for 1 MB, the pure parser 10 s."""

MAX_DEPTH = 60
MAX_EVENTS = 60_000
TOO_DEEP = "it has too many parts, or too many inside of others"
LOADER: Any = yaml.CBaseLoader if FAST else yaml.BaseLoader


class Text(str):
    """A string of a YAML file, and the line on which it starts, from 1. `block` says that its lines are the file's."""

    line: int
    block: bool


def text_at(value: str, line: int, block: bool = False) -> Text:
    """Return a string with its place."""
    made = Text(value)
    made.line = line
    made.block = block
    return made


class UnreadableYamlError(Exception):
    """A document that cannot be read: `line` is where, None where it is the whole; `why` is a clause."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


def read_marked(text: str) -> object:
    """Return a document. Aliases are the same object in several places, even in itself. Raises UnreadableYamlError.

    Built from the parser's events and not with `yaml.load`: the C loader overflows its stack on 60,000 nested lists,
    and it does not tell lines.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableYamlError(f"it is larger than {MAX_CHARACTERS // 1024} KiB")
    if is_nested_too_deeply(text):
        raise UnreadableYamlError(TOO_DEEP)
    try:
        return _build(yaml.parse(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise UnreadableYamlError(error.problem or "it is no YAML", line) from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableYamlError("it is no YAML") from error


def _build(events: Iterator[Any]) -> object:
    """Return the first document. Raises UnreadableYamlError where it is too large or too deep."""
    root: list[object] = []
    open_ones: list[list[object] | _Mapping] = [root]
    anchors: dict[str, object] = {}
    for number, event in enumerate(events):
        if number > MAX_EVENTS or len(open_ones) > MAX_DEPTH:
            raise UnreadableYamlError(TOO_DEEP)
        if isinstance(event, yaml.AliasEvent):
            open_ones[-1].append(anchors.get(event.anchor or ""))
        elif isinstance(event, yaml.NodeEvent):
            value = _value(event)
            open_ones[-1].append(value)
            if event.anchor is not None:
                anchors[event.anchor] = value
            if isinstance(value, dict):
                open_ones.append(_Mapping(value))
            elif isinstance(value, list):
                open_ones.append(value)
        elif isinstance(event, yaml.CollectionEndEvent):
            open_ones.pop()
        elif isinstance(event, yaml.DocumentEndEvent):
            break
    return root[0] if root else None


def _value(event: yaml.NodeEvent) -> object:
    if isinstance(event, yaml.ScalarEvent):
        line = event.start_mark.line + 1 if event.start_mark else 1
        return text_at(event.value, line, event.style == "|")
    return {} if isinstance(event, yaml.MappingStartEvent) else []


class _Mapping:
    """Fills a dictionary with keys and values that come in turns. Keys that are no strings are dropped."""

    def __init__(self, target: dict[str, object]) -> None:
        self._target = target
        self._key: object = None
        self._has_key = False

    def append(self, value: object) -> None:
        """Take the next key or value."""
        if self._has_key and isinstance(self._key, str):
            self._target[self._key] = value
        self._key = value
        self._has_key = not self._has_key
