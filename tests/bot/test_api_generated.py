"""The whole API under requests that are generated of its own description.

Whatever is sent, the answer is none of 5xx, and what the description says. `FUZZ_EXAMPLES` asks for more than the usual
number of requests in all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from bot.api.description import describe
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, Trust
from draftsman.store import (
    approvals,
    database,
    deliveries,
    installations,
    pauses,
    policies,
    profiles,
    runs,
    workers,
)
from draftsman.store.database import Pool
from draftsman.store.deliveries import Delivery
from draftsman.store.runs import Wanted
from draftsman.store.workers import Present
from tests.bot.api import TOKEN, Api, serve_api
from tests.bot.generated import Operation, operations
from tests.bot.work import claim, make_findings, make_plan

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))

SHA = "0123456789abcdef0123456789abcdef01234567"
GUID = "7b0e9a52-52c7-11ee-8f5b-0242ac120002"
PLACES = ("finished", "running", "queued", "waiting")
"""Where the runs stand that are there."""

BODIES: dict[str, Any] = {
    "putProfile": {"fast": ["make lint"]},
    "patchProfile": {"full": ["make test"]},
    "rerunRun": {"tiers": ["fast"], "rebuild": True},
    "cancelRun": {},
    "approveRun": {"sha": SHA},
    "patchPolicy": {"approval": "open", "trusted": ["alice"], "runs_on": ["gpu"]},
    "decideInstallation": {"state": "refused"},
    "purgeRun": {"reason": "a token was printed"},
    "purgeAttempt": {},
    "purgeDelivery": {"reason": "a token was sent"},
    "pauseQueue": {"reason": "upgrade"},
    "pauseRepository": {},
    "drainWorker": {"reason": "upgrade"},
}
RUNS = {"rerunRun": "finished", "cancelRun": "queued", "approveRun": "waiting"}
"""The run that an operation can do something for, where not every one is."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Api, dict[str, str]]]:
    """The API, with something of every kind behind it, and the ids of the runs by where they stand."""
    pool = await database.connect(url, size=4)
    found = {place: await started(pool, number, place) for number, place in enumerate(PLACES, start=1)}
    await profiles.keep_inferred(pool, "acme/widgets", make_plan(), "hash")
    await policies.change(pool, "acme/widgets", lambda _: {"run_tags": True}, by="ada")
    await installations.note(pool, 3, account="acme", account_id=7)
    await deliveries.insert(pool, Delivery(GUID, "push", None, 1, 3, b"{}", repo="acme/w1", sender="ada"), "nothing: x")
    await workers.beat(pool, Present("w1", "host", "1.0", slots=2, per_repository=2))
    async with pool.acquire() as connection, connection.transaction():
        for repo in (None, "acme/widgets"):
            await pauses.pause(connection, repo, by="ada")
    async for api in serve_api(pool, TOKEN):
        yield api, found
    pool.terminate()


async def started(pool: Pool[Any], number: int, place: str) -> str:
    """A run of a repository of its own, brought to where it is to stand."""
    repository = Repository(number, f"acme/w{number}", "https://x/y.git", "main", False, 3)
    trust = Trust.UNTRUSTED if place == "waiting" else Trust.TRUSTED
    async with pool.acquire() as connection, connection.transaction():
        wanted = Wanted(repository, SHA, Ref(RefKind.PULL_REQUEST, "1"), trust)
        begun = await runs.start(connection, wanted, delivery=None)
        if place == "waiting":
            await approvals.hold(connection, begun.run_id, title="waiting for approval")
    if place in ("finished", "running"):
        work = await claim(pool)
        await work.plan(make_plan())
        await work.sandbox()
        await work.step("fast-1", 1, b"src/a.py:1: \xff no\n")
        if place == "finished":
            await work.finish(Conclusion.FAILURE, "ruff failed", "detail", make_findings(2))
    return str(begun.run_id)


def known(found: dict[str, str]) -> dict[tuple[str, str], list[str]]:
    """What leads somewhere."""
    return {
        ("path", "owner"): ["acme"],
        ("path", "repo"): ["widgets", "other"],
        ("path", "run"): list(found.values()),
        ("path", "number"): ["1", "2"],
        ("path", "id"): ["3"],
        ("path", "guid"): [GUID],
        ("path", "worker"): ["w1"],
        ("query", "repo"): ["acme/w1", "acme/none"],
        ("query", "sha"): [SHA, SHA[:7]],
        ("query", "after"): list(found.values()),
        ("body", "sha"): [SHA, "f" * 40],
    }


async def send_what_it_is_for(api: Api, operation: Operation, found: dict[str, str]) -> int:
    """Send what the operation is made for, and return the status."""
    filled = {name: values[0] for (place, name), values in known(found).items() if place == "path"}
    filled["run"] = found[RUNS.get(operation.id, "finished")]
    headers = {"If_Match": "*"} if operation.method == "PUT" else {}
    path = operation.path.format(**filled)
    return (await api.send(operation.method, path, BODIES.get(operation.id), **headers)).status


OPERATIONS = [operation.id for operation in operations(describe(), {})]


@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_is_sent_is_answered_as_described(database_url: str, name: str) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        context = opened(database_url)
        api, found = runner.run(context.__aenter__())
        [operation] = [one for one in operations(api.description, known(found)) if one.id == name]

        @settings(
            max_examples=max(EXAMPLES // len(OPERATIONS), 10), deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(operation.requests())
        def send(wanted: Any) -> None:
            answer = runner.run(api.send_raw(wanted.method, wanted.path, wanted.body, wanted.headers))
            assert answer.status < 500

        try:
            done = runner.run(send_what_it_is_for(api, operation, found))
            assert done in (200, 201, 202, 204), "what an operation is for must be possible"
            send()
        finally:
            runner.run(context.__aexit__(None, None, None))


def test_every_body_that_is_described_has_an_example() -> None:
    assert {one.id for one in operations(describe(), {}) if one.media_types} == set(BODIES)
