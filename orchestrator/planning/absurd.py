"""Refuses files that no person writes and that keep a parser busy for minutes. Each check is linear in the text.

tomllib takes time and memory in the square of a dotted key's parts (64 KiB of `a.a.a` took 47 s and 3.9 GB), and
configparser in the square of the blanks in a row (a line of 1,000 takes 10 ms) and of the lines that are wrong.
"""

from __future__ import annotations

import re

MAX_KEY_PARTS = 30
"""Parts of a dotted TOML key; real ones have up to eight."""

MAX_INI = 64 * 1024
"""Characters of an INI file; real ones have a few thousand."""

MAX_BLANKS = 100
"""Blanks in a row inside a line of an INI file."""

MAX_YAML_NESTING = 50
"""Brackets that are open at once in a YAML file."""

# Possessive quantifiers (`*+`) never give back what they took: an unfinished string costs one look, not one a quote.
_TOML_QUOTED = re.compile(
    r'"""(?:[^"\\]|\\(?:.|\Z)|"(?!""))*+(?:"""|\Z)'
    r"|'''(?:[^']|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\(?:[^\n]|(?=\n)|\Z))*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+",
    re.DOTALL,
)
_LONG_KEY = re.compile(r"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+)" + f"{{{MAX_KEY_PARTS}}}")
_MANY_BLANKS = re.compile(r"(?<=\S)[^\S\n]" + f"{{{MAX_BLANKS}}}")
_BRACKET = re.compile(r"[\[\]{}]")


def long_toml_key(text: str) -> int | None:
    """Return the line of the first dotted key of more than `MAX_KEY_PARTS` parts, or None."""
    if text.count(".") < MAX_KEY_PARTS:
        return None
    # A string may be a part of a key, so it leaves one behind, with as many lines as it had.
    bare = _TOML_QUOTED.sub(lambda match: "x" + "\n" * match.group().count("\n"), text)
    return _line_at(bare, _LONG_KEY.search(bare))


def absurd_ini(text: str) -> tuple[int, str] | None:
    """Return the line and what is wrong there, or None."""
    if len(text) > MAX_INI:
        return text.count("\n", 0, MAX_INI) + 1, f"this INI file has more than {MAX_INI // 1024} KiB"
    line = _line_at(text, _MANY_BLANKS.search(text))
    return None if line is None else (line, f"this line has more than {MAX_BLANKS} blanks in a row")


def is_nested_too_deeply(text: str) -> bool:
    """Return whether a YAML file opens more than `MAX_YAML_NESTING` brackets at once, in strings or not."""
    depth = 0
    for match in _BRACKET.finditer(text):
        depth = depth + 1 if match.group() in "[{" else max(depth - 1, 0)
        if depth > MAX_YAML_NESTING:
            return True
    return False


def _line_at(text: str, match: re.Match[str] | None) -> int | None:
    return None if match is None else text.count("\n", 0, match.start()) + 1
