"""Bad days under a seed: deliveries that suffer, requests that suffer, and the good days after them."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

from tests.github.client import Client
from tests.github.misbehaviour import BadCourier, BadLuck, DeliveryOdds, RequestOdds
from tests.github.receiver import Receiver
from tests.github.repository import Repository

ALL_ODDS = DeliveryOdds(drop=0.2, lose_answer=0.1, duplicate=0.2, delay=0.3, delay_seconds=0.01, window=6)


def outcome(seed: int) -> list[tuple[str, bool, bool, bool]]:
    courier = BadCourier(ALL_ODDS, seed)
    parcels = [parcel for number in range(60) for parcel in courier.take("push", {"number": number})]
    parcels += courier.rest()
    return [(f"{p.payload['number']} {p.guid} {p.delay}", p.again, p.dropped, p.lose_answer) for p in parcels]


def test_a_seed_decides_everything() -> None:
    assert outcome(7) == outcome(7) != outcome(8)


def test_every_event_goes_out_and_not_far_out_of_order() -> None:
    numbers = [int(key.split()[0]) for key, again, _, _ in outcome(7) if not again]
    assert sorted(numbers) == list(range(60))
    assert numbers != sorted(numbers)
    assert all(number < place + 6 for place, number in enumerate(numbers)), "none comes before it can have happened"
    for index in (1, 2, 3):
        assert sum(bool(found[index]) for found in outcome(7)) > 0


def test_requests_suffer_as_often_as_asked() -> None:
    luck = BadLuck(RequestOdds(limited=0.1, broken=0.1, broken_after=0.1, reset=0.1, reset_after=0.1), 1)
    drawn = [luck.draw() for _ in range(2000)]
    kinds = Counter((fault.status or 0) // 100 * 100 + fault.after_work if fault else None for fault in drawn)
    assert kinds[None] == pytest.approx(1000, rel=0.15)
    assert {400, 500, 501, 0, 1} <= kinds.keys(), "limits, errors and resets, before and after the work"
    assert all(fault.headers == {"Retry-After": "1"} for fault in drawn if fault and fault.status == 403)


@pytest.mark.parametrize(
    ("odds", "kind"),
    [(DeliveryOdds, {"drop": 1.5}), (RequestOdds, {"reset": -0.1}), (RequestOdds, {"reset": 0.6, "broken": 0.6})],
)
def test_impossible_odds_are_refused(odds: Any, kind: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="probabilit"):
        odds(**kind)


@pytest.fixture
async def widgets(client: Client, receiver: Receiver) -> Repository:
    return await client.github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})


async def push(repo: Repository, number: int) -> None:
    for count in range(number):
        await repo.tag(f"v{count}")


async def listed(client: Client, query: str = "") -> list[Any]:
    return list((await client.call("GET", f"/app/hook/deliveries?per_page=100{query}")).json)


async def test_dropped_deliveries_are_listed_as_failed(client: Client, receiver: Receiver, widgets: Repository) -> None:
    client.github.misbehave(3, deliveries={"drop": 0.5})
    await push(widgets, 20)
    await client.github.behave()
    failed = await listed(client, "&status=failure")
    assert 0 < len(failed) == 20 - len(receiver.got)
    assert {item["status_code"] for item in failed} == {0}
    detail = (await client.call("GET", f"/app/hook/deliveries/{failed[0]['id']}")).json
    assert detail["request"]["payload"]["repository"]["full_name"] == "acme/widgets"
    assert [item["id"] for item in await listed(client)] == sorted(d.id for d in client.github.deliveries)[::-1]


async def test_deliveries_are_reordered_and_doubled(client: Client, receiver: Receiver, widgets: Repository) -> None:
    client.github.misbehave(
        5, deliveries={"duplicate": 0.5, "delay": 0.5, "delay_seconds": 0.02, "window": 5, "lose_answer": 0.2}
    )
    await push(widgets, 20)
    await client.github.behave()
    refs = [payload["ref"] for payload in receiver.payloads]
    once = list(dict.fromkeys(refs))
    assert sorted(once) == sorted(f"refs/tags/v{number}" for number in range(20))
    assert once != [f"refs/tags/v{number}" for number in range(20)]
    guids = Counter(headers["X-GitHub-Delivery"] for headers, _ in receiver.got)
    assert len(guids) == 20
    assert max(guids.values()) == 2
    assert await listed(client, "&status=failure"), "some answers were lost"
    await widgets.tag("quiet")
    assert receiver.payloads[-1]["ref"] == "refs/tags/quiet", "after that, all is well"


async def test_requests_suffer_until_good_days_come(client: Client) -> None:
    client.github.misbehave(11, requests={"limited": 0.2, "too_many": 0.1, "broken": 0.2, "reset": 0.1, "slow": 0.1})
    seen: Counter[int] = Counter()
    for _ in range(60):
        try:
            seen[(await client.call("GET", "/rate_limit", token="")).status] += 1
        except aiohttp.ClientError:
            seen[0] += 1
    assert {0, 200, 403, 429} <= seen.keys()
    assert seen.keys() & {500, 502, 503}
    await client.github.behave()
    assert {(await client.call("GET", "/rate_limit", token="")).status for _ in range(20)} == {200}


async def test_list_of_deliveries_can_be_emptied(client: Client, receiver: Receiver, widgets: Repository) -> None:
    await push(widgets, 3)
    client.github.forget_deliveries()
    assert await listed(client) == []
    assert len(client.github.deliveries) == 3
    await client.github.ping()
    assert [item["event"] for item in await listed(client)] == ["ping"]


async def test_the_apps_own_deeds_do_not_wait_for_the_app(client: Client, widgets: Repository) -> None:
    """A receiver that answers only after its own request is answered would wait for ever otherwise."""
    client.github.webhook_url = None
    await widgets.commit({"a.py": "x = 2\n"}, branch="feature")
    await widgets.open_pull("Two", head="feature")
    blocked = asyncio.Event()

    async def wait_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await blocked.wait()
        writer.close()

    server = await asyncio.start_server(wait_for_ever, "127.0.0.1", 0)
    async with server:
        client.github.webhook_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        path = "/repos/acme/widgets/issues/1/comments"
        token = await client.token(widgets)
        async with asyncio.timeout(5):
            assert (await client.call("POST", path, {"body": "hello"}, token=token)).status == 201
        blocked.set()
        await client.github.settle()
