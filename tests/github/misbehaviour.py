"""Bad days of GitHub, drawn from a seed: which deliveries suffer, and which requests."""

import random
import re
import uuid
from dataclasses import dataclass, fields

from tests.github.faults import SECONDARY_LIMIT, Fault
from tests.github.shapes import Json


@dataclass(frozen=True)
class DeliveryOdds:
    """Probabilities of what happens to a delivery, and how far it goes.

    `drop`: it never arrives and is logged as failed (status code 0). `lose_answer`: it arrives, and is logged
    as failed all the same. `duplicate`: it arrives twice, with one GUID. `delay`: it comes up to
    `delay_seconds` later. `window`: events are held back until there are so many, then one of them, drawn at
    random, goes out (1 keeps the order).
    """

    drop: float = 0.0
    lose_answer: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 0.2
    window: int = 1

    def __post_init__(self) -> None:
        check_odds(self, ("drop", "lose_answer", "duplicate", "delay"))


@dataclass(frozen=True)
class RequestOdds:
    """Probabilities of what happens to an API request; together at most 1.

    `limited`: 403, the secondary rate limit. `too_many`: 429. Both carry `Retry-After: <retry_after>`.
    `broken`: 500, 502 or 503 instead of the work; `broken_after`: after it. `reset`: the connection is closed
    instead of the work; `reset_after`: after it. `slow`: the answer comes up to `slow_seconds` later.
    """

    limited: float = 0.0
    too_many: float = 0.0
    broken: float = 0.0
    broken_after: float = 0.0
    reset: float = 0.0
    reset_after: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 0.05
    retry_after: int = 1

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self) if field.name not in ("slow_seconds", "retry_after")]
        check_odds(self, names)
        if sum(getattr(self, name) for name in names) > 1:
            raise ValueError("the probabilities of what happens to a request add up to more than 1")


def check_odds(odds: DeliveryOdds | RequestOdds, names: list[str] | tuple[str, ...]) -> None:
    for name in names:
        if not 0 <= getattr(odds, name) <= 1:
            raise ValueError(f"{name} is a probability between 0 and 1, not {getattr(odds, name)}")


@dataclass(frozen=True)
class Parcel:
    """One delivery on its way, and what is to happen to it."""

    event: str
    payload: Json
    guid: str
    delay: float
    again: bool = False
    dropped: bool = False
    lose_answer: bool = False


class BadCourier:
    """Holds events back, and says in which order and how they go out. The same seed decides the same."""

    def __init__(self, odds: DeliveryOdds, seed: int) -> None:
        self._odds = odds
        self._random = random.Random(f"deliveries {seed}")
        self._held: list[tuple[str, Json]] = []

    def take(self, event: str, payload: Json) -> list[Parcel]:
        """What goes out now that this event has come in."""
        self._held.append((event, payload))
        return self._release() if len(self._held) >= self._odds.window else []

    def rest(self) -> list[Parcel]:
        """Everything that is still held back, in random order."""
        parcels = []
        while self._held:
            parcels += self._release()
        return parcels

    def _release(self) -> list[Parcel]:
        event, payload = self._held.pop(self._random.randrange(len(self._held)))
        guid = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        if self._happens(self._odds.drop):
            return [Parcel(event, payload, guid, 0.0, dropped=True)]
        first = Parcel(event, payload, guid, self._wait(), lose_answer=self._happens(self._odds.lose_answer))
        if not self._happens(self._odds.duplicate):
            return [first]
        return [first, Parcel(event, payload, guid, self._wait(), again=True)]

    def _wait(self) -> float:
        return self._random.uniform(0, self._odds.delay_seconds) if self._happens(self._odds.delay) else 0.0

    def _happens(self, probability: float) -> bool:
        return self._random.random() < probability


class BadLuck:
    """Draws a fault for a request, or none. The same seed decides the same for the same number of requests."""

    def __init__(self, odds: RequestOdds, seed: int) -> None:
        self._odds = odds
        self._random = random.Random(f"requests {seed}")

    def draw(self) -> Fault | None:
        """What happens to the next request."""
        kinds = ("limited", "too_many", "broken", "broken_after", "reset", "reset_after", "slow")
        weights = [getattr(self._odds, kind) for kind in kinds]
        [kind] = self._random.choices([*kinds, ""], [*weights, max(0.0, 1 - sum(weights))])
        if kind in ("limited", "too_many"):
            headers = {"Retry-After": str(self._odds.retry_after)}
            return self._fault(status=403 if kind == "limited" else 429, headers=headers, message=SECONDARY_LIMIT)
        if kind in ("broken", "broken_after"):
            status = self._random.choice((500, 502, 503))
            return self._fault(status=status, message="Server Error", after_work=kind == "broken_after")
        if kind in ("reset", "reset_after"):
            return self._fault(reset=True, after_work=kind == "reset_after")
        if kind == "slow":
            return self._fault(delay=self._random.uniform(0, self._odds.slow_seconds))
        return None

    @staticmethod
    def _fault(
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        message: str = "",
        reset: bool = False,
        after_work: bool = False,
        delay: float = 0.0,
    ) -> Fault:
        body = {"message": message, "status": str(status)}
        return Fault(None, ANY, 1, status, headers or {}, body, reset, after_work, delay)


ANY = re.compile("")
