"""Splits a shell script into words and operators, and says which words are plain text.

Linear in the text. What cannot be told (an open quote, a substitution without end) ends the script.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)++")
COMMENT = re.compile(r"#[^\n]*+")
KEEPS_OUTPUT = re.compile(r"2?>&[12](?=[\s;&|)]|\Z)")
OPERATOR = re.compile(r"[0-9]?(?:<<<|<<-?|>>|>&|<&|&>>?|>\||[<>])|&&|\|\||\|&|;;&?|;&|[;|&()\n]")
BARE = re.compile(r"[^\s'\"\\;|&<>()$`]++")
SINGLE = re.compile(r"'([^']*+)'")
IN_DOUBLE = re.compile(r'[^"\\$`]++')
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*+)\}|([A-Za-z_][A-Za-z0-9_]*+))")
SPECIAL = re.compile(r"\$[0-9@*#?$!_-]|\$\{[^}]*+\}|`[^`]*+`|\$(?=[\s\"'])|\$\Z")
PARENTHESES = re.compile(r"\\.|'[^']*+'|[()]", re.DOTALL)

PLAIN = re.compile(r"[A-Za-z0-9._/:=,@+%^*?-]*(?:\[[A-Za-z0-9._,-]*\][A-Za-z0-9._/:=,@+-]*)?")
"""What stands outside of quotes. Brackets as in `.[test]` are meant as text, though they are a pattern."""

NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9._/:=,@+*?-]+")
QUOTABLE = re.compile(r"[A-Za-z0-9 ._/:=,@+*?\[\]{}()<>~!^|%-]*")


class UnreadableError(Exception):
    """The rest of the script cannot be told."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word (`operator` False) or an operator. `text` is as the shell passes it on; `line` counts from 0.

    `plain` says that the word is known and can be written again, `known` the former alone. `quoted` says that quotes
    were in it.
    """

    text: str
    line: int
    operator: bool = False
    plain: bool = True
    quoted: bool = False
    known: bool = True

    @property
    def written(self) -> str:
        """Return the word as a shell takes it."""
        if NEEDS_NO_QUOTES.fullmatch(self.text) and not (self.quoted and set("*?") & set(self.text)):
            return self.text
        return shlex.quote(self.text)


class Splitter:
    """Yields the tokens of a script. `variables` are those whose values are known and plain."""

    def __init__(self, script: str, variables: Mapping[str, str]) -> None:
        self._script = script
        self._variables = variables
        self._at = 0
        self._line = 0
        self._ends: list[str] = []
        self._wants_end = False

    def tokens(self) -> Iterator[Token]:
        """Yield words and operators. Raises UnreadableError."""
        while self._at < len(self._script):
            if self._take(BLANK) or self._take(COMMENT) or self._take(KEEPS_OUTPUT):
                continue
            line = self._line
            if operator := self._take(OPERATOR):
                if operator == "\n":
                    self._skip_documents()
                self._wants_end = operator.lstrip("0123456789") in ("<<", "<<-")
                yield Token(operator, line, operator=True)
                continue
            words = list(self._word(line))
            if self._wants_end and words:
                self._ends.append(words[0].text)
            self._wants_end = False
            yield from words
        if self._ends:
            raise UnreadableError

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._script, self._at)
        if match is None:
            return ""
        self._at = match.end()
        self._line += match.group().count("\n")
        return match.group()

    def _skip_documents(self) -> None:
        """Pass over the here-documents that began on the line before."""
        for end in self._ends:
            while self._at < len(self._script):
                until = self._script.find("\n", self._at)
                until = len(self._script) if until < 0 else until
                content = self._script[self._at : until]
                self._at = until + 1
                self._line += 1
                if content.strip() == end:
                    break
            else:
                raise UnreadableError
        self._ends = []

    def _word(self, line: int) -> Iterator[Token]:
        parts: list[str] = []
        plain = True
        quoted = False
        lone: str | None = None
        while self._at < len(self._script):
            start = self._at
            if bare := self._take(BARE):
                parts.append(bare)
                plain = plain and PLAIN.fullmatch(bare) is not None
            elif single := self._take(SINGLE):
                parts.append(single[1:-1])
                quoted = True
            elif self._script[start] == '"':
                text, known = self._double()
                parts.append(text)
                plain, quoted = plain and known, True
            elif (escaped := self._take(ESCAPED)) and escaped != "\\\n":
                parts.append(escaped[1:])
                quoted = True
            elif escaped:
                break
            elif self._script[start] in "$`":
                value = self._dollar()
                lone = value if not parts else None
                parts.append(value or "")
                plain = plain and value is not None and (lone is not None or " " not in value)
            else:
                break
        if self._at < len(self._script) and self._script[self._at] in "'\"\\":
            raise UnreadableError
        if lone is not None and len(parts) == 1:  # an unquoted variable falls into words
            yield from (Token(word, line) for word in lone.split())
            return
        text = "".join(parts)
        yield Token(text, line, plain=plain and QUOTABLE.fullmatch(text) is not None, quoted=quoted, known=plain)

    def _double(self) -> tuple[str, bool]:
        """Return what stands in double quotes, and whether it is known."""
        self._at += 1
        parts: list[str] = []
        known = True
        while self._at < len(self._script):
            char = self._script[self._at]
            if char == '"':
                self._at += 1
                return "".join(parts), known
            if char == "\\":
                escaped = self._take(ESCAPED)
                parts.append(escaped[1:] if escaped[1:] in ('"', "\\", "$", "`") else escaped)
            elif char in "$`":
                value = self._dollar()
                known = known and value is not None
                parts.append(value or "")
            else:
                parts.append(self._take(IN_DOUBLE))
            if not parts[-1] and char == "\\":
                break
        raise UnreadableError

    def _dollar(self) -> str | None:
        """Return the value of the variable here; None for one that is not known, and for substitutions."""
        match = VARIABLE.match(self._script, self._at)
        if match is not None:
            self._at = match.end()
            return self._variables.get(match.group(1) or match.group(2))
        if self._script.startswith("$(", self._at):
            self._skip_parentheses()
        elif self._script.startswith("$'", self._at):
            self._at += 1
        elif not self._take(SPECIAL):
            raise UnreadableError
        return None

    def _skip_parentheses(self) -> None:
        depth = 0
        for match in PARENTHESES.finditer(self._script, self._at + 1):
            depth += {"(": 1, ")": -1}.get(match.group(), 0)
            if depth == 0:
                self._line += self._script.count("\n", self._at, match.end())
                self._at = match.end()
                return
        raise UnreadableError
