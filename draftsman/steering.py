"""What a person can have done to runs, the queue and installations, whether by the command line or by the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draftsman.domain.admission import EVERYBODY, Admission
from draftsman.domain.errors import DraftsmanError
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.domain.run import Attempt, RunState, Trust
from draftsman.domain.waiting import Pause, Terms
from draftsman.domain.worker import Worker
from draftsman.store import approvals, attempts, installations, leases, pauses, policies, reruns, tasks, workers
from draftsman.store.database import Database, Pool
from draftsman.store.installations import Installation
from draftsman.store.pauses import Paused
from draftsman.store.reruns import Asked, Rerun


class NotNowError(DraftsmanError):
    """It cannot be done as things stand. The sentence says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Steering:
    """What can be done, over one database. `wake` tells the workers; the rest is what the instance was started with."""

    pool: Pool[Any]
    wake: Callable[[], Awaitable[None]]
    policy: RepoPolicy
    admission: Admission = EVERYBODY
    queue_limit: int = 0

    @property
    def terms(self) -> Terms:
        """Return what decides why a run waits."""
        return Terms(self.admission, self.queue_limit, self.policy.runs_on)

    async def rerun(
        self, run_id: UUID, *, by: str, tiers: Collection[Tier] = CHECKED_TIERS, rebuild: bool = False
    ) -> Rerun:
        """Have the run executed again, or join the attempt that does it. Raises NotNowError where it is not served."""
        async with self._transaction() as db:
            await self._demand_served(db, run_id)
            asked = await reruns.ask(db, run_id, by=by, cause="asked for", tiers=tiers, rebuild=rebuild)
        if asked.asked in (Asked.CREATED, Asked.JOINED):
            await self.wake()
        return asked

    async def approve(self, run_id: UUID, *, sha: str, by: str) -> Attempt:
        """Let the run's commit be executed and return the newest attempt. `sha` must be that commit, in full.

        A commit that was approved before, and came to nothing then, is queued; one that ran is left alone. Raises
        NotNowError where it is another commit, one that needs no approval, or one that approval does not help.
        """
        async with self._transaction() as db:
            await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR UPDATE", run_id)
            newest = await _newest(db, run_id)
            await self._demand_approvable(db, newest, sha)
            if newest.state is RunState.WAITING or not await approvals.is_approved(db, run_id):
                await approvals.approve(db, run_id, by=by, reason="by an administrator")
            if newest.state is RunState.FINISHED and newest.started_at is None:
                await reruns.ask(db, run_id, by=by, cause="approved")
            newest = await _newest(db, run_id)
        await self.wake()
        return newest

    async def cancel(self, run_id: UUID, *, by: str, reason: str) -> Attempt:
        """Have the newest attempt end, and return it. `reason` is a phrase (`by alice`). Raises NotNowError.

        Asking twice does no harm: the first one's reason stays.
        """
        async with self._transaction() as db:
            newest = await _newest(db, run_id)
            if newest.state is RunState.FINISHED:
                raise NotNowError(f"The run {_short(run_id)} is not under way: there is nothing to cancel.")
            await attempts.ask_cancel(db, newest.id, by=by, reason=reason)
            return await _newest(db, run_id)

    async def decide(self, installation_id: int, *, approved: bool, by: str) -> Installation | None:
        """Let an installation be served, or not any more; None where there is no such one. Raises NotNowError.

        One that may be served is looked at (`tasks.FIRST_CONTACT`); of one that may not, what is not finished ends.
        """
        async with self._transaction() as db:
            await db.execute("SELECT 1 FROM installations WHERE id = $1 FOR UPDATE", installation_id)
            before = await installations.get(db, installation_id)
            if before is None or before.state == ("approved" if approved else "refused"):
                return before
            if approved and before.is_removed:
                raise NotNowError(
                    f"The App was removed from {before.account}: installed again, it is another installation."
                )
            after = await installations.decide(db, installation_id, approved=approved, by=by)
            if approved:
                lane = f"installation:{installation_id}"
                wanted = tasks.TaskWanted(tasks.FIRST_CONTACT, lane, {"installation_id": installation_id})
                await tasks.add(db, wanted, delivery=None)
            else:
                await self._end_unserved(db, before, by)
        return after

    async def pause(self, repo: str | None, *, by: str, shown_as: str, reason: str) -> Paused:
        """Have no attempt of OWNER/NAME begin, of none at all for None, until it is resumed. What runs goes on.

        Runs that wait name `shown_as`, and the reason.
        """
        async with self._transaction() as db:
            return await pauses.pause(db, repo, by=by, reason=reason, shown_as=shown_as)

    async def resume(self, repo: str | None, *, by: str) -> Pause | None:
        """End the pause of OWNER/NAME, or that of all, and return it; None where there was none."""
        async with self._transaction() as db:
            ended = await pauses.resume(db, repo, by=by)
        if ended is not None:
            await self.wake()
        return ended

    async def drain(self, name: str, *, by: str, reason: str) -> Worker | None:
        """Have a worker take nothing new, and return it; None where there is no such one. What it has goes on."""
        async with self._transaction() as db:
            return await workers.drain(db, name, by=by, reason=reason)

    async def undrain(self, name: str, *, by: str) -> Worker | None:
        """Have a worker take attempts again, and return it; None where there is no such one."""
        async with self._transaction() as db:
            found = await workers.undrain(db, name, by=by)
        if found is not None:
            await self.wake()
        return found

    async def _end_unserved(self, db: Database, installation: Installation, by: str) -> None:
        """End what the claim does not take any more: where an allow-list is set, it decides."""
        rows = await db.fetch(
            "SELECT a.id FROM attempts a JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repository_id "
            "WHERE p.installation_id = $1 AND a.state <> 'finished' "
            "AND NOT is_admitted(p.full_name, p.installation_id, $2, $3)",
            installation.id,
            list(self.admission.allow),
            list(self.admission.deny),
        )
        reason = f"(this Draftsman does not serve {installation.account} any more)"
        for row in rows:
            await attempts.ask_cancel(db, row["id"], by=by, reason=reason, unwanted=True)

    async def _demand_served(self, db: Database, run_id: UUID) -> None:
        if not await leases.admits(db, run_id, self.admission):
            repo = (await _newest(db, run_id)).run.repository.full_name
            raise NotNowError(
                f"This Draftsman does not serve {repo}: approve its installation (`draftsman installations`), or see "
                "DRAFTSMAN_ALLOW and DRAFTSMAN_DENY."
            )

    async def _demand_approvable(self, db: Database, newest: Attempt, sha: str) -> None:
        run, repo = newest.run, newest.run.repository.full_name
        if sha != run.head_sha:
            raise NotNowError(f"An approval names the run's commit in full, and that is {run.head_sha}.")
        if newest.trust is Trust.TRUSTED:
            raise NotNowError(f"The run {_short(run.id)} needs no approval: its commit is the repository's own.")
        await self._demand_served(db, run.id)
        policy = await policies.get(db, repo, self.policy)
        if policy.approval is ApprovalPolicy.NEVER:
            raise NotNowError(
                f"Pull requests from forks never run in {repo}, by its policy: "
                f"`draftsman policy set {repo} --approval approve-all` lets them be approved."
            )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Database]:
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection


async def _newest(db: Database, run_id: UUID) -> Attempt:
    return (await attempts.of_run(db, run_id))[0]


def _short(run_id: UUID) -> str:
    return str(run_id)[:8]
