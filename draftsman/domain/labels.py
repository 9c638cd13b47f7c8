"""Labels: what a worker offers, and what a repository's runs need of the worker that takes them. Pure.

A worker offers the labels that its administrator gave it, and the system and architecture of its Docker engine. A
repository's runs go to the workers that offer all that its policy asks for; one that asks for nothing, to any.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

MOST_LABELS = 20

LABEL = r"[a-z0-9][a-z0-9._-]{0,62}"
"""What a label may be, in lower case."""

_LABEL = re.compile(LABEL)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker offers when it claims: its `labels`, and the engine of this id, None where that is not known.

    `runs_on` are the labels that a repository needs for which no policy says so.
    """

    labels: tuple[str, ...] = ()
    runs_on: tuple[str, ...] = ()
    engine: str | None = None


def read_labels(given: Iterable[object]) -> tuple[str, ...]:
    """Return the labels in lower case, each once. Raises ValueError with a clause for what is none, or too many."""
    found: dict[str, None] = {}
    for one in given:
        label = one.strip().lower() if isinstance(one, str) else ""
        if not _LABEL.fullmatch(label):
            raise ValueError(f"{ascii(one)[:60]} is no label: up to 63 letters, digits, dots, dashes, underscores.")
        found[label] = None
    if len(found) > MOST_LABELS:
        raise ValueError(f"there may be {MOST_LABELS} labels at most.")
    return tuple(found)


def offered(own: Iterable[str], *, os: str, architecture: str) -> tuple[str, ...]:
    """Return what a worker offers: what it was given, and what its engine tells of itself (`linux`, `arm64`)."""
    of_engine = [word.lower() for word in (os, architecture) if _LABEL.fullmatch(word.lower())]
    return tuple(dict.fromkeys((*of_engine, *own)))


def covers(offer: Collection[str], needed: Iterable[str]) -> bool:
    """Return whether a worker that offers these takes the runs that need those."""
    return all(label in offer for label in needed)


def named(labels: Collection[str]) -> str:
    """Return the labels as a phrase: `the label gpu`, `the labels arm64 and gpu`."""
    *most, last = sorted(labels)
    return f"the labels {', '.join(most)} and {last}" if most else f"the label {last}"
