"""The trail of a plan: what was read, what it decided, and what lost."""

from __future__ import annotations

from draftsman.domain.plan import Evidence
from orchestrator.planning.rule import Rule

MAX_VALUE = 200
"""Characters of a hint that evidence shows; hints are strangers' text."""

MAX_SENTENCE = 1000
"""Characters of a rule or a warning. They are ours, but may name a stranger's files."""

MAX_ENTRIES = 300


def show(value: str, limit: int = MAX_VALUE) -> str:
    """Return a stranger's text on one line, without control characters, in at most `limit` characters.

    Bytes that are no UTF-8 (lone surrogates in Python's paths) become U+FFFD, so that it can always be printed.
    """
    line = "".join(map(_printable, value[: 2 * limit])).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    return "\ufffd" if "\ud800" <= char <= "\udfff" else " "


class Trail:
    """Knows which rules are in force, and collects evidence and warnings in the order of the decisions.

    At most `MAX_ENTRIES` of each are kept, since a repository can hold any number of hints. `off` holds the ids of
    rules that do not apply; tests turn rules off to show that a case needs them.
    """

    def __init__(self, off: frozenset[str] = frozenset()) -> None:
        self._off = off
        self._evidence: list[Evidence] = []
        self._warnings: list[str] = []

    def applies(self, rule: Rule) -> bool:
        """Return whether a rule is in force. Each rule is asked for before it decides anything."""
        return rule.id not in self._off

    def fresh(self) -> Trail:
        """Return an empty trail under the same rules."""
        return Trail(self._off)

    def note(
        self,
        decides: str,
        value: str,
        rule: str,
        *,
        file: str | None = None,
        line: int | None = None,
        by: Rule | str | None = None,
    ) -> None:
        """Add evidence: `value`, read at `file` and `line`, decides `decides`; the sentence `rule` says how.

        `by` is the rule (or its id) that decided.
        """
        if len(self._evidence) < MAX_ENTRIES:
            place = None if file is None else show(file)
            rule_id = by.id if isinstance(by, Rule) else by or ""
            self._evidence.append(Evidence(decides, place, line, show(value), show(rule, MAX_SENTENCE), rule_id))

    def warn(self, sentence: str) -> None:
        """Add a sentence that a person should read although the plan works."""
        shown = show(sentence, MAX_SENTENCE)
        if shown not in self._warnings and len(self._warnings) < MAX_ENTRIES:
            self._warnings.append(shown)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return what was noted so far."""
        return tuple(self._evidence)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was warned of so far."""
        return tuple(self._warnings)
