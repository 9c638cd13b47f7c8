"""What each slash command does to the store, and what is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bot import replies
from bot.check_reading import read_view
from bot.commands import Command, Scope, Unclear, Verb
from bot.events.code import pull_wanted
from bot.events.decision import TaskKind, commit_lane
from bot.payload import PayloadError, at, sha
from bot.tasks.desk import Desk, LaterError, PointlessError
from bot.tasks.merge import payload_of, wanted_merged
from bot.tasks.trust import settle, why_waiting
from bot.trust import Asker, Refused, Waits, approve, may
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.policy import ApprovalPolicy
from draftsman.domain.run import Ref, RefKind, Repository, Trust
from draftsman.store import approvals, attempts, policies, refs, reruns, runs, tasks
from draftsman.store.database import Database
from draftsman.store.reruns import Asked
from draftsman.store.runs import Started, Wanted
from draftsman.store.tasks import TaskWanted

BUSY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command. `is_news` says that the text is what was asked for."""

    is_done: bool
    text: str
    is_news: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """The pull request as GitHub shows it now, who asks, and when they did (GitHub's time, ISO 8601)."""

    desk: Desk
    repository: Repository
    pull: Mapping[str, Any]
    asker: Asker
    written_at: str

    @property
    def head_sha(self) -> str:
        """Return the pull request's head. Raises PointlessError."""
        try:
            return sha(self.pull, "head.sha")
        except PayloadError as error:
            raise PointlessError(f"the pull request is not as GitHub documents it, {error}") from error

    @property
    def ref(self) -> Ref:
        """Return the pull request's ref."""
        return Ref(RefKind.PULL_REQUEST, str(self.pull["number"]))

    def wanted(self) -> Wanted:
        """Return the run of its head. Raises PointlessError."""
        try:
            return pull_wanted(payload_of(self.repository, self.pull), self.desk.rules)
        except PayloadError as error:
            raise PointlessError(f"the pull request is not as GitHub documents it, {error}") from error


@dataclass(frozen=True, slots=True)
class Prepared:
    """What GitHub and the store say to a command before it is done: nothing is locked while GitHub is asked.

    `refused` is why it may not be done. `wanted` is the run that it is about, where it starts one; `is_new` says that
    this never had an attempt, and `waits` why it would wait for approval then.
    """

    refused: str | None = None
    wanted: Wanted | None = None
    is_new: bool = False
    waits: Waits | None = None


async def prepare(acting: Act, command: Command | Unclear) -> Prepared:
    """Find out what the command needs. Raises GitHubError, PointlessError."""
    if isinstance(command, Unclear):
        return Prepared()
    is_allowed = acting.asker.permission.may_write or await _is_allowed(acting)
    elsewhere = not acting.asker.permission.may_write and await _is_named_elsewhere(acting, acting.desk.pool)
    refused = may(command.verb, acting.asker, pull_allowed=is_allowed, named_elsewhere=elsewhere)
    if refused is not None:
        return Prepared(refused=refused.sentence)
    if command.verb is Verb.TEST and acting.pull.get("state") != "open":
        return Prepared(refused="This pull request is closed: there is nothing to run.")
    if command.verb not in (Verb.TEST, Verb.REBUILD):
        return Prepared()
    is_merge = command.scope is Scope.MERGE
    wanted = await wanted_merged(acting.desk, acting.repository, acting.pull) if is_merge else acting.wanted()
    is_new = await _is_new(acting.desk.pool, await _shown_run(acting.desk.pool, wanted, command))
    asks = is_new and wanted.trust is Trust.UNTRUSTED
    waits = await why_waiting(acting.desk, acting.repository, _author(acting)) if asks else None
    return Prepared(wanted=wanted, is_new=is_new, waits=waits)


async def act(acting: Act, db: Database, command: Command | Unclear, prepared: Prepared) -> Outcome:
    """Do one command in the transaction of `db`, asking GitHub nothing more. Raises LaterError, PointlessError."""
    if isinstance(command, Unclear):
        return Outcome(is_done=False, text=command.sentence)
    if prepared.refused is not None:
        return Outcome(is_done=False, text=prepared.refused)
    if prepared.wanted is not None:
        return await _run(acting, db, command, prepared, prepared.wanted)
    return await _ACTS[command.verb](acting, db, command)


async def _is_allowed(acting: Act) -> bool:
    """Return whether the head may run: it is trusted, approved, or the policy needs no approval."""
    db = acting.desk.pool
    if acting.wanted().trust is Trust.TRUSTED:
        return True
    for run_id in await runs.of_commit(db, acting.repository.id, acting.head_sha):
        if await approvals.is_approved(db, run_id):
            return True
    return await why_waiting(acting.desk, acting.repository, _author(acting)) is None


async def _is_named_elsewhere(acting: Act, db: Database) -> bool:
    """Return whether something else than this pull request, and its own branch here, wants the head checked."""
    own = {acting.ref}
    if acting.wanted().trust is Trust.TRUSTED:
        own.add(Ref(RefKind.BRANCH, str(at(acting.pull, "head.ref"))))
    for run_id in await runs.of_commit(db, acting.repository.id, acting.head_sha):
        if any(one.is_current and one.ref not in own for one in await runs.namings_of(db, run_id)):
            return True
    return False


def _author(acting: Act) -> str:
    user = acting.pull.get("user")
    login = user.get("login") if isinstance(user, Mapping) else None
    return login if isinstance(login, str) else ""


async def _run(acting: Act, db: Database, command: Command, prepared: Prepared, wanted: Wanted) -> Outcome:
    """Run the commit again; for the first time where it never ran (a draft, say)."""
    tiers = {Scope.FAST: (Tier.FAST,), Scope.FULL: (Tier.FULL,)}.get(command.scope or Scope.MERGE, CHECKED_TIERS)
    rebuild = command.verb is Verb.REBUILD
    run_id = await _shown_run(db, wanted, command)
    if run_id is None or await _is_new(db, run_id):
        started = await _start(acting, db, prepared, wanted)
        run_id = started.run_id
        if started.attempt_id is not None:  # else an event was quicker, and calls for all
            await reruns.narrow(db, run_id, tiers, by=acting.asker.login)
    asked = await reruns.ask(
        db, run_id, by=acting.asker.login, cause=f"comment {command.verb}", tiers=tiers, rebuild=rebuild
    )
    if asked.asked is Asked.BUSY:
        # Not here: what the pull request's other tasks are about (a cancel, a new head) must not wait for it.
        await tasks.add(db, _rerun(acting, run_id, tiers, rebuild=rebuild), delivery=None)
    if asked.asked is Asked.WAITING:
        return Outcome(is_done=False, text=_waiting(wanted.head_sha))
    done = replies.rebuilding(wanted.head_sha) if rebuild else replies.queued(wanted.head_sha, command.scope)
    return Outcome(is_done=True, text=done)


def _rerun(acting: Act, run_id: UUID, tiers: Collection[Tier], *, rebuild: bool) -> TaskWanted:
    detail = {
        "repository_id": acting.repository.id,
        "head_sha": acting.head_sha,
        "by": acting.asker.login,
        "action": "rebuild" if rebuild else "rerun",
        "run_id": str(run_id),
        "tiers": sorted(tiers),
    }
    return TaskWanted(TaskKind.RERUN, commit_lane(acting.repository.id, acting.head_sha), detail)


async def _start(acting: Act, db: Database, prepared: Prepared, wanted: Wanted) -> Started:
    """Start the run of a commit that no event started."""
    if not prepared.is_new:
        raise LaterError("the run is not there any more", BUSY_SECONDS)
    started = await runs.start(db, wanted, delivery=None, actor=acting.asker.login)
    if wanted.trust is Trust.UNTRUSTED:
        await settle(db, started.run_id, prepared.waits, author=_author(acting))
    return started


async def _is_new(db: Database, run_id: UUID | None) -> bool:
    return run_id is None or await attempts.newest_of(db, run_id) is None


async def _shown_run(db: Database, wanted: Wanted, command: Command) -> UUID | None:
    """Return the run that GitHub shows for the commit; for a test of the merge, that of exactly this merge."""
    if command.scope is Scope.MERGE:
        return await runs.find(db, wanted.repository.id, wanted.head_sha, wanted.subject)
    known = await runs.of_commit(db, wanted.repository.id, wanted.head_sha)
    return known[0] if known else None


def _waiting(head_sha: str) -> str:
    return (
        "This commit comes from a fork and waits for approval, which running it again is not: read it, then "
        f"`/draftsman approve {head_sha}`."
    )


async def _cancel(acting: Act, db: Database, command: Command) -> Outcome:
    by = acting.asker.login
    lanes = [commit_lane(acting.repository.id, acting.head_sha)]
    ended = False
    for run_id in await runs.of_commit(db, acting.repository.id, acting.head_sha):
        lanes.append(runs.late_lane(run_id))
        newest = await attempts.newest_of(db, run_id)
        ended |= newest is not None and await attempts.ask_cancel(db, newest.id, by=by, reason=f"by {by}")
    # What waits for the end of these attempts must not begin another one after it.
    kinds = (TaskKind.RERUN, TaskKind.START_LATE)
    ended |= await tasks.drop(db, kinds, lanes, reason=f"cancelled by {by}") > 0
    return Outcome(is_done=True, text=replies.cancelled(acting.head_sha if ended else None), is_news=not ended)


async def _fix(acting: Act, db: Database, command: Command) -> Outcome:
    return Outcome(is_done=False, text=replies.no_repair())


async def _approve(acting: Act, db: Database, command: Command) -> Outcome:
    wanted = acting.wanted()
    if wanted.trust is Trust.TRUSTED:
        return Outcome(is_done=False, text="This pull request comes from this repository: it needs no approval.")
    if acting.pull.get("state") != "open":
        return Outcome(is_done=False, text="This pull request is closed: there is nothing to approve.")
    policy = await policies.get(db, acting.repository.full_name, acting.desk.rules.policy)
    if policy.approval is ApprovalPolicy.NEVER:
        return Outcome(is_done=False, text="This repository runs nothing from forks: approval does not change that.")
    newest = await refs.head_at(db, acting.repository.id, acting.ref, at=_known_until(acting))
    decided = approve(asked_sha=command.sha, newest_head_when_asked=newest, head_now=acting.head_sha)
    if isinstance(decided, Refused):
        return Outcome(is_done=False, text=decided.sentence)
    known = await runs.of_commit(db, acting.repository.id, decided.sha)
    if not known:
        known = [(await runs.start(db, wanted, delivery=None, actor=acting.asker.login)).run_id]
    for run_id in known:
        await approvals.approve(db, run_id, by=acting.asker.login, reason="comment")
    return Outcome(is_done=True, text=replies.approved(decided.sha))


def _known_until(acting: Act) -> datetime:
    """Return, by our own clock, when the comment was made: what we heard of later its author had not seen."""
    written = datetime.fromisoformat(acting.written_at)
    return written - timedelta(seconds=acting.desk.github.clock_ahead)


async def _plan(acting: Act, db: Database, command: Command) -> Outcome:
    known = await runs.of_commit(db, acting.repository.id, acting.head_sha)
    newest = await attempts.newest_of(db, known[0]) if known else None
    plan = None if newest is None else await attempts.plan_of(db, newest.id)
    url = acting.desk.public_url if newest is None else f"{acting.desk.public_url}/runs/{newest.run.id}"
    return Outcome(is_done=True, text=replies.plan_reply(plan, acting.head_sha, url), is_news=True)


async def _logs(acting: Act, db: Database, command: Command) -> Outcome:
    known = await runs.of_commit(db, acting.repository.id, acting.head_sha)
    newest = await attempts.newest_of(db, known[0]) if known else None
    if newest is None:
        return Outcome(is_done=True, text="Nothing of this commit was run yet, so there is no log.", is_news=True)
    view = await read_view(db, newest, Tier.FULL, public_url=acting.desk.public_url)
    if view.culprit is not None and view.culprit.tier is Tier.FAST:
        view = await read_view(db, newest, Tier.FAST, public_url=acting.desk.public_url)
    return Outcome(is_done=True, text=replies.logs_reply(view), is_news=True)


async def _help(acting: Act, db: Database, command: Command) -> Outcome:
    return Outcome(is_done=True, text=replies.help_reply(aliases=acting.desk.rules.aliases), is_news=True)


_ACTS: Mapping[Verb, Callable[[Act, Database, Command], Awaitable[Outcome]]] = {
    Verb.CANCEL: _cancel,
    Verb.FIX: _fix,
    Verb.APPROVE: _approve,
    Verb.PLAN: _plan,
    Verb.LOGS: _logs,
    Verb.HELP: _help,
}
