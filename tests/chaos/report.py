"""Says how a run of the suite ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.chaos.facts import Facts
from tests.chaos.oracle import KINDS, Wrong
from tests.chaos.suite import Played

SHOWN = 40


def lines(wrongs: Sequence[Wrong], facts: Facts, played: Played, *, minutes: float, people: int) -> Iterator[str]:
    """Yield what is to be said of the end; the last line begins `lost 0, doubled 0, stuck 0` where all is well."""
    for wrong in wrongs[:SHOWN]:
        yield f"{wrong.kind}: {wrong.what}"
    if len(wrongs) > SHOWN:
        yield f"and {len(wrongs) - SHOWN} more"
    yield from (f"left out: {what}" for what in played.left_out)
    numbers = Counter(wrong.kind for wrong in wrongs)
    found = ", ".join(f"{kind} {numbers[kind]}" for kind in KINDS)
    yield f"{found} ({counted(facts, played, minutes=minutes, people=people)})"


def counted(facts: Facts, played: Played, *, minutes: float, people: int) -> str:
    """Return what there was, in a few words."""
    again = sum(attempt.number > 1 for attempt in facts.attempts)
    claims = Counter(row.attempt for row in facts.audit if row.action == "attempt.claimed")
    taken_over = sum(number - 1 for number in claims.values())
    numbers = sum(len(found) for attempt in facts.attempts for found in attempt.lines.values())
    return ", ".join(
        (
            f"{len(facts.delivered)} deliveries",
            f"{sum(not one.accepted for one in facts.delivered)} of them fetched later",
            f"{len({attempt.run for attempt in facts.attempts})} runs",
            f"{taken_over} claims taken over",
            f"{again} attempts tried again, {people} by a person",
            f"{numbers} numbered lines",
            f"{sum(played.happened.values())} faults in {len(played.happened)} kinds",
            f"{minutes:.0f} min",
        )
    )
