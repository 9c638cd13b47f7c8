"""What is kept of a command that a workflow runs: flags that a check needs, and variables that change what it does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.planning import grammar
from orchestrator.planning.workflows import Seen

PLAIN_VALUE = re.compile(r"[A-Za-z0-9_./:=,@+-]{1,200}")
PLAIN_WORD = re.compile(r"[A-Za-z0-9_./:=,@+ *!~^|()-]{1,200}")
MAX_COMMAND = 1000


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of a command that are understood: kept or dropped, alone or with a value behind them."""

    kept: frozenset[str]
    kept_with_value: frozenset[str]
    dropped: frozenset[str] = frozenset()
    dropped_with_value: frozenset[str] = frozenset()

    def of(self, words: Iterable[str]) -> list[str] | None:
        """Return the words without the dropped flags; None where a flag is not understood or lacks its value."""
        chosen: list[str] = []
        waiting = iter(words)
        for word in waiting:
            name, equals, _ = word.partition("=")
            valued = name in self.kept_with_value or name in self.dropped_with_value
            if not word.startswith("-"):
                chosen.append(word)
            elif valued:
                value = () if equals else (next(waiting, None),)
                if None in value:
                    return None
                if name in self.kept_with_value:
                    chosen += [word, *(one for one in value if one)]
            elif name in self.kept:
                chosen.append(word)
            elif name not in self.dropped:
                return None
        return chosen


def words_of(seen: Seen) -> list[str]:
    """Return the words of a command at the top folder, without their quotes; none where one of them is not plain."""
    if seen.folder or len(seen.text) > MAX_COMMAND:
        return []
    try:
        words = shlex.split(seen.text)
    except ValueError:
        return []
    return words if all(map(PLAIN_WORD.fullmatch, words)) else []


def joined(words: Iterable[str]) -> str:
    """Return the words as a command, in quotes where they need them."""
    return " ".join(map(grammar.quoted, words))


def with_variables(command: str, seen: Seen, names: frozenset[str]) -> str:
    """Return the command behind those variables that the workflow sets for it and whose names are given."""
    plain = [f"{name}={value}" for name, value in seen.env if name in names and PLAIN_VALUE.fullmatch(value)]
    return " ".join([*plain, command])
