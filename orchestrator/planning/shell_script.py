"""The plain commands of a shell script: those that surely run, with words that are known.

What stands in `if`, `for`, `case`, functions and here-documents is passed over, and so is what is piped, put in the
background or allowed to fail. Where the folder is no longer known, reading stops.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

from orchestrator.planning.folder_path import WORKSPACE, joined
from orchestrator.planning.shell_vocabulary import (
    ASKING,
    ASSIGNMENT,
    BEFORE_COMMANDS,
    CLOSERS,
    ENDING,
    FLAGS_OF_SHELL,
    MOVING,
    NOISE,
    OPENERS,
    PROCESSORS,
    PROGRAM,
    SHELLS,
)
from orchestrator.planning.shell_words import Splitter, Token, UnreadableError

MAX_SCRIPT = 16 * 1024
"""Characters of a script that are read; longer ones count as unreadable."""

MAX_COMMANDS = 60
MAX_DEPTH = 30
"""Groups inside of groups."""

MAX_COMMAND = 400
"""Characters of a command."""

MAX_INNER = 3
"""Shells in a command of a shell."""


@dataclass(frozen=True, slots=True)
class PlainCommand:
    """A command with its words quoted anew; `line` counts from 0."""

    text: str
    line: int
    folder: str
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a script runs. `whole` says that nothing was passed over but words to the reader.

    `begun` holds the known first words of all commands at the top folder, of those too whose other words are not known.
    `unfinished` holds the latter alone, of all folders.
    """

    commands: tuple[PlainCommand, ...]
    whole: bool
    begun: tuple[str, ...] = ()
    unfinished: tuple[PlainCommand, ...] = ()


def read_script(script: str, folder: str = "", variables: Mapping[str, str] | None = None, depth: int = 0) -> Reading:
    """Return the plain commands of a script that starts in a folder, at most `MAX_COMMANDS`.

    The number of processors, which scripts pass on to what runs several jobs, is 2. `depth` counts the shells that
    this script is a command of.
    """
    known = {name: value for name, value in (variables or {}).items() if "\n" not in value}
    reader = _Reader(folder, dict(known), depth)
    if len(script) > MAX_SCRIPT:
        return Reading((), False)
    try:
        reader.read(Splitter(PROCESSORS.sub("2", script), reader.variables).tokens())
    except UnreadableError:
        reader.whole = False
        reader.close_all()
    return Reading(
        tuple(reader.commands[:MAX_COMMANDS]),
        reader.whole,
        tuple(reader.begun[:MAX_COMMANDS]),
        tuple(reader.unfinished[:MAX_COMMANDS]),
    )


@dataclass
class _Chain:
    """Commands that are joined by `&&`, `||` and pipes, until the line or the statement ends."""

    commands: list[list[Token]] = field(default_factory=lambda: [[]])
    failed_at: int | None = None
    unsure: bool = False
    piped_at: list[int] = field(default_factory=list)


class _Stopped(Exception):  # noqa: N818  (the end of reading, no error)
    """Nothing after this can be told."""


class _Reader:
    def __init__(self, folder: str, variables: dict[str, str], depth: int = 0) -> None:
        self.variables = variables
        self._shells = depth
        self.commands: list[PlainCommand] = []
        self.begun: list[str] = []
        self.unfinished: list[PlainCommand] = []
        self.whole = True
        self._folder = folder
        self._exported: dict[str, str] = {}
        self._chain = _Chain()
        self._depth = 0
        self._groups: list[tuple[int, str, dict[str, str], _Chain]] = []
        self._starts = True
        self._closed_group: int | None = None
        self._functions: set[str] = set()
        self._names_function = False

    def read(self, tokens: Iterator[Token]) -> None:
        """Take all tokens. Raises UnreadableError."""
        try:
            for token in tokens:
                self._take(token)
                if len(self.commands) > MAX_COMMANDS:
                    break
            self._end_chain()
            if self._depth or self._groups:
                self.whole = False
                self.close_all()
        except _Stopped:
            self.whole = False
            self.close_all()

    def close_all(self) -> None:
        """Forget the commands of groups that never ended."""
        if self._groups:
            del self.commands[self._groups[0][0] :]

    def _take(self, token: Token) -> None:
        if self._depth:
            self._pass_over(token)
        elif not token.operator:
            self._word(token)
        elif token.text in ("\n", ";"):
            self._end_chain()
        elif token.text == "(":
            self._open_group()
        elif token.text == ")":
            self._close_group()
        else:
            self._operator(token.text)

    def _pass_over(self, token: Token) -> None:
        """Follow the depth of a block that is not read."""
        if token.operator:
            self._starts = True
            return
        if self._starts and not token.quoted:
            if token.text in OPENERS:
                self._depth += 1
            elif token.text in MOVING:
                raise _Stopped
        if not token.quoted and token.text in CLOSERS and (self._starts or token.text == "]]"):
            self._depth -= 1
        self._starts = self._starts and token.text in OPENERS | BEFORE_COMMANDS

    def _word(self, token: Token) -> None:
        current = self._chain.commands[-1]
        if self._names_function:
            self._names_function = False
            self._functions.add(token.text)
        elif not current and not token.quoted and token.text in OPENERS:
            self._chain.unsure = True
            self._depth = 1
            self._starts = token.text not in ("for", "case", "select", "[[")
        elif not current and token.text == "function":
            self._chain.unsure = True
            self._names_function = True
        else:
            current.append(token)

    def _operator(self, text: str) -> None:
        chain = self._chain
        if text == "&&":
            chain.commands.append([])
        elif text == "||":
            chain.failed_at = len(chain.commands) if chain.failed_at is None else chain.failed_at
            chain.commands.append([])
        elif text == "|":
            chain.piped_at.append(len(chain.commands))
            chain.commands.append([])
        else:  # redirections, the background, cases
            chain.unsure = True
            if text == "&":
                self._end_chain()

    def _open_group(self) -> None:
        if len(self._groups) >= MAX_DEPTH:
            raise UnreadableError
        current = self._chain.commands[-1]
        if current:  # a function or an array
            self._chain.unsure = True
            if len(current) == 1 and not current[0].text.endswith("="):
                self._functions.add(current[0].text)
                current.clear()
            self._groups.append((-1, "", {}, self._chain))
            self._chain = _Chain(unsure=True)
            return
        self._groups.append((len(self.commands), self._folder, dict(self._exported), self._chain))
        self._chain = _Chain()

    def _close_group(self) -> None:
        if not self._groups:
            raise UnreadableError
        self._end_chain()
        start, folder, exported, chain = self._groups.pop()
        self._chain = chain
        if start < 0:
            return
        self._folder, self._exported = folder, exported
        chain.commands[-1] = []
        self._closed_group = start

    def _end_chain(self) -> None:
        chain, self._chain = self._chain, _Chain()
        start, self._closed_group = self._closed_group, None
        commands = [command for command in chain.commands if command]
        sure = not chain.unsure and self._settle(chain, commands)
        if start is not None and not (sure and not commands and len(chain.commands) == 1):
            sure = False  # a group that something else depends on
            del self.commands[start:]
        self.whole = self.whole and sure
        self._run(commands, sure)

    def _settle(self, chain: _Chain, commands: list[list[Token]]) -> bool:
        """Return whether all commands of the chain have to succeed; drop what only reports."""
        if chain.failed_at is not None:
            handlers = commands[chain.failed_at :]
            if len(handlers) != 1 or handlers[0][0].text != "exit" or [one.text for one in handlers[0][1:]] == ["0"]:
                return False
            del commands[chain.failed_at :]
        if chain.piped_at:
            last = len(commands) - 1
            if chain.piped_at != [last] or commands[last][0].text != "tee" or chain.failed_at is not None:
                return False
            del commands[last:]
        return True

    def _run(self, commands: list[list[Token]], sure: bool) -> None:
        ready: list[PlainCommand] = []
        for written in commands:
            env, words = self._assigned(written)
            name = words[0].text if words else ""
            if not words:
                self._assign(env)
            elif name in MOVING:
                self._move(words)
            elif name in ENDING:
                self._end(words, env, sure and len(commands) == 1)
            elif name == "export":
                self._export(words[1:])
            elif name in SHELLS and (inner := self._inner(words, env)) is not None:
                self.begun += inner.begun
                self.unfinished += inner.unfinished
                self.whole = self.whole and inner.whole
                ready += inner.commands
            elif name not in NOISE or not words[0].plain:
                command = self._plain(words, env)
                self._begin(words, whole=command is not None)
                sure = sure and command is not None
                ready += [command] if command is not None else []
        self.commands += ready if sure else []
        self.whole = self.whole and sure

    def _inner(self, words: list[Token], env: dict[str, str | None]) -> Reading | None:
        """Return what `bash -c '...'` runs; None where it is no such call, or not known."""
        flags = list(takewhile(lambda word: FLAGS_OF_SHELL.fullmatch(word.text), words[1:]))
        script = words[len(flags) + 1 :]
        if len(script) != 1 or not any(flag.text.endswith("c") for flag in flags) or not script[0].known:
            return None
        if self._shells >= MAX_INNER or any(value is None for value in env.values()):
            return None
        given = self._exported | {name: value for name, value in env.items() if value is not None}
        reading = read_script(script[0].text, self._folder, given, self._shells + 1)
        line = script[0].line
        commands = tuple(
            replace(one, line=line, env=tuple(sorted({**given, **dict(one.env)}.items()))) for one in reading.commands
        )
        return replace(reading, commands=commands)

    def _begin(self, words: list[Token], *, whole: bool) -> None:
        known = " ".join(word.written for word in takewhile(lambda word: word.plain, words))[:MAX_COMMAND]
        if not known or not PROGRAM.fullmatch(words[0].text):
            return
        if not self._folder:
            self.begun.append(known)
        if not whole:
            self.unfinished.append(PlainCommand(known, words[0].line, self._folder))

    def _end(self, words: list[Token], env: dict[str, str | None], sure: bool) -> None:
        """Stop, for nothing runs after this, or not always; `exec` runs one more command."""
        command = self._plain(words[1:], env) if sure and words[0].text == "exec" and len(words) > 1 else None
        self.commands += [command] if command is not None else []
        raise _Stopped

    def _assigned(self, words: list[Token]) -> tuple[dict[str, str | None], list[Token]]:
        """Return the variables that are set before a command (None: not known), and the words after them."""
        env: dict[str, str | None] = {}
        for position, word in enumerate(words):
            match = ASSIGNMENT.fullmatch(word.text)
            if match is None:
                return env, words[position:]
            env[match.group(1)] = match.group(2) if word.plain else None
        return env, []

    def _assign(self, env: dict[str, str | None]) -> None:
        for name, value in env.items():
            if value is None:
                self.variables.pop(name, None)
                self._exported.pop(name, None)
                continue
            self.variables[name] = value
            if name in self._exported:
                self._exported[name] = value

    def _export(self, words: list[Token]) -> None:
        for word in words:
            match = ASSIGNMENT.fullmatch(word.text)
            if match is None:
                continue
            self._assign({match.group(1): match.group(2) if word.plain else None})
            if word.plain:
                self._exported[match.group(1)] = match.group(2)

    def _move(self, words: list[Token]) -> None:
        target = words[1] if len(words) == 2 and words[0].text == "cd" else None
        found = (
            joined(self._folder, target.text) if target is not None and target.plain and target.text != "-" else None
        )
        if found is None:
            raise _Stopped
        self._folder = found

    def _plain(self, words: list[Token], env: dict[str, str | None]) -> PlainCommand | None:
        if not all(word.plain for word in words) or any(value is None for value in env.values()):
            return None
        name = words[0].text
        if name in ASKING or name in self._functions:
            return None
        if not PROGRAM.fullmatch(name) or ".." in name.split("/"):
            return None
        text = " ".join(word.written for word in words)
        if WORKSPACE in text and not self._folder:
            text = re.sub(rf"(?<![^ =]){WORKSPACE}/(?=[A-Za-z0-9])", "", text)
        if len(text) > MAX_COMMAND or WORKSPACE in text:
            return None
        merged = self._exported | {key: value for key, value in env.items() if value is not None}
        return PlainCommand(text, words[0].line, self._folder, tuple(sorted(merged.items())))
