"""`draftsman audit`, `deliveries` and `purge`, and what `runs show` tells, as a person uses them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.events.decision import Rules
from bot.intake import Receiver, keep
from bot.webhooks import parse
from draftsman.domain.admission import Admission
from draftsman.domain.run import Conclusion
from draftsman.store import audit
from draftsman.store.audit import AuditFilter
from draftsman.store.database import Pool
from tests.draftsman.test_steer_command import Draftsman, draftsman, end

__all__ = ["draftsman"]

pytestmark = pytest.mark.services

GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


async def receive(pool: Pool[Any], guid: str = GUID, *, allow: str = "acme", **changed: Any) -> dict[str, Any]:
    """A push of alice's to acme/widgets, received as GitHub sends it. Returns its payload."""

    async def wake() -> None:
        return None

    payload = PUSH | changed
    rules = Rules("https://github.example", admission=Admission(allow=(allow,)))
    headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": guid}
    delivery, parsed = parse(headers.get, "application/json", json.dumps(payload).encode())
    await keep(Receiver(pool, None, rules, wake), delivery, parsed)
    return payload


PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "b" * 40,
    "after": "a" * 40,
    "deleted": False,
    "head_commit": {"id": "a" * 40, "message": "A change"},
    "repository": {
        "id": 7,
        "full_name": "acme/widgets",
        "default_branch": "main",
        "private": False,
        "owner": {"login": "acme", "id": 9},
    },
    "installation": {"id": 3},
    "sender": {"login": "alice", "id": 5},
}


async def test_runs_show_tells_the_whole_story(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await receive(pool)
    await end(pool, Conclusion.FAILURE, "ruff failed")
    run = str(await pool.fetchval("SELECT id FROM runs"))
    shown = await draftsman("runs", "show", run[:8])
    assert shown.returncode == 0, shown.stderr
    history = shown.stdout.partition("history\n")[2]
    told = [
        "push by alice arrived: run aaaaaaa: pushed to a branch",
        "attempt 1 is made: trusted, for branch main",
        "attempt 1 is taken",
        "attempt 1 runs its checks",
        "attempt 1 finished as failure: ruff failed",
    ]
    assert [line.strip()[41:] for line in history.splitlines()] == told
    document = json.loads((await draftsman("runs", "show", f"{run}/1", "--json")).stdout)
    assert [event["text"] for event in document["history"]] == told
    assert document["history"][0]["delivery"] == GUID
    assert "no such attempt" in (await draftsman("runs", "show", f"{run}/2")).stderr
    assert "names no attempt" in (await draftsman("runs", "logs", f"{run}/x")).stderr


async def test_why_nothing_happened_for_a_push(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await receive(pool)
    await receive(pool, "0a", head_commit={"id": "c" * 40, "message": "A change [skip ci]"}, after="c" * 40)
    await receive(pool, "0b")
    await receive(pool, "0c", allow="others", after="d" * 40, head_commit={"id": "d" * 40, "message": "A change"})
    listed = json.loads((await draftsman("deliveries", "list", "--repo", "ACME/widgets", "--json")).stdout)
    assert [one["guid"] for one in listed] == ["0c", "0b", "0a", GUID]
    assert listed[0]["decision"].endswith("this Draftsman does not serve acme/widgets")
    assert listed[1]["decision"].endswith("the commit has a run already, which tells all that this asks for")
    assert listed[1]["run_id"] == listed[3]["run_id"] is not None
    assert {one["sender"] for one in listed} == {"alice"}
    text = (await draftsman("deliveries", "list", "--event", "push", "--since", "1h", "--limit", "1")).stdout
    assert "does not serve acme/widgets" in text
    shown = await draftsman("deliveries", "show", GUID[:8])
    assert "run aaaaaaa: pushed to a branch" in shown.stdout
    assert f"`draftsman runs show {listed[3]['run_id'][:8]}`" in shown.stdout
    assert "follow" in shown.stdout.partition("tasks\n")[2]
    assert "attempt 1 is made" in shown.stdout.partition("history\n")[2]
    unknown = await draftsman("deliveries", "show", "ff")
    assert (unknown.returncode, "No delivery 'ff' is known" in unknown.stderr) == (3, True)
    several = await draftsman("deliveries", "show", "0")
    assert "Several deliveries begin with '0'" in several.stderr
    assert (await draftsman("deliveries", "list", "--since", "yesterday")).returncode == 2


async def test_the_trail_tells_what_has_no_run(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await draftsman("policy", "set", "acme/widgets", "--approval", "open")
    await receive(pool)
    everything = await draftsman("audit")
    assert "policy changed" in everything.stdout
    assert "push by alice arrived" in everything.stdout
    assert "acme/widgets" in everything.stdout
    only = json.loads((await draftsman("audit", "--action", "policy", "--repo", "acme/widgets", "--json")).stdout)
    assert [event["action"] for event in only] == ["policy.changed"]
    alices = json.loads((await draftsman("audit", "--actor", "Alice", "--since", "5m", "--json")).stdout)
    assert [event["action"] for event in alices] == ["delivery.received"]
    assert "the newest 1" in (await draftsman("audit", "--limit", "1")).stdout
    assert "nothing of that kind" in (await draftsman("audit", "--actor", "nobody")).stdout


async def test_a_log_is_purged_after_a_question(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await receive(pool)
    run = str(await pool.fetchval("SELECT id FROM runs"))
    refused = await draftsman("purge", "log", run[:8], "--yes")
    assert (refused.returncode, "Attempt 1 is queued" in refused.stderr) == (3, True)
    await end(pool, Conclusion.FAILURE, "ruff failed")
    await pool.execute(
        "INSERT INTO log_chunks (attempt_id, position, section, size, content) "
        "SELECT id, 1, 'fast-1', 3, '\\x789c4b4c4a0600024d0127' FROM attempts"
    )
    unasked = await draftsman("purge", "log", run[:8])  # nobody answers
    assert unasked.returncode == 1
    assert await pool.fetchval("SELECT count(*) FROM log_chunks") == 1
    assert (await draftsman("purge", "log", run[:8], "--json")).returncode == 2
    done = await draftsman("purge", "log", f"{run[:8]}/1", "--yes", "--reason", "a token was printed")
    assert done.returncode == 0, done.stderr
    assert "removed of attempt 1: 1 pieces of log" in done.stdout
    assert "Revoke" in done.stdout
    assert await pool.fetchval("SELECT count(*) FROM log_chunks") == 0
    shown = (await draftsman("runs", "show", run[:8])).stdout
    assert "the log was removed on" in shown
    assert "a token was printed" in shown.partition("history\n")[2]
    logs = await draftsman("runs", "logs", run[:8])
    assert (logs.returncode, logs.stdout) == (0, "")
    assert "the log was removed on" in logs.stderr
    assert "(command line)" in logs.stderr
    missing = await draftsman("purge", "log", f"{run[:8]}/9", "--yes")
    assert (missing.returncode, "no attempt 9" in missing.stderr) == (3, True)


async def test_a_delivery_is_purged_and_stays_known(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await receive(pool)
    done = await draftsman("purge", "delivery", GUID[:6], "--yes", "--json")
    assert json.loads(done.stdout) == {"guid": GUID, "purged": True}
    assert await pool.fetchval("SELECT octet_length(body) FROM deliveries") == 0
    assert "its body was removed by" in (await draftsman("deliveries", "show", GUID)).stdout
    await receive(pool)
    assert await pool.fetchval("SELECT count(*) FROM deliveries WHERE octet_length(body) = 0") == 1
    [event] = await audit.recent(pool, AuditFilter(action="delivery.purged"), limit=5)
    assert event.actor.endswith("(command line)")


async def test_the_standing_of_the_schema_is_told_and_changes_nothing(draftsman: Draftsman, pool: Pool[Any]) -> None:
    status = json.loads((await draftsman("migrate", "--status", "--json")).stdout)
    assert status["up_to_date"] is True
    assert {one["state"] for one in status["migrations"]} == {"applied"}
    await pool.execute("DELETE FROM schema_migrations WHERE name = '0009_retention_indexes'")
    behind = await draftsman("migrate", "--check")
    assert (behind.returncode, "0009_retention_indexes" in behind.stdout) == (1, True)
    assert (await draftsman("migrate")).stdout == "applied 0009_retention_indexes\n"
    assert (await draftsman("migrate", "--check")).returncode == 0
    assert (await draftsman("migrate", "--json")).returncode == 2
