"""What `draftsman doctor` says about the App: events that did not arrive, and what it may not do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot import hook_list
from bot.app_needs import lacking
from bot.github import GitHub
from bot.github_error import GitHubError
from bot.recovery import list_days
from bot.setup import EVENTS, PERMISSIONS
from draftsman.cli import services
from draftsman.cli.github import opened_app
from draftsman.domain.alert import Alert
from draftsman.domain.errors import HostError
from draftsman.settings import Settings
from draftsman.store import database, recovery
from draftsman.store.recovery import Standing

_FOR: Mapping[str, str] = {
    "checks": "to report checks",
    "contents": "to fetch commits",
    "issues": "to read commands in comments, and to answer them",
    "merge_queues": "to hear of merge queues",
    "metadata": "to know repositories and who may write to them",
    "pull_requests": "to read pull requests, and to react to comments on them",
}
"""What the App needs each permission for."""

_WITH: Mapping[str, str] = {
    "push": "branches run",
    "pull_request": "pull requests run",
    "check_suite": "all checks can be run again",
    "check_run": "one check can be run again, and buttons work",
    "issue_comment": "commands in comments work",
    "merge_group": "merge queues run",
    "repository": "renamed repositories are followed",
}
"""What works with each event."""

_LATE = 3
"""Rounds of reading the list that may be missing before it is a fault."""


async def recovery_look(settings: Settings) -> str:
    """Say how far GitHub's list of deliveries was read, and what did not arrive. Raises HostError for a gap."""
    url = services.found_database(settings)
    if url is None:
        return "embedded: starts with `draftsman up`"
    pool = await database.connect(url, size=1, wait_seconds=2)
    try:
        standing = await recovery.get(pool)
    except database.DATABASE_REFUSED as error:
        sentence = "The database lacks migrations: run `draftsman migrate`."
        raise HostError(sentence, alert=Alert.MIGRATIONS_PENDING) from error
    finally:
        pool.terminate()
    mode = "poll mode" if settings.delivery == "poll" else "webhook mode"
    failed = await _failed(settings)
    said = f"{mode}; {_read(standing)}{_gap(standing)}{failed}"
    if standing.has_gap:
        raise HostError(f"{said}. `draftsman serve` compares by itself, `draftsman sync` at once.")
    every = settings.poll_seconds if settings.delivery == "poll" else settings.recovery_seconds
    late = timedelta(seconds=_LATE * every + 60)
    if standing.read_at is not None and standing.now - standing.read_at > late:
        raise HostError(f"{said}. Start `draftsman serve`; if it runs, its log says why the list cannot be read.")
    return said


def _read(standing: Standing) -> str:
    if standing.read_at is None:
        return "GitHub's list of deliveries was not read yet"
    return f"GitHub's list of deliveries was last read {_when(standing.read_at)}"


def _gap(standing: Standing) -> str:
    if standing.gap_from is None or standing.gap_until is None:
        return f", heads compared {_when(standing.compared_at)}" if standing.compared_at else ""
    gap = f", gap from {_when(standing.gap_from)} until {_when(standing.gap_until)}"
    if standing.has_gap or standing.compared_at is None:
        return f"{gap}, whose heads are not compared yet"
    return f"{gap}, made up for by comparing heads {_when(standing.compared_at)}"


def _when(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


async def _failed(settings: Settings) -> str:
    """Return how many deliveries did not reach us, empty where GitHub cannot be asked, or need not deliver."""
    if settings.github_app_id is None or settings.delivery == "poll":
        return ""
    try:
        async with opened_app(settings) as github:
            arrived, failed = await _count(github)
    except HostError as error:
        return f"; GitHub could not be asked for its list ({error})"
    days = list_days(settings.github_api_url)
    said = f"; {len(arrived | failed)} deliveries within {days:.0f} days"
    missing = failed - arrived
    return (
        f"{said}, {len(missing)} of them did not reach this Draftsman" if missing else f"{said}, all of which arrived"
    )


async def _count(github: GitHub) -> tuple[set[str], set[str]]:
    arrived, failed = set[str](), set[str]()
    async for page in hook_list.pages(github):
        for item in page.items:
            (arrived if item.arrived else failed).add(item.guid)
    return arrived, failed


async def permissions_look(settings: Settings) -> str:
    """Say whether the App may do what Draftsman needs. Raises HostError naming what is missing and what for."""
    if settings.github_app_id is None:
        raise HostError("GITHUB_APP_ID is not set: no App can be asked.")
    async with opened_app(settings) as github:
        try:
            answer = await github.as_app("GET", "/app")
        except GitHubError as error:
            if not error.transient:
                raise
            return f"GitHub could not be asked ({error})"
    lacks = lacking(answer.body if isinstance(answer.body, dict) else {})
    missing = [f"the permission {name}: {level} ({_FOR[name]})" for name, level in lacks.permissions]
    missing += [f"the event {name} (with it, {_WITH[name]})" for name in lacks.events]
    if missing:
        raise HostError(
            f"The App lacks {'; '.join(missing)}. Change it on the App's page, under Permissions & events; then "
            "whoever installed it accepts the change."
        )
    return f"{len(PERMISSIONS)} permissions and {len(EVENTS)} events, all that is needed"
