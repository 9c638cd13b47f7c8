"""Which programs a shell command calls, as far as its text tells."""

from __future__ import annotations

import re
from collections.abc import Iterable

SEPARATORS = re.compile(r"&&|\|\||[;|\n(){}]")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
CARRIERS = frozenset({"env", "exec", "time", "nice", "sudo", "command", "xargs"})


def called_programs(commands: Iterable[str]) -> frozenset[str]:
    """Return the first word of each part of each command, after assignments and words such as `env`."""
    programs = set()
    for command in commands:
        for part in SEPARATORS.split(command):
            words = [word for word in part.split() if not ASSIGNMENT.fullmatch(word) and word not in CARRIERS]
            programs.update(words[:1])
    return frozenset(programs)
