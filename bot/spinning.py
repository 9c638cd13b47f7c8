"""Check runs that GitHub shows as unfinished although nobody works on them any more: they are brought to an end.

That is so after the database was restored from a backup, or where somebody else's request changed a check run. What
the store knows is told again by the reporter; what it does not know is ended here, with a word of why.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from bot.checks import parse_external_id
from bot.github import CHECKS, GitHub
from bot.paging import pages
from draftsman.domain.run import Repository
from draftsman.store import check_runs
from draftsman.store.database import Pool

log = logging.getLogger(__name__)

TITLE = "Draftsman has no record of this any more"
SUMMARY = "The run that this check belongs to is not in Draftsman's database. Press Re-run to check the commit again."


async def finish_spinning(github: GitHub, pool: Pool[Any], repository: Repository, head_sha: str) -> list[str]:
    """Bring the commit's check runs of ours that only seem to go on to an end. Returns a sentence about each.

    Raises GitHubError and what Postgres raises.
    """
    path = f"/repos/{repository.full_name}"
    listed = pages(
        lambda query: github.request(repository, CHECKS, "GET", f"{path}/commits/{head_sha}/check-runs", query=query),
        {"filter": "all"},
        under="check_runs",
    )
    said = []
    async for page in listed:
        for run in page:
            named = _spinning(github, run)
            if named is None:
                continue
            run_id, number, tier = named
            known = await check_runs.is_known(pool, run_id, number)
            if known and await check_runs.tell_again(pool, run_id, number, tier, github_id=run["id"]):
                said.append(f"{run['name']} of {head_sha[:7]} is told again: GitHub showed it unfinished")
            elif not known:
                body = {
                    "status": "completed",
                    "conclusion": "cancelled",
                    "output": {"title": TITLE, "summary": SUMMARY},
                }
                await github.request(repository, CHECKS, "PATCH", f"{path}/check-runs/{run['id']}", body=body)
                said.append(f"{run['name']} of {head_sha[:7]} is ended: nothing is known of its run")
    for sentence in said:
        log.warning("%s: %s", repository.full_name, sentence)
    return said


def _spinning(github: GitHub, run: Mapping[str, Any]) -> tuple[Any, int, Any] | None:
    """Return which attempt and tier an unfinished check run of ours names, None for any other."""
    if run.get("status") == "completed" or not github.is_own_app(run.get("app")):
        return None
    if not isinstance(run.get("id"), int) or not isinstance(run.get("name"), str):
        return None
    return parse_external_id(str(run.get("external_id")))
