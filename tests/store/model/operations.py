"""What clients do to the store: the product's own calls, in the transactions in which it makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from draftsman.domain.labels import Offer
from draftsman.domain.outcome import ImageUsed, Outcome, StepResult
from draftsman.domain.plan import Plan, Profile, Tier
from draftsman.domain.renewal import When
from draftsman.domain.retry import RetryRules
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.store import approvals, attempts, deliveries, leases, logs, refs, reruns, runs, steps, tasks
from draftsman.store.deliveries import Delivery
from draftsman.store.runs import Wanted
from tests.store.model.turns import Client

REPOSITORIES = tuple(
    Repository(number, f"acme/{name}", f"https://github.com/acme/{name}.git", "main", False, 3)
    for number, name in ((7, "widgets"), (8, "gadgets"))
)
SHAS = tuple(letter * 40 for letter in "abc")
REFS = (
    (Ref(RefKind.BRANCH, "main"), Trust.TRUSTED, None),
    (Ref(RefKind.BRANCH, "topic"), Trust.TRUSTED, None),
    (Ref(RefKind.PULL_REQUEST, "1"), Trust.UNTRUSTED, "main"),
    (Ref(RefKind.PULL_REQUEST, "2"), Trust.TRUSTED, "weak"),
)
"""A ref, the trust of the events that name it, and the base branch of a pull request."""

OWNERS = ("w1", "w2", "w3")
ENGINES = {"w1": "e1", "w2": "e1", "w3": "e2"}
PER_REPOSITORY = 2
MAX_CLAIMS = 3
LEASE_SECONDS = 3600.0
KEPT_SECONDS = 3600.0
ENDS = (Conclusion.SUCCESS, Conclusion.FAILURE, Conclusion.CANCELLED, Conclusion.SKIPPED)
IMAGE = ImageUsed("draftsman-runner/acme/widgets:0123456789ab", "0" * 64, cached=True, build_seconds=0)
PLAN = Plan(Profile(None, "none", "", ("true",), ("true",)), (), "FROM scratch\n", (), ())


@dataclass(frozen=True, slots=True)
class Held:
    """A claim that somebody made, whether they have it still or not."""

    attempt: Attempt
    owner: str


@dataclass
class World:
    """What the clients know."""

    claims: list[Held] = field(default_factory=list)
    runs: list[UUID] = field(default_factory=list)

    def claim(self, number: int) -> Held | None:
        """Return one of the claims, the newest first, None where there is none."""
        return self.claims[-1 - number % len(self.claims)] if self.claims else None

    def run(self, number: int) -> UUID | None:
        """Return one of the runs, None where there is none."""
        return self.runs[number % len(self.runs)] if self.runs else None


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a client does. `which` chooses among what there is, and `how` among the ways."""

    kind: str
    which: int = 0
    how: int = 0

    async def do(self, client: Client, world: World) -> Any:
        """Do it. Raises LeaseLostError where a worker writes that has lost its lease."""
        if self.kind in WORK:
            held = world.claim(self.which)
            if held is None:
                return None
            await client.tag({"kind": self.kind, "attempt": str(held.attempt.id), "epoch": held.attempt.epoch})
            return await WORK[self.kind](client, held, self.how)
        if self.kind in STEERING:
            run_id = world.run(self.which)
            if run_id is None:
                return None
            await client.tag({"kind": self.kind})
            return await STEERING[self.kind](client, run_id, self.how)
        await client.tag({"kind": self.kind, "owner": OWNERS[self.which % len(OWNERS)]})
        return await OTHERS[self.kind](client, world, self.which, self.how)


async def _enter(client: Client, held: Held, how: int) -> None:
    state = (RunState.BUILDING, RunState.RUNNING)[how % 2]
    await attempts.enter(client, held.attempt, state, owner=held.owner)


async def _begin_anew(client: Client, held: Held, how: int) -> None:
    await logs.clear(client, held.attempt)


async def _renew(client: Client, held: Held, how: int) -> None:
    await leases.renew(client, held.attempt, lease_seconds=LEASE_SECONDS)


async def _keep_plan(client: Client, held: Held, how: int) -> None:
    async with client.transaction():
        await attempts.keep_plan(client, held.attempt, PLAN)
        await steps.replace(client, held.attempt, PLAN.steps)


async def _keep_image(client: Client, held: Held, how: int) -> None:
    await attempts.keep_image(client, held.attempt, IMAGE)


async def _log(client: Client, held: Held, how: int) -> None:
    await logs.keep(client, held.attempt, logs.LogChunk(1 + how, "fast-1", b"epoch %d" % held.attempt.epoch))


async def _cut(client: Client, held: Held, how: int) -> None:
    async with client.transaction():
        await logs.cut(client, held.attempt, logs.LogChunk(1, "fast-1", b"(cut)", cut_bytes=7), before=4)


async def _start_step(client: Client, held: Held, how: int) -> None:
    await steps.started(client, held.attempt, ("fast-1", "full-1")[how % 2])


async def _end_step(client: Client, held: Held, how: int) -> None:
    await steps.finished(client, held.attempt, StepResult("fast-1", Tier.FAST, "true", how % 2, 1.5))


async def _finish(client: Client, held: Held, how: int) -> None:
    result = StepResult("full-1", Tier.FULL, "true", 0, 1.5)
    outcome = Outcome(ENDS[how % len(ENDS)], f"ended {how}", steps=(result,))
    async with client.transaction():
        await attempts.finish(client, held.attempt, outcome, owner=held.owner)
        await steps.keep_results(client, held.attempt, outcome.steps)
        await steps.keep_findings(client, held.attempt, outcome.findings)


async def _give_back(client: Client, held: Held, how: int) -> None:
    await leases.give_back(client, held.attempt, owner=held.owner, kept_seconds=how % 2 * KEPT_SECONDS)


FENCED: Mapping[str, Callable[[Client, Held, int], Awaitable[None]]] = {
    "renew": _renew,
    "enter": _enter,
    "keep plan": _keep_plan,
    "keep image": _keep_image,
    "finish": _finish,
    "give back": _give_back,
}
"""What a worker does, and must hear of a lost lease from."""

WORK: Mapping[str, Callable[[Client, Held, int], Awaitable[None]]] = {
    **FENCED,
    "begin anew": _begin_anew,
    "log": _log,
    "cut log": _cut,
    "start step": _start_step,
    "end step": _end_step,
}


async def _cancel(client: Client, run_id: UUID, how: int) -> None:
    async with client.transaction():
        newest = await attempts.newest_of(client, run_id)
        if newest is not None:
            await attempts.ask_cancel(client, newest.id, by="alice", reason="by alice")


async def _approve(client: Client, run_id: UUID, how: int) -> None:
    async with client.transaction():
        await approvals.approve(client, run_id, by="alice", reason="because", asked=how % 2 == 0)


async def _hold(client: Client, run_id: UUID, how: int) -> None:
    async with client.transaction():
        await approvals.hold(client, run_id, title="waits", never=how % 3 == 0)


async def _rerun(client: Client, run_id: UUID, how: int) -> None:
    tiers = ((Tier.FAST,), (Tier.FAST, Tier.FULL), (Tier.FULL,))[how % 3]
    async with client.transaction():
        await reruns.ask(client, run_id, by="alice", cause="asked for", tiers=tiers, rebuild=how % 2 == 1)


STEERING: Mapping[str, Callable[[Client, UUID, int], Awaitable[None]]] = {
    "cancel": _cancel,
    "approve": _approve,
    "hold": _hold,
    "rerun": _rerun,
}
"""What people, and policies, do to a run."""


def wanted(which: int, how: int) -> Wanted:
    """Return what an event asks for."""
    ref, trust, base = REFS[how % len(REFS)]
    sha, repository = SHAS[which % len(SHAS)], REPOSITORIES[which // len(SHAS) % len(REPOSITORIES)]
    return Wanted(repository, sha, ref, trust, base_sha="d" * 40 if base else None, base_branch=base)


async def _event(client: Client, world: World, which: int, how: int) -> None:
    one = wanted(which, how)
    guid = str(uuid4())
    async with client.transaction():
        await deliveries.insert(client, Delivery(guid, "push", None, one.repository.id, 3, b"{}"), "run it")
        started = await runs.start(client, one, delivery=guid)
    if started.run_id not in world.runs:
        world.runs.append(started.run_id)


async def _comment(client: Client, world: World, which: int, how: int) -> None:
    """A person has the fast checks of a commit run that no event told of yet."""
    one = wanted(which, how)
    async with client.transaction():
        known = await runs.of_commit(client, one.repository.id, one.head_sha)
        if known:
            return
        started = await runs.start(client, one, delivery=None, actor="alice")
        if started.attempt_id is not None:
            await reruns.narrow(client, started.run_id, (Tier.FAST,), by="alice")
        await reruns.ask(client, started.run_id, by="alice", cause="comment test", tiers=(Tier.FAST,))
    if started.run_id not in world.runs:
        world.runs.append(started.run_id)


async def _claim(client: Client, world: World, which: int, how: int) -> None:
    owner = OWNERS[which % len(OWNERS)]
    pool: Any = client
    offer = Offer(engine=ENGINES[owner])
    found = await leases.claim(
        pool, owner=owner, lease_seconds=LEASE_SECONDS, per_repository=PER_REPOSITORY, offer=offer
    )
    if found is not None:
        world.claims.append(Held(found, owner))


async def _expire(client: Client, world: World, which: int, how: int) -> None:
    """Time passes for one lease."""
    held = world.claim(which)
    if held is not None:
        await client.execute(
            "UPDATE attempts SET lease_expires = now() - interval '1 second' "
            "WHERE id = $1 AND lease_expires IS NOT NULL",
            held.attempt.id,
        )


async def _reconcile(client: Client, world: World, which: int, how: int) -> None:
    async with client.transaction():
        await leases.give_back_lost(client, max_claims=MAX_CLAIMS, retries=RetryRules(retries=how % 3, seconds=0))


async def _lose(client: Client, world: World, which: int, how: int) -> None:
    await _expire(client, world, which, how)
    await _reconcile(client, world, which, how)


async def _take_back(client: Client, world: World, which: int, how: int) -> None:
    retries = RetryRules(retries=how % 3, seconds=0)
    async with client.transaction():
        await leases.give_back_of(
            client,
            OWNERS[which % len(OWNERS)],
            max_claims=MAX_CLAIMS,
            retries=retries,
            kept_seconds=how % 2 * KEPT_SECONDS,
        )


async def _release(client: Client, world: World, which: int, how: int) -> None:
    """A ref names another commit now, or none; what GitHub answers may be older than the newest event."""
    one = wanted(which, how)
    head_sha = None if how % 3 == 0 else SHAS[how % len(SHAS)]
    since = None if how % 2 else await refs.now(client) - timedelta(seconds=4)
    async with client.transaction():
        await refs.release(
            client, one.repository.id, one.ref, head_sha=head_sha, by="test", reason="(gone)", doubtful_since=since
        )


async def do_late(client: Client) -> bool:
    """Do one task that waits for the end of an attempt. Returns whether something came of it."""
    task = await tasks.take(client, lease_seconds=0)
    if task is None:
        return False
    [repository] = [one for one in REPOSITORIES if one.id == task.detail["repository_id"]]
    ref = Ref(RefKind(task.detail["kind"]), task.detail["name"])
    late = Wanted(repository, task.detail["head_sha"], ref, Trust(task.detail["trust"]))
    async with client.transaction():
        when = await runs.start_late(client, late, delivery=task.delivery)
        if when is not When.LATER:
            await tasks.end(client, task)
    return when is not When.LATER


async def _late(client: Client, world: World, which: int, how: int) -> None:
    await do_late(client)


OTHERS: Mapping[str, Callable[[Client, World, int, int], Awaitable[None]]] = {
    "event": _event,
    "comment": _comment,
    "claim": _claim,
    "expire": _expire,
    "reconcile": _reconcile,
    "lose": _lose,
    "take back": _take_back,
    "release": _release,
    "late": _late,
}

KINDS: Sequence[str] = (*OTHERS, *WORK, *STEERING)
