"""The trail of a plan: what was read, what it decided, and what lost."""

from __future__ import annotations

from draftsman.domain.plan import Evidence

MAX_VALUE = 200
"""Characters of a hint that evidence shows; hints are strangers' text."""

MAX_ENTRIES = 300


def show(value: str) -> str:
    """Return a stranger's text on one line, without control characters, in at most `MAX_VALUE` characters."""
    line = "".join(char if char.isprintable() else " " for char in value[: 2 * MAX_VALUE]).strip()
    return line if len(line) <= MAX_VALUE else line[: MAX_VALUE - 1] + "…"


class Trail:
    """Collects evidence and warnings, in the order in which decisions are made.

    At most `MAX_ENTRIES` of each are kept, since a repository can hold any number of hints.
    """

    def __init__(self) -> None:
        self._evidence: list[Evidence] = []
        self._warnings: list[str] = []

    def note(self, decides: str, value: str, rule: str, *, file: str | None = None, line: int | None = None) -> None:
        """Add evidence: `value`, read at `file` and `line`, decides `decides` by `rule`."""
        if len(self._evidence) < MAX_ENTRIES:
            self._evidence.append(Evidence(decides, file, line, show(value), rule))

    def warn(self, sentence: str) -> None:
        """Add a sentence that a person should read although the plan works."""
        if sentence not in self._warnings and len(self._warnings) < MAX_ENTRIES:
            self._warnings.append(sentence)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return what was noted so far."""
        return tuple(self._evidence)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was warned of so far."""
        return tuple(self._warnings)
