"""Reads the recipes of a justfile: what `just X` runs, as far as it is plain."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from draftsman.domain.plan import Tree
from orchestrator.planning.makefile import Recipe
from orchestrator.planning.shell_script import PlainCommand, read_script

JUSTFILES = ("justfile", "Justfile", ".justfile")
MAX_JUSTFILE = 128 * 1024
MAX_READ = 300_000
"""Characters of recipes that are read in all."""

MAX_COMMANDS = 40
MAX_RECIPES = 60

ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_-]{0,60})[ \t]*+:=[ \t]*+(.*)")
LITERAL = re.compile(r"\"([^\"\\]{0,200})\"|'([^']{0,200})'")
HEAD = re.compile(r"@?([A-Za-z_][A-Za-z0-9_-]{0,60})((?:[ \t]++[^:]{1,200})?)[ \t]*+:(?!=)(.*)")
ALIAS = re.compile(r"alias[ \t]+([A-Za-z_][A-Za-z0-9_-]*+)[ \t]*+:=[ \t]*+([A-Za-z_][A-Za-z0-9_-]*+)")
VALUE = re.compile(r"\{\{[ \t]*+([A-Za-z_][A-Za-z0-9_-]*+)[ \t]*+\}\}")
CALL = re.compile(r"just((?: [A-Za-z][A-Za-z0-9_-]*)+)")
PREFIXES = "@- \t"


@dataclass(slots=True)
class _Recipe:
    line: int
    needs: list[str]
    parameters: bool
    lines: list[tuple[int, str]] = field(default_factory=list)


class Justfile:
    """The recipes of a justfile, and its variables that are plain text."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.recipes: dict[str, _Recipe] = {}
        self._variables: dict[str, str] = {}
        self._foreign_shell = False
        self._left = MAX_READ
        if len(text) <= MAX_JUSTFILE:
            self._parse(text)

    def recipe(self, name: str) -> Recipe | None:
        """Return what `just name` runs, its dependencies first; None where there is no such recipe."""
        if name not in self.recipes:
            return None
        commands: list[PlainCommand] = []
        whole = self._follow(name, commands, set()) and not self._foreign_shell
        found = tuple(commands[:MAX_COMMANDS])
        texts = tuple(command.text for command in found)
        return Recipe(found, whole and len(commands) <= MAX_COMMANDS, self.recipes[name].line, texts)

    def _follow(self, name: str, commands: list[PlainCommand], done: set[str], depth: int = 0) -> bool:
        if name in done:
            return True
        done.add(name)
        recipe = self.recipes.get(name)
        if recipe is None or len(done) > MAX_RECIPES or depth > 8 or len(commands) > MAX_COMMANDS:
            return False
        if recipe.lines and recipe.lines[0][1].lstrip().startswith("#!"):
            return False
        whole = not recipe.parameters
        for need in recipe.needs:
            whole = self._follow(need, commands, done, depth + 1) and whole
        for number, raw in recipe.lines:
            whole = self._line(number, raw.strip(), commands, done, depth) and whole
        return whole

    def _line(self, number: int, raw: str, commands: list[PlainCommand], done: set[str], depth: int) -> bool:
        if raw.startswith("#"):
            return True
        text = VALUE.sub(lambda match: self._variables.get(match.group(1), match.group()), raw.lstrip(PREFIXES))
        if raw.startswith(("-", "@-")) or "{{" in text:
            return False
        self._left -= len(raw)
        if self._left < 0:
            return False
        reading = read_script(text)
        whole = reading.whole
        for command in reading.commands:
            match = CALL.fullmatch(command.text)
            if match and not command.folder:
                for name in match.group(1).split():
                    whole = self._follow(name, commands, done, depth + 1) and whole
            else:
                commands.append(PlainCommand(command.text, number, command.folder, command.env))
        return whole

    def _parse(self, text: str) -> None:
        current: _Recipe | None = None
        for number, line in enumerate(text.splitlines(), start=1):
            if line[:1] in (" ", "\t") and line.strip():
                if current is not None:
                    current.lines.append((number, line))
                continue
            bare = line.strip()
            if not bare or bare.startswith(("#", "[")):
                continue
            current = self._top_level(number, bare)

    def _top_level(self, number: int, bare: str) -> _Recipe | None:
        if alias := ALIAS.fullmatch(bare):
            self.recipes[alias.group(1)] = _Recipe(number, [alias.group(2)], parameters=False)
        elif bare.startswith("set "):
            shell = re.match(r"set[ \t]+(?:shell|script-interpreter)[ \t]*+:=[ \t]*+\[[ \t]*+[\"']([a-z]*+)", bare)
            self._foreign_shell = self._foreign_shell or bool(shell and shell.group(1) not in ("bash", "sh", "zsh"))
        elif assigned := ASSIGNMENT.fullmatch(bare):
            literal = LITERAL.fullmatch(assigned.group(2).strip())
            if literal:
                self._variables[assigned.group(1)] = literal.group(1) or literal.group(2) or ""
        elif head := HEAD.fullmatch(bare):
            needs = [word for word in head.group(3).partition("#")[0].split()[:MAX_RECIPES] if word != "&&"]
            parameters = bool(head.group(2).strip())
            recipe = _Recipe(number, needs, parameters)
            self.recipes[head.group(1)] = recipe
            return recipe
        return None


def called_recipes(command: str) -> list[str]:
    """Return the recipes that a plain `just a b` names, none for another command."""
    match = CALL.fullmatch(command)
    return match.group(1).split() if match else []


def read_justfile(tree: Tree) -> Justfile | None:
    """Return the justfile at the top of a commit, or None."""
    for path in JUSTFILES:
        text = tree.text(path)
        if text is not None:
            return Justfile(path, text)
    return None
