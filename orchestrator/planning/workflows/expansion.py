"""Follows a command into what it runs: the recipes of `make X` and `just X`, and the scripts of the repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from draftsman.domain.plan import Tree
from orchestrator.planning import any_rules, grammar
from orchestrator.planning.folder_path import joined
from orchestrator.planning.justfile import called_recipes, read_justfile
from orchestrator.planning.makefile import Recipe, called_targets, read_makefile
from orchestrator.planning.rule import Rule
from orchestrator.planning.shell_script import read_script
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows.seen import Seen

MAX_INNER = 40
SHELLS = ("bash", "sh")
SHEBANG = re.compile(r"#![ \t]*+/(?:usr/)?bin/(?:env[ \t]+(?:-S[ \t]+)?)?(?:ba|da|)sh\b")


def is_shell(script: str, command: str) -> bool:
    """Return whether a script is one for sh or bash, by its first line, else by how it is called."""
    first = script.partition("\n")[0]
    if first.startswith("#!"):
        return SHEBANG.match(first) is not None
    return bool(script) and (command.split()[0] in SHELLS or command.split()[0].endswith((".sh", ".bash")))


class Expansion:
    """Reads Makefile and justfile once, and remembers what each command turned out to be."""

    def __init__(self, tree: Tree, trail: Trail) -> None:
        self._tree = tree
        self._trail = trail
        self._makefile = read_makefile(tree)
        self._justfile = read_justfile(tree)
        self._scripts: dict[str, tuple[str, ...]] = {}
        self._known: dict[tuple[str, str], tuple[Seen, ...]] = {}

    def of(self, seen: Seen) -> tuple[Seen, ...]:
        """Return the commands that stand for one: its recipe where all of that is plain, else itself with `inner`."""
        key = (seen.text, seen.folder)
        if key not in self._known:
            self._known[key] = self._expanded(seen)
        return tuple(
            replace(one, env=tuple(sorted({**dict(seen.env), **dict(one.env)}.items())))
            if one.via
            else replace(one, file=seen.file, line=seen.line, env=seen.env)
            for one in self._known[key]
        )

    def _expanded(self, seen: Seen) -> tuple[Seen, ...]:
        if not seen.folder:
            if self._makefile is not None and (names := called_targets(seen.text)):
                return self._task(seen, names, self._makefile.path, self._makefile.recipe, any_rules.MAKE_RECIPE)
            if self._justfile is not None and (names := called_recipes(seen.text)):
                return self._task(seen, names, self._justfile.path, self._justfile.recipe, any_rules.JUST_RECIPE)
        path = self._script(seen)
        inner = self._inside(path, seen.text) if path is not None else ()
        return (replace(seen, inner=inner),) if inner else (seen,)

    def _inside(self, path: str, command: str) -> tuple[str, ...]:
        """Return what a script is known to run, nothing where it is none for a shell."""
        script = self._tree.text(path) or ""
        if not self._trail.applies(any_rules.SCRIPT_INSIDE) or not is_shell(script, command):
            return ()
        if path not in self._scripts:
            self._scripts[path] = read_script(script).begun[:MAX_INNER]
        return self._scripts[path]

    def _task(
        self, seen: Seen, names: list[str], path: str, recipe: Callable[[str], Recipe | None], rule: Rule
    ) -> tuple[Seen, ...]:
        recipes = [found for name in names if (found := recipe(name)) is not None]
        if not self._trail.applies(rule) or len(recipes) < len(names):
            return (seen,)
        commands = [command for one in recipes for command in one.commands]
        if not commands or not all(one.whole for one in recipes):
            begun = tuple(text for one in recipes for text in one.begun)
            return (replace(seen, inner=begun[:MAX_INNER]),)
        return tuple(
            Seen(path, command.line, command.text, command.folder, command.env, via=seen.text) for command in commands
        )

    def _script(self, seen: Seen) -> str | None:
        """Return the path of the repository's script that a command starts, or None."""
        words = seen.text.split()
        words = words[1:] if words[0] in SHELLS and len(words) > 1 else words
        path = joined(seen.folder, words[0])
        called = seen.text.split()[0] in SHELLS or "/" in words[0]
        return path if path and called and path in self._tree.paths and grammar.is_tree_path(path) else None
