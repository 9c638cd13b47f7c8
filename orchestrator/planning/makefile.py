"""Reads the targets of a Makefile: what `make X` runs, as far as it is plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from draftsman.domain.plan import Tree
from orchestrator.planning.shell_script import PlainCommand, read_script

MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
"""In the order in which GNU make looks for them."""

MAX_MAKEFILE = 128 * 1024
MAX_READ = 300_000
"""Characters of recipes that are read in all: targets may need the same ones again and again."""

MAX_COMMANDS = 40
MAX_TARGETS = 60
"""Targets that one call is followed through."""

MAX_DEPTH = 8
MAX_LINE = 2000
MAX_VALUE = 200
UNTOLD = "\x00"
"""Stands for the value of a variable that is not known: no plain command holds it."""


ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_-]{0,60})[ \t]*+(\?|\+|::?)?=[ \t]*+(.*)")
TARGET = re.compile(r"([A-Za-z0-9_.%][A-Za-z0-9_./% -]{0,200}?)[ \t]*+::?(?!=)(.*)")
DIRECTIVE = re.compile(r"[ ]*+(ifeq|ifneq|ifdef|ifndef|else|endif|define|endef|include|-include|sinclude)\b")
VARIABLE = re.compile(r"\$(?:\(([^()$]{1,60})\)|\{([^{}$]{1,60})\}|(\$)|(.))")
PREFIXES = "@+- \t"
CALL = re.compile(
    r"g?make((?: (?:-[jk][0-9]*|--no-print-directory|-s|--silent|--keep-going))*)"
    r"((?: [A-Za-z0-9][A-Za-z0-9_.-]*)+)"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a task runs: its plain commands, each with its line from 1. `whole` says that there is nothing else.

    `line` is where the task is defined, `begun` are the known first words of all that it runs.
    """

    commands: tuple[PlainCommand, ...]
    whole: bool
    line: int
    begun: tuple[str, ...] = ()


@dataclass(slots=True)
class _Target:
    line: int
    needs: list[str]
    lines: list[tuple[int, str]]


@dataclass(slots=True)
class _Followed:
    """What one call of make was followed to."""

    commands: list[PlainCommand] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)


class Makefile:
    """The targets of a Makefile, and its variables that are plain text."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.targets: dict[str, _Target] = {}
        self._left = MAX_READ
        self._patterns: list[str] = []
        self._variables: dict[str, str | None] = {"MAKE": "make", "CURDIR": "."}
        if len(text) <= MAX_MAKEFILE:
            self._parse(text)

    def recipe(self, name: str) -> Recipe | None:
        """Return what `make name` runs, its prerequisites first; None where there is no such target."""
        target = self._target(name)
        if target is None:
            return None
        shell = (self._variables.get("SHELL", "sh") or "").split(" ")[0]
        if not shell.endswith("sh"):
            return Recipe((), False, target.line)
        found = _Followed()
        whole = self._follow(name, found) and ".ONESHELL" not in self.targets
        whole = whole and len(found.commands) <= MAX_COMMANDS
        return Recipe(tuple(found.commands[:MAX_COMMANDS]), whole, target.line, tuple(found.begun[:MAX_COMMANDS]))

    def runs_something(self, name: str) -> bool:
        """Return whether a target has a recipe, or needs another target."""
        target = self._target(name)
        return target is not None and bool(target.lines or any(need in self.targets for need in target.needs))

    def _target(self, name: str) -> _Target | None:
        """Return the target of this name, else the first pattern rule that makes it."""
        if name in self.targets or len(name) > MAX_VALUE:
            return self.targets.get(name)
        for pattern in self._patterns:
            start, _, end = pattern.partition("%")
            if len(name) > len(pattern) - 1 and name.startswith(start) and name.endswith(end):
                return self.targets[pattern]
        return None

    def _follow(self, name: str, found: _Followed, depth: int = 0) -> bool:
        """Add the commands of a target, and return whether these are all that it runs."""
        if name in found.done:
            return True
        found.done.add(name)
        if len(found.done) > MAX_TARGETS or depth > MAX_DEPTH or len(found.commands) > MAX_COMMANDS:
            return False
        target = self._target(name)
        if target is None:
            return True  # a file
        whole = True
        for need in target.needs:
            known = "$" not in need and "%" not in need
            whole = known and self._follow(need, found, depth + 1) and whole
        for number, raw in target.lines:
            whole = self._line(name, number, raw, found, depth) and whole
        return whole

    def _line(self, target: str, number: int, raw: str, found: _Followed, depth: int) -> bool:
        bare = raw.lstrip(PREFIXES)
        if "-" in raw[: len(raw) - len(bare)]:  # it may fail
            return True
        self._left -= len(bare)
        if self._left < 0:
            return False
        reading = read_script(self._expanded(bare, target))
        found.begun += reading.begun
        whole = reading.whole
        for command in reading.commands:
            called = called_targets(command.text)
            if called and not command.folder:
                for name in called:
                    whole = self._follow(name, found, depth + 1) and whole
            else:
                found.commands.append(PlainCommand(command.text, number, command.folder, command.env))
        return whole

    def _expanded(self, text: str, target: str = "") -> str:
        """Return the text with its variables' values, `UNTOLD` for unknown ones. `$$` is the shell's `$`."""

        def value(match: re.Match[str]) -> str:
            name = match.group(1) or match.group(2) or match.group(4)
            if match.group(3) or (name == "@" and target):
                return "$" if match.group(3) else target
            found = self._variables.get(name)
            return UNTOLD if found is None else found

        return VARIABLE.sub(value, text) if len(text) <= MAX_LINE else UNTOLD

    def _parse(self, text: str) -> None:
        depth = 0
        defining = False
        current: list[_Target] = []
        for number, line in _logical_lines(text):
            if line.startswith("\t"):
                for target in current:
                    target.lines.append((number, line))
                continue
            directive = DIRECTIVE.match(line)
            if directive or defining:
                word = directive.group(1) if directive else ""
                depth += {"ifeq": 1, "ifneq": 1, "ifdef": 1, "ifndef": 1, "endif": -1}.get(word, 0)
                defining = word == "define" or (defining and word != "endef")
                current = [] if defining else current
                for target in current if word.startswith(("if", "else")) else []:
                    target.lines.append((number, "$(conditional)"))  # what follows runs at times only
                continue
            bare = line.partition("#")[0].strip()
            if assigned := ASSIGNMENT.fullmatch(bare):
                self._assign(*assigned.groups(), sure=depth == 0)
            elif found := TARGET.fullmatch(bare):
                current = self._begin(number, found.group(1), found.group(2))
            elif bare:
                current = []

    def _assign(self, name: str, operator: str | None, value: str, *, sure: bool) -> None:
        text = self._expanded(value.strip())
        before = self._variables.get(name, "")
        if operator == "?" and name in self._variables:
            return
        if operator == "+":
            text = UNTOLD if before is None else f"{before} {text}"
        plain = sure and len(text) <= MAX_VALUE and UNTOLD not in text and "$" not in text
        self._variables[name] = text if plain else None

    def _begin(self, number: int, names: str, rest: str) -> list[_Target]:
        needs, _, inline = rest.partition(";")
        if ASSIGNMENT.fullmatch(needs.strip()):  # a variable of this target alone
            return []
        expanded = self._expanded(needs.replace("|", " "))
        wanted = ["$"] if UNTOLD in expanded else expanded.split()[:MAX_TARGETS]
        begun = []
        for name in names.split()[:10]:
            if name.count("%") == 1 and name not in self.targets and len(self._patterns) < MAX_TARGETS:
                self._patterns.append(name)
            target = self.targets.setdefault(name, _Target(number, [], []))
            if not target.lines:
                target.line = number
            target.needs += wanted
            if inline.strip():
                target.lines.append((number, inline.strip()))
            begun.append(target)
        return begun


def called_targets(command: str) -> list[str]:
    """Return the targets that a plain `make a b` names, none for another command."""
    match = CALL.fullmatch(command)
    return match.group(2).split() if match else []


def read_makefile(tree: Tree) -> Makefile | None:
    """Return the Makefile at the top of a commit, or None."""
    for path in MAKEFILES:
        text = tree.text(path)
        if text is not None:
            return Makefile(path, text)
    return None


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, those that end with a backslash joined to the next."""
    parts: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")  # noqa: PLW2901
        start = start if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1] + " ")
            continue
        yield start, "".join([*parts, line.lstrip() if parts else line])
        parts = []
    if parts:
        yield start, "".join(parts)
