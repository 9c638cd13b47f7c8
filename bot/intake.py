"""Keeps a delivery and all that it calls for, in one transaction, whichever way it came."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from bot.admission import refusal
from bot.events.decision import Decision, InstallationNote, RepositoryNote, Rules, TaskKind
from bot.payload import Payload, PayloadError, full_name, identifier, optional_text
from bot.triggers import decide
from draftsman.domain.policy import RepoPolicy
from draftsman.domain.run import RefKind, Repository
from draftsman.store import attempts, audit, deliveries, installations, policies, repositories, runs, tasks
from draftsman.store.database import Database, Pool
from draftsman.store.deliveries import Delivery
from draftsman.store.runs import Wanted
from draftsman.store.tasks import TaskWanted

log = logging.getLogger(__name__)

Wake = Callable[[], Awaitable[None]]
"""Tells the workers that there may be work."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """What receiving needs. `secret` is the App's webhook secret, None where GitHub sends nothing."""

    pool: Pool[Any]
    secret: bytes | None
    rules: Rules
    wake: Wake


@dataclass(frozen=True, slots=True)
class Received:
    """What came of a delivery. `run_id` is None where it calls for no run; `is_new` says that it started an attempt."""

    duplicate: bool
    decision: Decision
    run_id: str | None = None
    is_new: bool = False


async def keep(receiver: Receiver, delivery: Delivery, payload: Payload) -> Received:
    """Keep the delivery, its notes, the run that it calls for and its tasks; a known GUID changes nothing."""
    async with receiver.pool.acquire() as connection, connection.transaction():
        name = _repository_name(payload)
        known = await _known(connection, payload)
        # What is kept by name is kept by the name that we know.
        rules = await _rules_of(connection, receiver.rules, name if known is None else known.full_name)
        decision = decide(delivery.event, payload, rules)
        about = replace(delivery, repo=name, sender=_sender(payload))
        if not await deliveries.insert(connection, about, decision.text):
            return Received(duplicate=True, decision=decision)
        for note in decision.notes:
            await _keep_note(connection, note)
        not_served = await _not_served(connection, rules, name, delivery.installation_id)
        if not_served:
            decision = decide(
                delivery.event, payload, replace(rules, policy=replace(rules.policy, merge_testing=False))
            )
        for wanted in decision.tasks:
            # A first contact looks by itself at whether its account is served.
            if not not_served or wanted.kind == TaskKind.FIRST_CONTACT:
                await tasks.add(connection, wanted, delivery=delivery.guid)
        if known is not None and name not in (None, known.full_name):
            detail = {"repository_id": known.id}
            await tasks.add(connection, TaskWanted(TaskKind.NAME, f"{known.id}:name", detail), delivery=delivery.guid)
        if decision.wanted is None or await _is_tested_merged(connection, rules, decision.wanted):
            more = "it is tested merged into its base already" if decision.wanted else not_served
            await _note(connection, about, decision, more)
            return Received(duplicate=False, decision=decision)
        started = await runs.start(connection, decision.wanted, delivery=delivery.guid, not_served=not_served)
        is_new = started.attempt_id is not None
        more = not_served or ("" if is_new else "the commit has a run already, which tells all that this asks for")
        await _note(connection, about, decision, more, started.run_id)
        return Received(duplicate=False, decision=decision, run_id=str(started.run_id), is_new=is_new)


async def _note(db: Database, delivery: Delivery, decision: Decision, more: str, run_id: UUID | None = None) -> None:
    """Keep what came of the delivery where `more` was to be considered; what calls for something is audited, too."""
    text = f"{decision.text}; {more}" if more else decision.text
    if more:
        await deliveries.decided(db, delivery.guid, text)
    if decision.is_nothing:
        return
    await audit.record(
        db,
        actor="delivery",
        action=audit.RECEIVED,
        run_id=run_id,
        delivery=delivery.guid,
        event=f"{delivery.event}/{delivery.action}" if delivery.action else delivery.event,
        decision=text,
        source=delivery.source,
        sender=delivery.sender,
        repo=delivery.repo,
    )


def _repository_name(payload: Payload) -> str | None:
    try:
        return full_name(payload, "repository.full_name")
    except PayloadError:
        return None


def _sender(payload: Payload) -> str | None:
    try:
        return optional_text(payload, "sender.login")
    except PayloadError:
        return None


async def _known(db: Database, payload: Payload) -> Repository | None:
    """Return the repository of the event as it is known so far."""
    try:
        return await repositories.get(db, identifier(payload, "repository.id"))
    except PayloadError:
        return None


async def _rules_of(db: Database, rules: Rules, name: str | None) -> Rules:
    policy: RepoPolicy = rules.policy if name is None else await policies.get(db, name, rules.policy)
    return replace(rules, policy=policy)


async def _not_served(db: Database, rules: Rules, name: str | None, installation_id: int | None) -> str:
    if name is None:
        return ""
    known = None if installation_id is None else await installations.get(db, installation_id)
    return refusal(rules.admission, name, known)


async def _is_tested_merged(db: Database, rules: Rules, wanted: Wanted) -> bool:
    """Return whether the commit of a branch is tested merged into its base already, so that as it is it is not."""
    return (
        rules.policy.merge_testing
        and wanted.ref.kind is RefKind.BRANCH
        and wanted.ref.name != wanted.repository.default_branch
        and await runs.is_tested_merged(db, wanted.repository.id, wanted.head_sha)
    )


async def _keep_note(db: Database, note: InstallationNote | RepositoryNote) -> None:
    if isinstance(note, InstallationNote):
        await installations.note(db, note.id, account=note.account, account_id=note.account_id)
        await installations.mark(db, note.id, suspended=note.suspended, removed=note.removed)
    elif note.gone:
        for attempt_id in await repositories.gone(db, note.repository.id):
            await attempts.ask_cancel(db, attempt_id, by="delivery", reason="(the repository is gone)")
    else:
        await repositories.keep(db, note.repository, formerly=note.formerly)
