"""Starts the run of a pull request merged into its base, at the commit that the base branch names now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.events.code import pull_wanted, trust_tasks
from bot.payload import PayloadError
from bot.tasks import asking
from bot.tasks.desk import Desk, PointlessError, repository_of
from draftsman.domain.run import HEAD, Ref, RefKind, Repository, Trust, merge_subject
from draftsman.store import attempts, runs, tasks
from draftsman.store.database import Database
from draftsman.store.runs import Wanted
from draftsman.store.tasks import Task


async def merge(desk: Desk, task: Task) -> None:
    """Start the run, and end that of the same commit as it is, which it stands for."""
    repository = await repository_of(desk, task.detail.get("repository_id"))
    found = await asking.pull(desk, repository, task.detail["number"])
    if found is None or found.get("state") != "open":
        return
    wanted = await wanted_merged(desk, repository, found)
    async with desk.pool.acquire() as connection, connection.transaction():
        await runs.start(connection, wanted, delivery=task.delivery)
        for trust in trust_tasks(payload_of(repository, found), wanted):
            await tasks.add(connection, trust, delivery=task.delivery)
        await _end_instead(connection, wanted)
        await tasks.end(connection, task)
    await desk.receiver.wake()


async def _end_instead(db: Database, wanted: Wanted) -> None:
    """End the run of the commit as it is: not that of the default branch, and a stranger's none that is trusted."""
    run_id = await runs.find(db, wanted.repository.id, wanted.head_sha, HEAD)
    if run_id is None:
        return
    default = Ref(RefKind.BRANCH, wanted.repository.default_branch)
    if any(one.is_current and one.ref == default for one in await runs.namings_of(db, run_id)):
        return
    for attempt in await attempts.of_run(db, run_id):
        stands_for_it = wanted.trust is Trust.TRUSTED or attempt.trust is Trust.UNTRUSTED
        if attempt.asked_by is None and stands_for_it:
            reason = f"(tested merged into {wanted.base_branch} instead)"
            await attempts.ask_cancel(db, attempt.id, by="delivery", reason=reason)


async def wanted_merged(desk: Desk, repository: Repository, pull: Mapping[str, Any]) -> Wanted:
    """Return the run of the pull request merged into its base. Raises GitHubError, PointlessError."""
    try:
        wanted = pull_wanted(payload_of(repository, pull), desk.rules)
    except PayloadError as error:
        raise PointlessError(f"the pull request is not as GitHub documents it, {error}") from error
    base_sha = await asking.head_of(desk, repository, Ref(RefKind.BRANCH, wanted.base_branch or ""))
    if base_sha is None:
        raise PointlessError(f"the base branch {wanted.base_branch} is gone")
    return replace(wanted, subject=merge_subject(base_sha), base_sha=base_sha)


def payload_of(repository: Repository, pull: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pull request as an event about it would carry it."""
    return {
        "pull_request": pull,
        "repository": {
            "id": repository.id,
            "full_name": repository.full_name,
            "default_branch": repository.default_branch,
            "private": repository.private,
        },
        "installation": {"id": repository.installation_id},
    }
