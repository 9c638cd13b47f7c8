"""Reads a commit's TOML, JSON, INI and YAML files, and finds the lines on which their values stand."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from typing import Any

import yaml

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Tree
from orchestrator.planning.absurd import MAX_KEY_PARTS, absurd_ini, is_nested_too_deeply, long_toml_key
from orchestrator.planning.trail import show

Document = dict[str, Any]

MAX_YAML = 32 * 1024
"""Characters of a YAML file that are parsed: the pure parser takes about 10 s for 1 MB."""


def malformed(path: str, line: int | None, what: str) -> PlanError:
    """Return the error that names file and line, as `path:line: what`."""
    place = show(path) if line is None else f"{show(path)}:{line}"
    return PlanError(f"{place}: {what}")


def text_of(tree: Tree, path: str) -> str | None:
    """Return a manifest's text, None where it is absent. Raises PlanError where it is too large to be read."""
    if path in tree.unread:
        raise malformed(path, 1, "this file is too large to be read. Is it the right one?")
    return tree.text(path)


def read_toml(tree: Tree, path: str) -> Document:
    """Return the TOML file as a dictionary, empty where it is absent. Raises PlanError where it is malformed."""
    text = text_of(tree, path)
    if text is None:
        return {}
    long_key = long_toml_key(text)
    if long_key is not None:
        raise malformed(path, long_key, f"a key has more than {MAX_KEY_PARTS} parts. Correct the file.")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(place.group(1)) if place else text.count("\n") + 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise malformed(path, line, f"this is not valid TOML ({show(reason)}). Correct the file.") from None
    except (RecursionError, ValueError):  # ValueError: a number of more than 4,300 digits
        raise malformed(path, 1, "this TOML holds nesting or numbers too large to be read.") from None


def read_json(tree: Tree, path: str) -> Document:
    """Return the JSON object in a file, empty where it is absent. Raises PlanError where it is malformed."""
    text = text_of(tree, path)
    if text is None:
        return {}
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise malformed(path, error.lineno, f"this is not valid JSON ({error.msg}). Correct the file.") from None
    except (RecursionError, ValueError):  # ValueError: a number of more than 4,300 digits
        raise malformed(path, 1, "this JSON holds nesting or numbers too large to be read.") from None
    if not isinstance(document, dict):
        raise malformed(path, 1, "this should be a JSON object ({...}). Correct the file.")
    return document


def read_ini(tree: Tree, path: str) -> configparser.RawConfigParser:
    """Return the INI file's sections, none where it is absent. Raises PlanError where it is malformed."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    text = text_of(tree, path)
    if text is None:
        return parser
    if absurd := absurd_ini(text):
        line, what = absurd
        raise malformed(path, line, f"{what}. Correct the file.")
    try:
        parser.read_string(text)
    except configparser.MissingSectionHeaderError as error:
        raise malformed(path, error.lineno, "this line stands before the first [section].") from None
    except configparser.ParsingError as error:
        line = error.errors[0][0] if error.errors else 1
        raise malformed(path, line, "this line is neither a [section] nor a `key = value`.") from None
    except configparser.Error as error:
        raise malformed(path, None, f"this is not a valid INI file ({show(str(error))}).") from None
    return parser


def read_yaml(tree: Tree, path: str) -> object:
    """Return a YAML file as strings, lists and dictionaries; None where it is absent or cannot be read.

    Values stay strings (`3.10` is no number here). Never raises: YAML files are side evidence only.
    """
    text = tree.text(path)
    if text is None or len(text) > MAX_YAML or is_nested_too_deeply(text):
        return None
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  (BaseLoader makes strings only)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def table(document: object, *keys: str) -> Document:
    """Return the nested table at `keys`, empty where it is absent or something else stands there."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def strings(value: object) -> tuple[str, ...]:
    """Return the strings of a list (at most 1,000), and none of anything else."""
    return tuple(item for item in value[:1000] if isinstance(item, str)) if isinstance(value, list) else ()


def written(value: object) -> str:
    """Return a value as a sentence shows it: what is no text or small number by its kind alone.

    Python refuses to write numbers of more than 4,300 digits, and lists that are nested too deeply.
    """
    if isinstance(value, str | bool | float) or (isinstance(value, int) and value.bit_length() <= 64):
        return show(str(value))
    return {dict: "a table", list: "a list", int: "a huge number"}.get(type(value), f"a {type(value).__name__}")


def line_of(text: str | None, *patterns: str) -> int | None:
    """Return the line, from 1, of the last pattern, each searched after the one before; None where one is absent.

    Patterns are regular expressions of ours, matched with `re.MULTILINE`.
    """
    position = 0
    for pattern in patterns:
        match = re.compile(pattern, re.MULTILINE).search(text or "", position)
        if match is None:
            return None
        position = match.start()
        end = match.end()
        if pattern is not patterns[-1]:
            position = end
    return (text or "").count("\n", 0, position) + 1


def toml_line(text: str | None, section: str, key: str | None = None) -> int | None:
    """Return the line of `[section]`, or of `key` under it."""
    header = rf"^[ \t]*\[{re.escape(section)}[\].]"
    if key is None:
        return line_of(text, header)
    return line_of(text, header, rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=")


def json_line(text: str | None, *keys: str) -> int | None:
    """Return the line of the last of nested `keys`."""
    return line_of(text, *(rf'"{re.escape(key)}"\s*:' for key in keys))
