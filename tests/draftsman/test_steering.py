"""What a person can have done, in a real Postgres: re-runs, approvals, installations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.steering import NotNowError, Steering
from draftsman.store import approvals, attempts, audit, installations, leases, policies, runs
from draftsman.store.database import Pool
from draftsman.store.reruns import Asked
from draftsman.store.runs import Wanted

SHA = "a" * 40
INSTALLED = Admission()
"""With no list, those of approved installations are served."""


@dataclass
class Steered:
    """A Draftsman that is steered. `woken` counts the wake-ups."""

    pool: Pool[Any]
    policy: RepoPolicy = field(default_factory=RepoPolicy)
    admission: Admission = EVERYBODY
    woken: int = 0

    async def wake(self) -> None:
        self.woken += 1

    @property
    def steering(self) -> Steering:
        return Steering(self.pool, self.wake, self.policy, self.admission)

    async def start(self, *, trust: Trust = Trust.TRUSTED, sha: str = SHA, installation: int = 3) -> UUID:
        repository = Repository(installation, f"acme/w{installation}", "https://x/y.git", "main", False, installation)
        wanted = Wanted(repository, sha, Ref(RefKind.PULL_REQUEST, "1"), trust)
        async with self.pool.acquire() as connection, connection.transaction():
            return (await runs.start(connection, wanted, delivery=None)).run_id

    async def run_next(self) -> None:
        attempt = await leases.claim(self.pool, owner="w", lease_seconds=30, per_repository=9)
        assert attempt is not None
        await attempts.finish(self.pool, attempt, Outcome(Conclusion.FAILURE, "no"), owner="w")

    async def states(self, run_id: UUID) -> list[tuple[RunState, Conclusion | None]]:
        """The states of the run's attempts, oldest first."""
        return [(one.state, one.conclusion) for one in reversed(await attempts.of_run(self.pool, run_id))]

    async def installed(self, number: int = 3) -> None:
        await installations.note(self.pool, number, account="acme", account_id=number)


@pytest.fixture
def steered(pool: Pool[Any]) -> Steered:
    return Steered(pool)


async def test_a_rerun_is_a_new_attempt_and_wakes_a_worker(steered: Steered) -> None:
    run_id = await steered.start()
    await steered.run_next()
    asked = await steered.steering.rerun(run_id, by="ada", tiers=[Tier.FAST], rebuild=True)
    assert asked.asked is Asked.CREATED
    newest = (await attempts.of_run(steered.pool, run_id))[0]
    assert (newest.number, newest.state, newest.asked_by) == (2, RunState.QUEUED, "ada")
    assert (newest.tiers, newest.rebuild, steered.woken) == (frozenset({Tier.FAST}), True, 1)


async def test_what_is_not_served_is_neither_rerun_nor_approved(steered: Steered) -> None:
    run_id = await steered.start(trust=Trust.UNTRUSTED)
    steered.admission = Admission(deny=("acme",))
    for asked in (
        steered.steering.rerun(run_id, by="ada"),
        steered.steering.approve(run_id, sha=SHA, by="ada"),
    ):
        with pytest.raises(NotNowError, match=r"does not serve acme/w3"):
            await asked
    assert not await approvals.is_approved(steered.pool, run_id)
    assert steered.woken == 0


async def test_an_approval_queues_what_waits_and_may_be_repeated(steered: Steered) -> None:
    run_id = await steered.start(trust=Trust.UNTRUSTED)
    await approvals.hold(steered.pool, run_id, title="waiting for approval")
    approved = await steered.steering.approve(run_id, sha=SHA, by="ada")
    assert (approved.state, approved.number, approved.trust) == (RunState.QUEUED, 2, Trust.UNTRUSTED)
    again = await steered.steering.approve(run_id, sha=SHA, by="bob")
    assert again.id == approved.id
    await steered.run_next()
    assert (await steered.steering.approve(run_id, sha=SHA, by="bob")).state is RunState.FINISHED
    events = [(event.actor, event.action) for event in await audit.of_run(steered.pool, run_id)]
    assert events.count(("ada", "run.approved")) == 1
    assert ("bob", "run.approved") not in events


async def test_an_approval_of_another_commit_approves_nothing(steered: Steered) -> None:
    run_id = await steered.start(trust=Trust.UNTRUSTED)
    for sha in ("b" * 40, SHA[:12], ""):
        with pytest.raises(NotNowError, match=SHA):
            await steered.steering.approve(run_id, sha=sha, by="ada")
    assert not await approvals.is_approved(steered.pool, run_id)


async def test_a_trusted_run_needs_no_approval(steered: Steered) -> None:
    with pytest.raises(NotNowError, match="needs no approval"):
        await steered.steering.approve(await steered.start(), sha=SHA, by="ada")


async def test_where_forks_never_run_an_approval_helps_once_the_policy_allows_it(steered: Steered) -> None:
    run_id = await steered.start(trust=Trust.UNTRUSTED)
    await approvals.hold(steered.pool, run_id, title="forks never run here", never=True)
    steered.policy = RepoPolicy(approval=ApprovalPolicy.NEVER)
    with pytest.raises(NotNowError, match="draftsman policy set acme/w3"):
        await steered.steering.approve(run_id, sha=SHA, by="ada")
    await policies.change(steered.pool, "acme/w3", lambda _: {"approval": "approve-all"}, by="ada")
    approved = await steered.steering.approve(run_id, sha=SHA, by="ada")
    assert (approved.state, approved.number) == (RunState.QUEUED, 2)


async def test_a_cancelled_run_has_ended_and_a_finished_one_cannot_be_cancelled(steered: Steered) -> None:
    run_id = await steered.start()
    ended = await steered.steering.cancel(run_id, by="ada", reason="by ada")
    assert (ended.conclusion, ended.title) == (Conclusion.CANCELLED, "cancelled by ada")
    with pytest.raises(NotNowError, match="nothing to cancel"):
        await steered.steering.cancel(run_id, by="ada", reason="by ada")


async def test_an_approved_installation_is_looked_at_once(steered: Steered) -> None:
    await steered.installed()
    for _ in range(2):
        decided = await steered.steering.decide(3, approved=True, by="ada")
        assert decided is not None
        assert (decided.state, decided.decided_by) == ("approved", "ada")
    rows = await steered.pool.fetch("SELECT kind, lane, detail FROM tasks")
    assert [tuple(row) for row in rows] == [("first_contact", "installation:3", {"installation_id": 3})]
    assert await steered.steering.decide(4, approved=True, by="ada") is None


async def test_a_refused_installation_ends_what_goes_on_of_its_own_alone(steered: Steered) -> None:
    steered.admission = INSTALLED
    for number in (3, 4):
        await steered.installed(number)
        await steered.steering.decide(number, approved=True, by="ada")
    own, other = await steered.start(), await steered.start(installation=4)
    await steered.steering.decide(3, approved=False, by="ada")
    [attempt] = await attempts.of_run(steered.pool, own)
    assert attempt.conclusion is Conclusion.CANCELLED
    assert attempt.title == "cancelled (this Draftsman does not serve acme any more)"
    assert await steered.states(other) == [(RunState.QUEUED, None)]
    await steered.steering.decide(3, approved=True, by="ada")
    await steered.start()
    assert await steered.states(own) == [(RunState.FINISHED, Conclusion.CANCELLED), (RunState.QUEUED, None)]


async def test_a_refusal_ends_nothing_that_an_allow_list_serves(steered: Steered) -> None:
    steered.admission = Admission(allow=("acme",))
    await steered.installed()
    run_id = await steered.start()
    await steered.steering.decide(3, approved=False, by="ada")
    assert await steered.states(run_id) == [(RunState.QUEUED, None)]


async def test_an_installation_that_was_removed_cannot_be_approved(steered: Steered) -> None:
    await steered.installed()
    await installations.mark(steered.pool, 3, removed=True)
    with pytest.raises(NotNowError, match="removed from acme"):
        await steered.steering.decide(3, approved=True, by="ada")
    assert await steered.pool.fetchval("SELECT count(*) FROM tasks") == 0
