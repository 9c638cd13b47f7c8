"""Secrets taken out of output, wherever chunks are cut. Pure: bytes in, bytes out.

What is masked: what the host gave the job to know (a proxy's password), and what a step names with GitHub's own
`::add-mask::VALUE` line ("Workflow commands", Masking a value in a log). The same bytes give the same result however
they are cut, so that a log can be made again from its beginning and go on where it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = b"***"
SHORTEST = 3
"""Bytes: what is shorter is no secret, and masking it would make the log unreadable."""
LONGEST = 4000
MOST = 200

_LONG_LINE = 64 * 1024
_COMMAND = b"::add-mask::"
_LINE = re.compile(rb"(?:\A|(?<=\n))::add-mask::([^\n]{0,%d})\n" % LONGEST)


class Masks:
    """The values that are masked in all streams of one job. Grows as steps name more."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: list[bytes] = []
        for value in values:
            self.add(value.encode())

    def add(self, value: bytes) -> None:
        """Mask this value from now on, each of its lines for itself."""
        for line in value.splitlines():
            secret = line.strip()
            if SHORTEST <= len(secret) <= LONGEST and secret not in self.values and len(self.values) < MOST:
                self.values.append(secret)
        # The longest first: a secret that holds another one must not leave a part of itself behind.
        self.values.sort(key=len, reverse=True)


class MaskedStream:
    """One stream of output. Where there are secrets, a line is shown once it has ended; else as it comes."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._held = b""
        self._at_line_start = True

    def feed(self, content: bytes) -> bytes:
        """Return what of the output so far may be shown now."""
        text = self._held + content
        shown = b""
        if _COMMAND in text:
            shown, text = self._learn(text)
        keep = self._kept(text)
        self._held = text[len(text) - keep :]
        return shown + self._show(text[: len(text) - keep])

    def flush(self) -> bytes:
        """Return what was held back, when the section ends."""
        held, self._held = self._held, b""
        return self._show(held)

    def _learn(self, text: bytes) -> tuple[bytes, bytes]:
        """Take in the values of whole `::add-mask::` lines. Returns what comes up to their end, and the rest."""
        shown, at = b"", 0
        for match in _LINE.finditer(text):
            if match.start() == 0 and not self._at_line_start:
                continue
            shown += self._show(text[at : match.start()]) + _COMMAND + HIDDEN + b"\n"
            self._masks.add(_unescaped(match[1].rstrip(b"\r")))
            at = match.end()
            self._at_line_start = True
        return shown, text[at:]

    def _kept(self, text: bytes) -> int:
        """Return how many bytes at the end may be part of a secret, or of a line that names one."""
        line_at = text.rfind(b"\n") + 1
        line = text[line_at:]
        if self._masks.values:
            return len(line) if len(line) < _LONG_LINE else len(line) - self._cut(line)
        is_start = line_at > 0 or self._at_line_start
        may_name = is_start and len(line) <= len(_COMMAND) + LONGEST and line[: len(_COMMAND)] == _COMMAND[: len(line)]
        return len(line) if may_name else 0

    def _cut(self, line: bytes) -> int:
        """Return where a line without end is cut: every so many bytes, and never inside a secret."""
        cut = 0
        while len(line) - cut >= _LONG_LINE:
            cut += _LONG_LINE // 2
            for secret in self._masks.values:
                if (at := line.find(secret, cut - len(secret) + 1, cut + len(secret) - 1)) >= 0:
                    cut = at + len(secret)
        return cut

    def _show(self, text: bytes) -> bytes:
        if text:
            self._at_line_start = text.endswith(b"\n")
        for secret in self._masks.values:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text


def _unescaped(value: bytes) -> bytes:
    return value.replace(b"%0D", b"\r").replace(b"%0A", b"\n").replace(b"%25", b"%")
