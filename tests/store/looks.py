"""What Draftsman asks of its store again and again, by the product's own calls: for plans and times of a full one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.events.decision import Rules
from bot.intake import Receiver, keep
from draftsman.domain.labels import Offer
from draftsman.domain.outcome import Outcome
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind
from draftsman.store import attempts, check_runs, heads, leases, recovery, refs, retention, runs, tasks
from draftsman.store.deliveries import Delivery
from orchestrator.upkeep import reconcile
from tests.store.filled import BUSIEST, QUIETEST, REPOSITORIES

PAGE = 21
_WIDE = 10_000
_OFFER = Offer(("linux", "amd64", "big"))


async def _nothing() -> None:
    """Wake nobody."""


@dataclass
class Looks:
    """The calls, on one database. Each that writes does so with values of its own."""

    pool: Any
    count: int = 0
    claimed: list[Attempt] = field(default_factory=list)

    async def receive_push(self) -> None:
        """An event of a branch, as the webhook keeps it."""
        self.count += 1
        sha = hashlib.sha1(b"push %d" % self.count).hexdigest()
        repository = 1 + self.count % REPOSITORIES
        await self._keep("push", {"ref": "refs/heads/main", "after": sha, "before": "e" * 40}, repository)

    async def receive_pull_request(self) -> None:
        """An event of a pull request into the default branch of the repository that has the most runs."""
        self.count += 1
        pull = {
            "number": 20_000 + self.count,
            "state": "open",
            "user": {"login": "octocat"},
            "head": {"sha": hashlib.sha1(b"pull %d" % self.count).hexdigest(), "repo": {"id": BUSIEST}},
            "base": {"sha": "f" * 40, "ref": "main"},
        }
        await self._keep("pull_request", {"action": "opened", "pull_request": pull}, BUSIEST)

    async def _keep(self, event: str, about: Mapping[str, object], repository: int) -> None:
        name = f"acme/repository-{repository}"
        of = {"id": repository, "full_name": name, "default_branch": "main", "private": False}
        payload = {**about, "repository": of, "installation": {"id": 1 + repository % 20}}
        guid = f"look-{event}-{self.count}"
        delivery = Delivery(guid, event, None, repository, 1, json.dumps(payload).encode())
        received = await keep(Receiver(self.pool, None, Rules("https://github.com"), _nothing), delivery, payload)
        assert received.is_new, received.decision.text

    async def claim(self) -> None:
        """A worker takes the next attempt."""
        found = await leases.claim(self.pool, owner="w", lease_seconds=3600, per_repository=_WIDE, offer=_OFFER)
        assert found is not None
        self.claimed.append(found)

    async def finish_claimed(self) -> None:
        """What was claimed ends."""
        while self.claimed:
            await attempts.finish(self.pool, self.claimed.pop(), Outcome(Conclusion.SUCCESS, "fine"), owner="w")

    async def renew(self) -> None:
        """A worker keeps what it has."""
        if not self.claimed:
            await self.claim()
        await leases.renew(self.pool, self.claimed[-1], lease_seconds=3600)

    async def reconcile(self) -> None:
        """What the worker does every 10 seconds."""
        await reconcile(self.pool, _nothing, max_claims=3)

    async def ready(self) -> None:
        """What `/health` counts."""
        await attempts.queued(self.pool)

    async def unreported(self) -> None:
        """What the reporter looks for, again and again."""
        await check_runs.behind(self.pool)

    async def retention(self) -> None:
        """What is removed by its age, where nothing is old enough."""
        await retention.old_rows(self.pool, retention.Keep(), dry_run=False)

    async def next_task(self) -> None:
        """A task is taken and done, and it is looked when the next one is due."""
        self.count += 1
        await tasks.add(self.pool, tasks.TaskWanted("follow", f"look-{self.count}"), delivery=None)
        task = await tasks.take(self.pool, lease_seconds=60)
        assert task is not None
        await tasks.was_wanted(self.pool, task, {"comment": self.count})
        await tasks.end(self.pool, task)
        await tasks.seconds_to_next(self.pool)

    async def follow(self) -> None:
        """A pull request names another commit than before."""
        self.count += 1
        async with self.pool.acquire() as connection, connection.transaction():
            await refs.release(
                connection,
                BUSIEST,
                Ref(RefKind.PULL_REQUEST, str(self.count % 10_000)),
                head_sha="a" * 40,
                by="delivery",
                reason="(superseded)",
            )

    async def base(self) -> None:
        """What a failure is compared with, and what a comment was about, in a busy and in a quiet repository."""
        run_id = await self.pool.fetchval("SELECT id FROM runs ORDER BY created_at LIMIT 1")
        for repository in (BUSIEST, QUIETEST):
            await refs.last_of_branch(self.pool, repository, "main", except_run=run_id)
            await refs.head_at(self.pool, repository, Ref(RefKind.BRANCH, "main"), at=datetime.now(UTC))

    async def heads(self) -> None:
        """What comparing heads, and the list of deliveries, asks."""
        await heads.checked(self.pool, BUSIEST, Ref(RefKind.BRANCH, "main"), "a" * 40)
        await heads.first_seen(self.pool, [BUSIEST, QUIETEST])
        await recovery.last_received(self.pool)

    async def list_all(self) -> None:
        """`runs list`."""
        await attempts.recent(self.pool, limit=PAGE)

    async def list_next_page(self) -> None:
        """A page behind another one, of a program that reads all."""
        behind = await self.pool.fetchval("SELECT id FROM runs ORDER BY created_at DESC OFFSET 10 LIMIT 1")
        await attempts.recent(self.pool, limit=PAGE, after=behind)

    async def list_repository(self) -> None:
        """`runs list --repo`, of the busiest."""
        await attempts.recent(self.pool, limit=PAGE, repo=f"Acme/repository-{BUSIEST}")

    async def list_quiet_repository(self) -> None:
        """The same of the one that has hardly any runs."""
        await attempts.recent(self.pool, limit=PAGE, repo=f"acme/repository-{QUIETEST}")

    async def list_queued(self) -> None:
        """`runs list --state queued`."""
        await attempts.recent(self.pool, limit=PAGE, state="queued")

    async def list_finished(self) -> None:
        """`runs list --state finished`, behind all that are queued."""
        await attempts.recent(self.pool, limit=PAGE, state="finished")

    async def list_errors(self) -> None:
        """`runs list --state error`, of which there were a few long ago."""
        await attempts.recent(self.pool, limit=PAGE, state="error")

    async def list_commit(self) -> None:
        """`runs list --sha`."""
        sha = await self.pool.fetchval("SELECT head_sha FROM runs ORDER BY created_at DESC OFFSET 5 LIMIT 1")
        await attempts.recent(self.pool, limit=PAGE, sha=(sha or "a" * 40)[:10])

    async def show(self) -> None:
        """`runs show`, by the beginning of an id."""
        run_id = await self.pool.fetchval("SELECT id FROM runs ORDER BY created_at DESC OFFSET 5 LIMIT 1")
        await attempts.find(self.pool, str(run_id)[:12])
        await attempts.of_run(self.pool, run_id)
        await runs.of_commit(self.pool, BUSIEST, "a" * 40)


LOOKS: Mapping[str, Callable[[Looks], Awaitable[None]]] = {
    name: getattr(Looks, name)
    for name in vars(Looks)
    if callable(getattr(Looks, name)) and not name.startswith("_") and name != "finish_claimed"
}
"""Every call by its name."""
