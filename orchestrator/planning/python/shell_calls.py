"""Opens the shell scripts of the repository that its workflows run, as calls of the programs in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from draftsman.domain.plan import Tree
from orchestrator.planning.python import rules
from orchestrator.planning.python.calls import Call, read_call
from orchestrator.planning.shell_script import MAX_SCRIPT, read_script
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows.expansion import SHELLS, is_shell
from orchestrator.planning.workflows.seen import Seen

ARGUMENTS = re.compile(r"\"\$(?:[@*]|\{[@*]\})\"|\$(?:[@*]|\{[@*]\})")
"""The arguments of a script: none, since only scripts that are called without any are opened."""

MAX_SCRIPTS = 40


class ShellScripts:
    """Opens scripts and remembers what is in each."""

    def __init__(self, tree: Tree, trail: Trail) -> None:
        self._tree = tree
        self._applies = trail.applies(rules.SHELL_SCRIPTS)
        self._known: dict[str, tuple[tuple[Seen, bool], ...]] = {}

    def opened(self, calls: Iterable[Call]) -> tuple[Call, ...]:
        """Return the calls; each call of a shell script is followed by those that it surely makes."""
        return tuple(one for call in calls for one in (call, *self._inside(call)))

    def _inside(self, call: Call) -> Iterable[Call]:
        path = _script(call)
        if not self._applies or path is None or path not in self._tree.paths:
            return
        for seen, whole in self._commands(path, call):
            env = tuple({**dict(call.seen.env), **dict(seen.env)}.items())
            inner = read_call(replace(seen, env=env))
            if inner is not None:
                yield replace(inner, carriers=(*call.carriers, *inner.carriers), whole=whole)

    def _commands(self, path: str, call: Call) -> tuple[tuple[Seen, bool], ...]:
        """Return the commands of a script at the top folder, each with whether all its words are known."""
        if path not in self._known:
            text = self._tree.text(path) or ""
            usable = len(self._known) < MAX_SCRIPTS and len(text) <= MAX_SCRIPT and is_shell(text, " ".join(call.words))
            reading = read_script(ARGUMENTS.sub("", text) if usable else "")
            found = [(one, True) for one in reading.commands] + [(one, False) for one in reading.unfinished]
            self._known[path] = tuple(
                (Seen(path, one.line + 1, one.text, "", one.env), whole) for one, whole in found if not one.folder
            )
        return self._known[path]


def _script(call: Call) -> str | None:
    """Return the script that a call runs without arguments, or None."""
    words = [word for word in call.words if word not in ("-e", "-x", "-ex", "-eux")]
    if words[0] in SHELLS and len(words) == 2:
        return words[1].removeprefix("./")
    return words[0].removeprefix("./") if len(words) == 1 and "/" in words[0] else None
