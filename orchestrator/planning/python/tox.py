"""Reads tox's environments, without running tox: tox.ini, setup.cfg, tox.toml, and its tables in pyproject.toml."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product

from orchestrator.planning import grammar
from orchestrator.planning.absurd import absurd_ini
from orchestrator.planning.documents import Document, line_of, read_ini, read_toml, strings, table, toml_line
from orchestrator.planning.python.project import PythonProject

BRACES = re.compile(r"\{([^{}]{0,200})\}")
LIST_ITEM = re.compile(r"(?:\{[^{}\n]{0,200}\}|[^\s,{}]){1,200}")
REFERENCE = re.compile(r"\{\[testenv(?::([A-Za-z0-9._-]{1,60}))?\](commands|deps)\}")
CONDITION = re.compile(r"([A-Za-z0-9_.!,{}-]{1,120}):\s+(\S.*)")
"""A line that counts for some environments only: `mypy: mypy src`, `py3{12,13}-!slow: pytest`."""

MAX_ENVIRONMENTS = 200
MAX_LINES = 50
MAX_CONDITIONS = 20
"""Alternatives of one line."""


@dataclass(frozen=True, slots=True)
class ToxEnvironment:
    """What an environment runs and installs, as written."""

    commands: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tox:
    """tox's settings. `names` are the environments that tox runs unasked, in order; `sections` all that have settings.

    `base` is what environments without a section of their own do. `file` is empty where there is no tox.
    """

    file: str = ""
    line: int | None = None
    names: tuple[str, ...] = ()
    base: ToxEnvironment = field(default_factory=ToxEnvironment)
    sections: dict[str, ToxEnvironment] = field(default_factory=dict)

    def environment(self, name: str) -> ToxEnvironment:
        """Return the settings of an environment; what its section leaves out is the base's."""
        own = self.sections.get(name, self.base)
        commands, deps = own.commands or self.base.commands, own.deps or self.base.deps
        factors = frozenset(name.split("-"))
        return ToxEnvironment(_for_factors(commands, factors), _for_factors(deps, factors))


def _for_factors(lines: tuple[str, ...], factors: frozenset[str]) -> tuple[str, ...]:
    """Return the lines that count for an environment of these factors, without their conditions."""
    kept = []
    for line in lines:
        match = CONDITION.fullmatch(line)
        if match is None:
            kept.append(line)
        elif any(_holds(condition, factors) for condition in islice(_spelled(match.group(1)), MAX_CONDITIONS)):
            kept.append(match.group(2))
    return tuple(kept)


def _holds(condition: str, factors: frozenset[str]) -> bool:
    parts = condition.split("-")
    return all((part[1:] not in factors) if part.startswith("!") else part in factors for part in parts)


def read_tox(project: PythonProject) -> Tox:
    """Return tox's settings, from the first of its files that has some. Raises PlanError where one is malformed."""
    tree = project.tree
    for file, prefix in (("tox.ini", "tox"), ("setup.cfg", "tox:tox")):
        parser = read_ini(tree, file)
        if parser.has_section(prefix) or parser.has_section("testenv"):
            line = line_of(tree.text(file), r"^env_?list", r"") or line_of(tree.text(file), r"^\[(?:tox|testenv)")
            return _from_ini(file, line, parser, prefix)
    text = tree.text("pyproject.toml")
    own = table(project.pyproject, "tool", "tox")
    legacy = own.get("legacy_tox_ini")
    line = toml_line(text, "tool.tox")
    if isinstance(legacy, str):
        return _from_legacy(legacy, line)
    if own:
        return _from_toml("pyproject.toml", line, own)
    toml = read_toml(tree, "tox.toml")
    return _from_toml("tox.toml", 1, toml) if toml else Tox()


def _from_legacy(text: str, line: int | None) -> Tox:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    if absurd_ini(text) is not None:
        return Tox()
    try:
        parser.read_string(text)
    except configparser.Error:
        return Tox()
    return _from_ini("pyproject.toml", line, parser, "tox")


def _from_ini(file: str, line: int | None, parser: configparser.RawConfigParser, prefix: str) -> Tox:
    listed = parser.get(prefix, "envlist", fallback=None) or parser.get(prefix, "env_list", fallback=None) or ""
    sections: dict[str, ToxEnvironment] = {}
    for section in parser.sections()[:MAX_ENVIRONMENTS]:
        kind, _, names = section.partition(":")
        if kind == "testenv" and names:
            commands = _lines(parser, section, "commands")
            environment = ToxEnvironment(commands, _lines(parser, section, "deps"))
            sections |= dict.fromkeys(_expanded(names), environment)
    base = ToxEnvironment(_lines(parser, "testenv", "commands"), _lines(parser, "testenv", "deps"))
    return Tox(file, line, _expanded(listed), base, sections)


def _lines(parser: configparser.RawConfigParser, section: str, key: str) -> tuple[str, ...]:
    """Return an option's lines, with one level of `{[testenv]commands}` put in."""
    lines: list[str] = []
    for line in (parser.get(section, key, fallback=None) or "").replace("\\\n", " ").splitlines()[:MAX_LINES]:
        match = REFERENCE.fullmatch(line.strip())
        if match:
            other = f"testenv:{match.group(1)}" if match.group(1) else "testenv"
            lines += (parser.get(other, match.group(2), fallback=None) or "").splitlines()[:MAX_LINES]
        else:
            lines.append(line)
    return tuple(line.strip() for line in lines[: 2 * MAX_LINES] if line.strip())


def _from_toml(file: str, line: int | None, document: Document) -> Tox:
    environments = table(document, "env")
    sections = {
        name: _toml_environment(settings)
        for name, settings in list(environments.items())[:MAX_ENVIRONMENTS]
        if grammar.fits(grammar.SCRIPT, name)
    }
    listed = ",".join(strings(document.get("env_list")))
    return Tox(file, line, _expanded(listed), _toml_environment(document.get("env_run_base")), sections)


def _toml_environment(settings: object) -> ToxEnvironment:
    settings = settings if isinstance(settings, dict) else {}
    commands = settings.get("commands")
    rows = [one for one in commands[:MAX_LINES] if isinstance(one, list)] if isinstance(commands, list) else []
    lines = tuple(" ".join(word for word in row[:50] if isinstance(word, str)) for row in rows)
    return ToxEnvironment(lines, strings(settings.get("deps")))


def _expanded(text: str) -> tuple[str, ...]:
    """Return the environments in a list, its braces expanded: `py3{12,13}-{a,b}` is four."""
    names = (name.strip("-") for name in _spelled(text))
    return tuple(dict.fromkeys(name for name in names if grammar.fits(grammar.SCRIPT, name)))


def _spelled(text: str) -> Iterator[str]:
    """Yield what a list with braces spells, at most `MAX_ENVIRONMENTS`."""
    left = MAX_ENVIRONMENTS
    for item in LIST_ITEM.findall(text[:5000])[:MAX_ENVIRONMENTS]:
        parts = BRACES.split(item)[:13]
        choices = [part.split(",")[:30] if place % 2 else [part] for place, part in enumerate(parts)]
        for combination in islice(product(*choices), left):
            left -= 1
            yield "".join(one.strip() for one in combination)
