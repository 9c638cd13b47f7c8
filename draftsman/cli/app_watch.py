"""Looking at a GitHub App as GitHub shows it: is it there, do its events come, where is it installed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.app_needs import lacking
from bot.github import Answer, GitHub
from bot.github_error import GitHubError
from bot.setup import install_address

LOOK_SECONDS = 3.0
REMIND_SECONDS = 60.0
NEW_APP_SECONDS = 30.0
"""How long GitHub may take to know a new App, and to send its first event."""

REDELIVERY_SECONDS = 15.0
"""GitHub gives a receiver 10 s, and needs a moment itself."""

Tell = Callable[[str], None]
"""Shows a sentence on the terminal."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How to look. `polled`: events are fetched, not received. `fresh`: the App was made a moment ago.

    `wait`: go on until it is installed somewhere.
    """

    polled: bool
    fresh: bool
    wait: bool


async def watch(app: GitHub, how: Watch, tell: Tell) -> bool:
    """Tell what is there, and return whether the App can do its work. Raises GitHubError."""
    shown = (await _patient(app, "/app", seconds=NEW_APP_SECONDS if how.fresh else 0)).body
    page = str(shown.get("html_url") or "")
    tell(f"GitHub knows the App: {shown.get('name')} ({page})")
    lacks = lacking(shown)
    missing = [f"{name}: {level}" for name, level in lacks.permissions] + [f"the event {name}" for name in lacks.events]
    if missing:
        tell(f"It lacks {', '.join(missing)}: change that on the App's page, Permissions & events.")
    delivers = await (_list_answers(app, tell) if how.polled else _ping(app, tell, fresh=how.fresh))
    installed = await _installations(app, tell, install_address(page), wait=how.wait)
    return not missing and delivers and installed


async def _patient(app: GitHub, path: str, *, seconds: float) -> Answer:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await app.as_app("GET", path)
        except GitHubError as error:
            unknown_yet = error.transient or error.status in (401, 404)
            if not unknown_yet or time.monotonic() >= deadline:
                raise
        await asyncio.sleep(1)


async def _deliveries(app: GitHub) -> list[Mapping[str, Any]]:
    answer = await app.as_app("GET", "/app/hook/deliveries", query={"per_page": "100"})
    return [item for item in answer.body if isinstance(item, Mapping)] if isinstance(answer.body, list) else []


async def _list_answers(app: GitHub, tell: Tell) -> bool:
    found = await _deliveries(app)
    tell(f"GitHub lists the App's events ({_count(found)} so far): Draftsman fetches them, nothing has to reach it.")
    return True


async def _ping(app: GitHub, tell: Tell, *, fresh: bool) -> bool:
    deadline = time.monotonic() + NEW_APP_SECONDS
    while True:
        found = await _deliveries(app)
        ping = next((item for item in found if item.get("event") == "ping"), None)
        if ping or not fresh or time.monotonic() >= deadline:
            break
        await asyncio.sleep(1)
    newest = ping or (found[0] if found else None)
    if newest is None:
        tell("GitHub lists no event of the last days: push something, or look at the App's page under Advanced.")
        return True
    if _arrived(newest):
        tell(f"The event {newest.get('event')} arrived: it was answered {newest.get('status_code')}.")
        return True
    if fresh:
        tell(
            f"GitHub sent a first event, a ping, and got no good answer yet ({_status(newest)}). "
            "Draftsman is not up: once it is, `draftsman setup --check` sends the ping again."
        )
        return True
    return await _redeliver(app, newest, tell)


async def _redeliver(app: GitHub, failed: Mapping[str, Any], tell: Tell) -> bool:
    tell(f"The event {failed.get('event')} did not arrive ({_status(failed)}): asking GitHub to send it again.")
    await app.as_app("POST", f"/app/hook/deliveries/{int(failed['id'])}/attempts")
    deadline = time.monotonic() + REDELIVERY_SECONDS
    while time.monotonic() < deadline:
        same = [item for item in await _deliveries(app) if item.get("guid") == failed.get("guid")]
        if same and same[0].get("id") != failed.get("id"):
            if _arrived(same[0]):
                tell(f"Now it arrived: it was answered {same[0].get('status_code')}.")
                return True
            break
        await asyncio.sleep(1)
    tell(
        "It did not arrive either: GitHub must reach the App's webhook URL, and Draftsman must be up behind it. "
        "Where nothing can reach this machine, set DRAFTSMAN_DELIVERY=poll."
    )
    return False


def _arrived(delivery: Mapping[str, Any]) -> bool:
    code = delivery.get("status_code")
    return isinstance(code, int) and 200 <= code < 300


def _status(delivery: Mapping[str, Any]) -> str:
    return f"{delivery.get('status_code') or ''} {delivery.get('status') or ''}".strip() or "no answer"


async def _installations(app: GitHub, tell: Tell, link: str, *, wait: bool) -> bool:
    reminded = -REMIND_SECONDS
    while True:
        try:
            found = await app.as_app("GET", "/app/installations", query={"per_page": "100"})
        except GitHubError as error:
            if not wait or not error.transient:
                raise
            await asyncio.sleep(max(LOOK_SECONDS, error.retry_after or 0))
            continue
        if found.body:
            tell(f"It is installed on {', '.join(map(_installation, found.body))}.")
            return True
        if not wait:
            tell(f"It is installed nowhere yet: {link}")
            return False
        if time.monotonic() - reminded >= REMIND_SECONDS:
            reminded = time.monotonic()
            tell(f"Waiting until it is installed somewhere (Ctrl-C ends the waiting): {link}")
        await asyncio.sleep(LOOK_SECONDS)


def _installation(shown: Mapping[str, Any]) -> str:
    account = shown.get("account") or {}
    what = "all repositories" if shown.get("repository_selection") == "all" else "selected repositories"
    suspended = ", suspended" if shown.get("suspended_at") else ""
    return f"{account.get('login') or account.get('slug') or 'an account'} ({what}{suspended})"


def _count(found: Sequence[object]) -> str:
    return "100 or more" if len(found) == 100 else str(len(found))
