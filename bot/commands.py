"""The grammar of slash commands. Pure: a comment's text goes in, what it asks for comes out.

    /draftsman <verb> [argument]      /<verb> [argument]

| verb          | argument                 | short form            |
|---------------|--------------------------|-----------------------|
| `test`, `run` | `fast`, `full`, `merge`  | `/test`, `/run`       |
| `cancel`      |                          | `/cancel`             |
| `rebuild`     |                          | `/rebuild`            |
| `fix`         |                          | `/fix`                |
| `approve`     | a SHA, or its beginning  | `/approve`            |
| `plan`        |                          | `/plan`               |
| `logs`        |                          | `/logs`               |
| `help`        |                          | bare `/draftsman`     |

A command is a line of its own, anywhere in the comment (`bot/comment_lines.py` says which lines count). The short
forms are other bots' words as well: one with anything behind it that is not ours is text, unless it is a slip.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from bot.comment_lines import own_lines
from bot.markdown import code, cut, one_line

PREFIX = "/draftsman"

MOST = 10
"""Commands of one comment, those that are unclear counted with them."""

LONGEST_SHOWN = 120
"""Bytes of a line that are shown again."""

_SHA = re.compile(r"[0-9a-fA-F]{7,64}")
_WRONG_SHA = re.compile(r"(?=[a-fA-F]*[0-9])[0-9a-fA-F]{4,80}")
_LONGEST_SLIP = 16


class Verb(StrEnum):
    """What a command does. `/run` is another word for `test`."""

    TEST = "test"
    CANCEL = "cancel"
    REBUILD = "rebuild"
    FIX = "fix"
    APPROVE = "approve"
    PLAN = "plan"
    LOGS = "logs"
    HELP = "help"


class Scope(StrEnum):
    """What `test` runs: one tier only, or the commit as merged into its base."""

    FAST = "fast"
    FULL = "full"
    MERGE = "merge"


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `scope` is of `test` only, None for all checks; `sha` of `approve` only, 7 to 64 digits or None.

    `line` is what was written, in one line without control characters, cut to `LONGEST_SHOWN` bytes. It is a
    stranger's text all the same.
    """

    verb: Verb
    scope: Scope | None
    sha: str | None
    line: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """A line that was meant for us and is no command. `sentence` is safe Markdown that says what is wrong."""

    line: str
    sentence: str


_NAMES = {str(verb): verb for verb in Verb} | {"run": Verb.TEST}
_SHORT = {f"/{name}": verb for name, verb in _NAMES.items() if verb is not Verb.HELP}


def parse(body: str, *, aliases: bool = True) -> tuple[Command | Unclear, ...]:
    """Return the commands of a comment in order, each once, at most `MOST`; the rest is one more `Unclear`.

    With `aliases` the short forms count. Never raises, whatever the text, and takes time in proportion to its length.
    """
    found: dict[object, Command | Unclear] = {}
    for line in dict.fromkeys(own_lines(body)):
        item = _read(line, aliases=aliases)
        if item is None or _key(item) in found:
            continue
        if len(found) == MOST:
            sentence = f"Only the first {MOST} commands of a comment count: nothing from {code(item.line)} on was done."
            return (*found.values(), Unclear(item.line, sentence))
        found[_key(item)] = item
    return tuple(found.values())


def _key(item: Command | Unclear) -> object:
    return item.line if isinstance(item, Unclear) else (item.verb, item.scope, item.sha)


def _read(line: str, *, aliases: bool) -> Command | Unclear | None:
    if not line.startswith("/"):
        return None
    word, *rest = line.split(maxsplit=3)
    shown = _shown(line)
    if word.lower() == PREFIX:
        return _named(rest, shown)
    verb = _SHORT.get(word.lower()) if aliases else None
    if verb is None:
        return None
    command = _command(verb, rest, shown)
    if command is None and len(rest) == 1 and _is_slip(verb, rest[0]):
        return Unclear(shown, f"{code(shown)}: {_arguments(verb, word.lower(), rest)}")
    return command


def _shown(line: str) -> str:
    return cut(one_line(line[: 4 * LONGEST_SHOWN]), LONGEST_SHOWN)


def _named(words: list[str], line: str) -> Command | Unclear:
    """Return the command behind the prefix: whoever writes that means us."""
    if not words:
        return Command(Verb.HELP, None, None, line)
    name, *rest = words
    verb = _NAMES.get(name.lower())
    if verb is None:
        return Unclear(line, f"{code(line)}: there is no such command; {_meant(name, _NAMES, PREFIX)}")
    return _command(verb, rest, line) or Unclear(
        line, f"{code(line)}: {_arguments(verb, f'{PREFIX} {name.lower()}', rest)}"
    )


def _command(verb: Verb, words: list[str], line: str) -> Command | None:
    """Return the command, None where the words behind its verb are not its argument."""
    if not words:
        return Command(verb, None, None, line)
    if len(words) > 1:
        return None
    word = words[0].lower()
    if verb is Verb.TEST and word in _SCOPES:
        return Command(verb, Scope(word), None, line)
    if verb is Verb.APPROVE and _SHA.fullmatch(word):
        return Command(verb, None, word, line)
    return None


_SCOPES = tuple(map(str, Scope))


def _is_slip(verb: Verb, word: str) -> bool:
    if verb is Verb.TEST:
        return bool(_close(word, _SCOPES))
    return verb is Verb.APPROVE and _WRONG_SHA.fullmatch(word) is not None


def _arguments(verb: Verb, asked: str, words: list[str]) -> str:
    """Return what may stand behind the verb."""
    if verb is Verb.TEST:
        takes = "it takes `fast`, `full`, `merge` or nothing"
        close = _close(words[0], _SCOPES) if len(words) == 1 else None
        return f"{takes}; did you mean `{asked} {close}`?" if close else f"{takes} behind it."
    if verb is Verb.APPROVE:
        return "it takes the SHA of one commit, 7 to 64 hexadecimal digits, or nothing behind it."
    return f"nothing goes behind it; did you mean `{asked}`?"


def _meant(name: str, known: dict[str, Verb], prefix: str) -> str:
    close = _close(name, tuple(known))
    return f"did you mean `{prefix} {close}`?" if close else f"`{prefix} help` lists them."


def _close(word: str, known: tuple[str, ...]) -> str | None:
    """Return the word that this one is a slip of, None where there is none."""
    if len(word) > _LONGEST_SLIP:
        return None
    return next(iter(get_close_matches(word.lower(), known, n=1, cutoff=0.7)), None)
