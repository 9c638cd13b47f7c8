"""Deliveries that come twice or late, and an API that dies while it takes them."""

from __future__ import annotations

import asyncio

from tests.chaos.fault import REACHED_WITHIN, Fault, NotProvokedError, Provocation
from tests.chaos.world import StuckError
from tests.scenario.samples import WORDS

RESTARTS_WITHIN = 60.0


async def doubled(one: Provocation) -> str:
    """GitHub sends the same delivery twice at once, and again later, when somebody asks for it."""
    github = one.world.github
    github.misbehave(one.luck.randrange(10**6), deliveries={"duplicate": 1.0, "delay": 0.5, "delay_seconds": 0.05})
    try:
        sha = await one.people.counted()
        await one.people.prose()
    finally:
        await github.behave()
    sent = [delivery for delivery in github.deliveries if delivery.payload.get("after") == sha]
    await asyncio.gather(*(github.redeliver(delivery) for delivery in sent[:1] * 3))
    return f"{len(sent)} at once, 3 later"


async def reordered(one: Provocation) -> str:
    """Deliveries come late, in another order, or not at all; of some GitHub hears no answer."""
    odds = {"drop": 0.15, "lose_answer": 0.15, "duplicate": 0.1, "delay": 0.5, "delay_seconds": 0.5, "window": 4}
    one.world.github.misbehave(one.luck.randrange(10**6), deliveries=odds)
    try:
        await asyncio.gather(one.people.in_a_hurry(), one.people.in_a_hurry(), one.people.asks())
    finally:
        await one.world.github.behave()
    return "two hurried branches"


async def api_killed(one: Provocation) -> str:
    """kill -9 of the API while deliveries come in: those that it did not take are fetched from GitHub's list."""
    home = await one.people.repository(WORDS, "words")
    pushes = [asyncio.create_task(one.people.prose(home)) for _ in range(5)]
    await asyncio.sleep(one.luck.uniform(0, 0.3))
    one.world.serve.kill(away_seconds=one.luck.uniform(0, 3))
    await asyncio.gather(*pushes)
    return "while 5 pushes came"


async def api_killed_before_it_enqueues(one: Provocation) -> str:
    """kill -9 of the API between the commit of a delivery and the wake-up of the queue, which Redis holds up."""
    world = one.world
    home = await one.people.repository(WORDS, "words")
    world.lines["serve"].redis.hold()
    try:
        push = asyncio.create_task(one.people.prose(home))

        async def is_committed() -> bool:
            query = "SELECT 1 FROM runs r WHERE r.repository_id = $1"
            return bool(await world.rows(query, home.id))

        try:
            await world.until("a delivery that is kept", is_committed, seconds=REACHED_WITHIN)
        except StuckError as error:
            raise NotProvokedError(str(error)) from None
        world.serve.kill()
    finally:
        world.lines["serve"].redis.mend()
    await push
    return "the delivery was kept, nobody woken"


async def api_stopped(one: Provocation) -> str:
    """SIGTERM to the API while deliveries come in, as a deploy does it."""
    home = await one.people.repository(WORDS, "words")
    pushes = [asyncio.create_task(one.people.prose(home)) for _ in range(5)]
    await asyncio.sleep(one.luck.uniform(0, 0.3))
    one.world.serve.terminate(away_seconds=one.luck.uniform(0, 2))
    await asyncio.gather(*pushes)
    return "while 5 pushes came"


FAULTS = (
    Fault("delivery doubled", "the same delivery comes twice at once, and again", ("deliveries",), doubled, True),
    Fault("deliveries reordered", "deliveries are late, lost, out of order", ("deliveries",), reordered, True),
    Fault("API killed", "kill -9 of the API while it takes deliveries", ("serve",), api_killed),
    Fault(
        "API killed before it enqueues",
        "kill -9 of the API between commit and enqueue",
        ("serve",),
        api_killed_before_it_enqueues,
        True,
    ),
    Fault("API stopped", "SIGTERM to the API while it takes deliveries", ("serve",), api_stopped),
)
