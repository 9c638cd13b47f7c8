"""The instructions of a Dockerfile, as BuildKit's parser splits them (moby/buildkit, frontend/dockerfile/parser).

It is followed to the letter where a difference would hide an instruction: which line continues, what a comment
is, where a heredoc ends, what counts as a space. Pure. What BuildKit would refuse may come out in any form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from draftsman.domain.errors import BuildError
from orchestrator.dockerfiles.words import SPACES, expand, read_json, split_words

_BYTE_SPACES = "\t\n\v\f\r \x85\xa0"
_BETWEEN = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(r"#[\t\n\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*")
_HEREDOC = re.compile(r"[0-9]*<<(-?)([^<]*)", re.DOTALL)
_ODD_SUBSTITUTION = re.compile(r"\$\{(?!\w+(?::?[-+?][^\s'\"<>${}\\`]*)?\})|(?:^|\s)[0-9]*<<-?[^\s<]*\$")
_ESCAPED = re.compile(r"[\s\"'\\\x85\xa0]")
_WITH_HEREDOCS = ("RUN", "COPY", "ADD")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `name` is in capitals, `line` counts from 1, `rest` is what follows the flags.

    Flags have lost their quotes, as in BuildKit. `escape` is the character that escapes in `rest`.
    """

    name: str
    flags: tuple[str, ...]
    rest: str
    line: int
    escape: str


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """An instruction as BuildKit joins it from the lines `first` to `last`, which count from 1; heredocs follow."""

    text: str
    first: int
    last: int
    escape: str


def read_instructions(text: str) -> list[Instruction]:
    """Return the instructions in order. Raises BuildError for a heredoc whose end cannot be told."""
    return [read_instruction(line.text, line.first, line.escape) for line in read_lines(text)]


def read_lines(text: str) -> Iterator[LogicalLine]:
    """Yield the logical lines in order. Raises BuildError for a heredoc whose end cannot be told."""
    lines = _Lines(text)
    escape = "\\"
    known: tuple[str, ...] = ("syntax", "escape")  # a line that is neither ends the directives
    for number, line in lines:
        stripped = line.rstrip("\r").lstrip(SPACES)
        directive = _DIRECTIVE.fullmatch(stripped)
        known = known if directive and directive[1].lower() in known else ()
        if directive and known and directive[1].lower() == "escape":
            escape = directive[2]
        if not stripped or stripped.startswith("#"):
            continue
        whole = _continued(stripped, lines, escape)
        if whole.strip(SPACES):
            yield LogicalLine(whole, number, lines.at, escape)
            _skip_heredocs(read_instruction(whole, number, escape), whole, lines)


class _Lines:
    """The lines with their numbers; `at` is the number of the last one that was read."""

    def __init__(self, text: str) -> None:
        self._lines = iter(text.removeprefix("\ufeff").split("\n"))
        self.at = 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        line = next(self._lines)
        self.at += 1
        return self.at, line


def read_instruction(line: str, number: int, escape: str) -> Instruction:
    """Return the instruction that one joined line holds."""
    name, *rest = _BETWEEN.split(line.strip(SPACES), maxsplit=1)
    flags, arguments = _split_flags(rest[0]) if rest else ((), "")
    return Instruction(name.upper(), flags, arguments.strip(SPACES), number, escape)


def triggered(instruction: Instruction) -> Instruction:
    """Return the instruction that an ONBUILD holds."""
    return read_instruction(instruction.rest, instruction.line, instruction.escape)


def _continued(line: str, lines: Iterator[tuple[int, str]], escape: str) -> str:
    """Return the line with those joined that continue it; comments and empty lines between them do not count."""
    parts = []
    text, goes_on = _without_continuation(line, escape)
    parts.append(text)
    while goes_on:
        _, following = next(lines, (0, None))
        if following is None:
            break
        bare = following.rstrip("\r")
        if not bare.strip(SPACES) or bare.lstrip(SPACES).startswith("#"):
            continue
        text, goes_on = _without_continuation(bare, escape)
        parts.append(text)
    return "".join(parts)


def _without_continuation(line: str, escape: str) -> tuple[str, bool]:
    bare = line.rstrip(" \t")
    if bare == escape or (bare.endswith(escape) and not bare.endswith(2 * escape)):
        return bare[:-1], True
    return line, False


def rewrite_flags(line: LogicalLine, change: Callable[[str], str | None]) -> str:
    """Return the text of the line with its flags changed: `change` takes one unquoted, and returns None to keep it.

    Those of the instruction that an ONBUILD holds count as well.
    """
    at = 0
    for word in _BETWEEN.split(line.text.strip(SPACES), maxsplit=2)[:2]:
        at = line.text.index(word, at) + len(word)
        if word.upper() != "ONBUILD":
            break
    head, text = line.text[:at], line.text[at:]
    raw = text.encode("utf-8", "surrogateescape").decode("latin-1")
    parts: list[str] = []
    done = 0
    for flag, begin, end in _flags(raw):
        changed = change(flag.encode("latin-1").decode("utf-8", "replace"))
        if changed is not None:
            parts += [raw[done:begin], _ESCAPED.sub(r"\\\g<0>", changed.encode().decode("latin-1")), " "]
            done = end
    return head + "".join([*parts, raw[done:]]).encode("latin-1").decode("utf-8", "surrogateescape")


def _split_flags(text: str) -> tuple[tuple[str, ...], str]:
    """Return the words that begin with `--`, unquoted, and what follows them. BuildKit looks at bytes here."""
    line = text.encode("utf-8", "surrogateescape").decode("latin-1")
    found = list(_flags(line))
    end = found[-1][2] if found else 0
    flags = tuple(flag for flag, _, _ in found if flag not in ("", "--"))
    return flags, line[end:].encode("latin-1").decode("utf-8", "replace")


def _flags(line: str) -> Iterator[tuple[str, int, int]]:
    """Yield the flags, unquoted, with where each begins and ends (behind its space), the last `--` included."""
    word, at = "", 0
    while word != "--":
        while at < len(line) and line[at] in _BYTE_SPACES:
            at += 1
        begin = at
        if not line.startswith("--", at):
            return
        word, at = _flag(line, at)
        yield word, begin, at


def _flag(line: str, at: int) -> tuple[str, int]:
    """Return the unquoted word that begins at `at`, and where it ends."""
    word: list[str] = []
    quote = ""
    while at < len(line):
        character = line[at]
        at += 1
        if character == "\\":
            word += line[at : at + 1]
            at += 1
        elif quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character in _BYTE_SPACES:
            break
        elif character in "\"'":
            quote = character
        else:
            word.append(character)
    return "".join(word), at


def _skip_heredocs(instruction: Instruction, line: str, lines: Iterator[tuple[int, str]]) -> None:
    if "<<" not in line:
        return
    inner = triggered(instruction) if instruction.name == "ONBUILD" else instruction
    if inner.name not in _WITH_HEREDOCS or read_json(inner.rest) is not None:
        return
    words, closed = split_words(line, "\\")
    if not closed:
        return  # a quote without its end: then the shell line is taken as it is
    if _ODD_SUBSTITUTION.search(line):
        raise BuildError(
            f"Line {instruction.line} of the Dockerfile has `<<` beside a substitution that cannot be read before "
            "the build: set a shell variable on a line of its own."
        )
    for word in words:
        heredoc = _HEREDOC.fullmatch(word)
        name = expand(heredoc[2], "\\", _as_it_stands) if heredoc else ""
        if heredoc and name:
            for _, body in lines:
                bare = body.rstrip("\r")
                if (bare.lstrip("\t") if heredoc[1] else bare) == name:
                    break


def _as_it_stands(name: str) -> str:
    return f"${name}"
