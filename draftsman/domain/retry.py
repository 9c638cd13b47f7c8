"""Whether an attempt that failed by no fault of its author is tried again, and when. Pure.

A cause is told apart where the failure is met, by a typed error or by what a tool's output says. A check that fails has
no cause, and is never tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What ended an attempt that its author can do nothing about, and that another try may not meet."""

    REGISTRY = "registry"
    """A registry of images or packages failed, or asked for a pause."""
    NETWORK = "network"
    """A name was not resolved, or a connection broke, while an image was built or the setup ran."""
    SOURCE = "source"
    """GitHub did not give the commit, or what belongs to it."""
    ENGINE = "engine"
    """The Docker engine was away, or failed."""
    KILLED = "killed"
    """The job went with its engine, or lost the fence that it stood in."""
    WORKER = "worker"
    """The lease ran out as often as it may."""
    DISK = "disk"
    """No room was left on the disk of the engine or of the worker."""

    @property
    def phrase(self) -> str:
        """Return what happened, to be put into a sentence."""
        return _PHRASES[self]


_PHRASES = {
    Cause.REGISTRY: "a registry did not answer as it should",
    Cause.NETWORK: "the network failed",
    Cause.SOURCE: "the commit could not be fetched",
    Cause.ENGINE: "the Docker engine did not do its work",
    Cause.KILLED: "the job was ended together with its engine or its fence",
    Cause.WORKER: "its worker was lost",
    Cause.DISK: "the disk was full",
}


@dataclass(frozen=True, slots=True)
class Budget:
    """How often one cause is met with another try, and after which pause.

    `most` bounds the number that the settings allow, None leaves it as it is. `first` is the pause before the first
    retry, in units of `RetryRules.seconds`; 0 has every retry start at once.
    """

    most: int | None = None
    first: float = 1.0


BUDGETS = {
    Cause.REGISTRY: Budget(),
    Cause.NETWORK: Budget(),
    Cause.SOURCE: Budget(),
    Cause.ENGINE: Budget(),
    # The engine is back when this is seen.
    Cause.KILLED: Budget(most=2, first=0),
    # It was taken up several times already: it may be what ends its workers.
    Cause.WORKER: Budget(most=1),
    # It may be what fills the disk; cleaning up takes a while.
    Cause.DISK: Budget(most=1, first=4),
}

GROWTH = 4.0
"""How many times as long each pause is as the one before."""

LONGEST_SECONDS = 3600.0

IN_ALL = 2
"""Of all causes together there are at most so many times the retries of one."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """What the settings allow: `retries` for one cause (0: none at all), `seconds` before the first of them."""

    retries: int = 3
    seconds: float = 30.0


NO_RETRIES = RetryRules(0)


def pause_before_retry(cause: Cause, earlier: Sequence[Cause], rules: RetryRules) -> float | None:
    """Return the seconds until an attempt that this cause ended is tried again, 0 for at once; None: it is not.

    `earlier` are the causes of the attempts that this one, itself a retry, was preceded by.
    """
    budget = BUDGETS[cause]
    allowed = rules.retries if budget.most is None else min(budget.most, rules.retries)
    spent = sum(one is cause for one in earlier)
    if spent >= allowed or len(earlier) >= IN_ALL * rules.retries:
        return None
    return min(budget.first * rules.seconds * GROWTH**spent, LONGEST_SECONDS)
