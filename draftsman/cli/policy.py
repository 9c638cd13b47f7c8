"""`draftsman policy`: what an administrator decides about single repositories."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from draftsman.cli import person, services, terminal
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import HostError, SettingsError
from draftsman.domain.policy import FIELDS, RepoPolicy, policy_value
from draftsman.domain.profile_rules import is_repository
from draftsman.settings import Settings
from draftsman.store import policies
from draftsman.store.database import Pool
from draftsman.store.policies import StoredPolicy

_EMPTY = {"trusted": "nobody", "runs_on": "any worker"}
"""What an empty list means."""


async def list_policies(settings: Settings, *, as_json: bool) -> int:
    """Print the policies of all repositories that have one of their own."""
    async with _opened(settings) as pool:
        found = await policies.everywhere(pool)
    if as_json:
        print(json.dumps([policy.document(settings.policy) for policy in found], indent=2))
        return 0
    for policy in found:
        _show(policy, settings.policy, only_own=True)
    return 0


async def show_policy(settings: Settings, repo: str, *, as_json: bool) -> int:
    """Print the policy of a repository that is in force, field by field, and where each comes from."""
    _check_name(repo)
    async with _opened(settings) as pool:
        return _print(await policies.stored(pool, repo), settings.policy, as_json)


async def set_policy(
    settings: Settings,
    repo: str,
    *,
    setting: Mapping[str, object],
    trust: Sequence[str],
    untrust: Sequence[str],
    as_json: bool,
) -> int:
    """Set some fields, and leave the others. `trust` and `untrust` change the list that is in force."""
    _check_name(repo)
    if not setting and not trust and not untrust:
        raise SettingsError("Nothing to change: give a field, such as --approval approve-all or --trust LOGIN.")
    adding, removing = (_entries(given) for given in (trust, untrust))
    if both := [entry for entry in adding if entry in removing]:
        raise SettingsError(f"{', '.join(both)}: both trusted and not; choose one.")

    def how(before: StoredPolicy) -> Mapping[str, object]:
        if not adding and not removing:
            return setting
        kept = [entry for entry in before.over(settings.policy).trusted if entry not in removing]
        return {**setting, "trusted": [*kept, *adding]}

    async with _opened(settings) as pool:
        return _print(await policies.change(pool, repo, how, by=person.actor()), settings.policy, as_json)


async def unset_policy(settings: Settings, repo: str, names: Collection[str], *, as_json: bool) -> int:
    """Give fields back to the instance: these, or all where none is named."""
    _check_name(repo)
    async with _opened(settings) as pool, pool.acquire() as connection, connection.transaction():
        cleared = await policies.clear(connection, repo, names or FIELDS, by=person.actor())
    return _print(cleared, settings.policy, as_json)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Pool[Any]]:
    url = services.found_database(settings)
    if url is None:
        raise HostError(
            f"No Draftsman runs with its data in {settings.home}: start it with `draftsman up`, or set DATABASE_URL."
        )
    async with services.opened(url, size=1) as pool:
        yield pool


def _check_name(repo: str) -> None:
    if not is_repository(repo):
        raise SettingsError(f"{repo!r} is no repository's name: write OWNER/NAME.")


def _entries(given: Sequence[str]) -> tuple[str, ...]:
    read = policy_value("trusted", tuple(given))
    assert isinstance(read, tuple)
    return read


def _print(policy: StoredPolicy, defaults: RepoPolicy, as_json: bool) -> int:
    if as_json:
        print(json.dumps(policy.document(defaults), indent=2))
    else:
        _show(policy, defaults)
    return 0


def _show(policy: StoredPolicy, defaults: RepoPolicy, *, only_own: bool = False) -> None:
    shown = terminal.console()
    shown.print(f"[bold]{quoted(policy.repo)}[/]")
    for name, value in policy.over(defaults).document().items():
        if name in policy.explicit or not only_own:
            source = "set for this repository" if name in policy.explicit else "the instance's"
            shown.print(f"  {name:25}{_value(value, empty=_EMPTY.get(name, 'none'))}  [dim]{source}[/]")


def _value(value: object, *, empty: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return quoted(", ".join(value) or empty) if isinstance(value, list) else quoted(str(value))
