"""`draftsman sync`: compares GitHub's repositories with what Draftsman knows, and runs what it missed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from bot.heads import Compared, compare
from bot.intake import Receiver
from draftsman.cli import person, services, terminal
from draftsman.cli.github import opened_app
from draftsman.cli.serve import rules_of
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import HostError, SettingsError
from draftsman.settings import Settings
from draftsman.store import recovery
from draftsman.store.database import Pool

_FULL_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")


async def sync(settings: Settings, *, repo: str | None, as_json: bool) -> int:
    """Compare here and now where the App's key is here, else have `draftsman serve` do it. Returns the exit code.

    A repository that could not be looked at is told and does not stop the others. Raises DraftsmanError.
    """
    if repo is not None and not _FULL_NAME.fullmatch(repo):
        raise SettingsError("--repo is OWNER/NAME.")
    urls = services.found(settings)
    async with services.opened(urls.database_url, size=2) as pool, services.wake_ups(urls.redis_url) as wake_ups:
        if not _has_key(settings):
            return await _ask(pool, repo, as_json=as_json)
        async with opened_app(settings) as github:
            receiver = Receiver(pool, None, rules_of(settings), wake_ups.wake)
            began = (await recovery.get(pool)).now
            found = []
            async for result in compare(github, receiver, only=repo):
                found.append(result)
                if not as_json:
                    _show(result, asked=repo is not None)
        if repo is None and not any(result.transient for result in found):
            await recovery.compared(pool, began)
    if repo is not None and not found:
        raise HostError(f"The App is not installed on {repo}, or GitHub has no such repository.")
    _conclude(found, as_json=as_json)
    return 0


def _has_key(settings: Settings) -> bool:
    given = settings.github_private_key is not None or settings.github_private_key_file is not None
    return given and settings.github_app_id is not None


async def _ask(pool: Pool[Any], repo: str | None, *, as_json: bool) -> int:
    if repo is not None:
        raise SettingsError("--repo needs the App's key: set GITHUB_APP_ID and GITHUB_PRIVATE_KEY_FILE.")
    await recovery.ask_sync(pool, by=person.actor())
    said = "asked: `draftsman serve` compares within seconds (the App's key is not set here)"
    print(json.dumps({"asked": True})) if as_json else terminal.console().print(said)
    return 0


def _show(result: Compared, *, asked: bool) -> None:
    shown = terminal.console()
    name = quoted(result.name)
    for missed in result.missed:
        shown.print(f"[blue]●[/] {name}: {quoted(missed)}")
    if result.error is not None:
        shown.print(f"[red]✘[/] {name}: {quoted(str(result.error))}")
    elif not result.missed and (asked or not result.note):
        shown.print(f"[green]✔[/] {name}: {quoted(result.note or 'nothing was missed')}")


def _conclude(found: Sequence[Compared], *, as_json: bool) -> None:
    missed = sum(len(result.missed) for result in found)
    if as_json:
        print(json.dumps({"missed": missed, "repositories": [_document(result) for result in found]}, indent=2))
        return
    left = sum(bool(result.note) for result in found)
    more = f", {left} not looked at" if left else ""
    failed = sum(result.error is not None for result in found)
    terminal.console().print(
        f"{len(found) - left} repositories compared{more}, {missed} events missed"
        f"{f', {failed} could not be compared' if failed else ''}."
    )


def _document(result: Compared) -> dict[str, Any]:
    return {
        "repo": result.name,
        "missed": list(result.missed),
        "note": result.note,
        "error": None if result.error is None else str(result.error),
    }
