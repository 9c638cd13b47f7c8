"""The way of deliveries out of the stand-in: at once and in order, or as badly as a test asked for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from tests.github.deliveries import DeliveryLog
from tests.github.misbehaviour import BadCourier, DeliveryOdds, Parcel
from tests.github.shapes import Json
from tests.github.state import State
from tests.github.webhook_spec import payload_problems


class Outbox:
    """Sends events to the App's webhook URL; without one they are lost, as at GitHub."""

    def __init__(self, state: State, log: DeliveryLog) -> None:
        self._state = state
        self._log = log
        self._courier: BadCourier | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def send(self, event: str, payload: Json, *, background: bool = False) -> None:
        """Deliver the event; `background` does not wait for it. A misbehaving outbox never waits."""
        to = self._state.app.webhook_url
        if to is None:
            return
        if problems := payload_problems(event, payload):
            raise ValueError(f"the stand-in's own {event} breaks GitHub's description: {problems}")
        if self._courier:
            self._hand_over(self._courier.take(event, payload))
        elif background:
            self._start(self._log.deliver(event, payload, to=to))
        else:
            await self._log.deliver(event, payload, to=to)

    def misbehave(self, odds: DeliveryOdds, seed: int) -> None:
        """Hold, reorder, double, delay and drop from now on."""
        self._courier = BadCourier(odds, seed)

    async def behave(self) -> None:
        """Send what is held back, wait until it has arrived, and be good from now on."""
        if self._courier:
            courier, self._courier = self._courier, None
            self._hand_over(courier.rest())
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is on its way any more (what a misbehaving outbox holds back stays there)."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Give up what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hand_over(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            self._start(self._carry(parcel))

    async def _carry(self, parcel: Parcel) -> None:
        to = self._state.app.webhook_url
        if to is None:
            return
        await asyncio.sleep(parcel.delay)
        await self._log.deliver(
            parcel.event,
            parcel.payload,
            to=to,
            guid=parcel.guid,
            redelivery=parcel.again,
            dropped=parcel.dropped,
            lose_answer=parcel.lose_answer,
        )

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
