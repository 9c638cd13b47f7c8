"""Which faults are provoked together: a deck of all of them, dealt into rounds. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

CAPACITY: Mapping[str, int] = {"worker": 3, "serve": 2}
"""How many faults of a round may touch a thing; one, where it is not named. They may hit one program twice."""


@dataclass(frozen=True, slots=True)
class Card:
    """A fault that is to be provoked: its name, and the things that it touches."""

    name: str
    touches: tuple[str, ...]


def deal(cards: Iterable[Card], *, each: int, at_once: int, seed: int) -> list[list[str]]:
    """Return rounds that hold every card `each` times, at most `at_once` in one, and no card twice in one.

    Cards that touch the same thing do not meet, as far as its capacity goes. The same seed deals the same.
    """
    luck = random.Random(f"rounds {seed}")
    known = {card.name: card for card in cards}
    deck = Counter(dict.fromkeys(known, each))
    rounds: list[list[str]] = []
    while deck:
        rounds.append(_round(deck, known, at_once, luck))
    luck.shuffle(rounds)
    return rounds


def _round(deck: Counter[str], known: Mapping[str, Card], at_once: int, luck: random.Random) -> list[str]:
    """Take one round out of the deck; what there is most of comes first, so that few rounds are lonely at the end."""
    names = sorted(deck, key=lambda name: (-deck[name] * _weight(known[name], known.values()), luck.random()))
    chosen: list[str] = []
    for name in names:
        if len(chosen) < at_once and fits(known[name], [known[one] for one in chosen]):
            chosen.append(name)
    for name in chosen:
        deck[name] -= 1
        if not deck[name]:
            del deck[name]
    return chosen


def _weight(card: Card, others: Iterable[Card]) -> int:
    """Return how many cards it keeps away: those that few can meet are to find a place early."""
    return sum(not fits(card, [other]) for other in others)


def fits(card: Card, others: Sequence[Card]) -> bool:
    """Return whether the card may be provoked together with these."""
    used = Counter(thing for one in (*others, card) for thing in one.touches)
    return all(number <= CAPACITY.get(thing, 1) for thing, number in used.items())
