"""`draftsman profile`: what a person says about how a repository is set up and checked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from draftsman.ansi import harmless
from draftsman.cli import editor, person, services, terminal
from draftsman.cli.profile_text import from_text, to_text
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError, HostError, SettingsError
from draftsman.domain.profile import FIELDS, PAIRS, SWITCHES, RepoProfile
from draftsman.domain.profile_document import document
from draftsman.domain.profile_rules import ProfileError, edited, is_repository, replaced
from draftsman.settings import Settings
from draftsman.store import profiles
from draftsman.store.database import Pool

_PAGE = 200
_SHOWN = 60
"""Characters of a value in the list."""


async def list_profiles(settings: Settings, *, as_json: bool) -> int:
    """Print all profiles, one a line."""
    found: list[RepoProfile] = []
    async with _opened(settings) as pool:
        while page := await profiles.page(pool, after=found[-1].repo if found else "", limit=_PAGE):
            found += page
    if as_json:
        print(json.dumps([document(profile) for profile in found], indent=2))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("repository", "set by a person", "manager", "Dockerfile", "setup"):
        table.add_column(heading, no_wrap=heading != "setup")
    for profile in found:
        table.add_row(
            quoted(profile.repo),
            ", ".join(profile.explicit) or "-",
            quoted(str(profile.value("dependency_manager"))),
            quoted(str(profile.value("dockerfile") or "generated")),
            quoted(str(profile.value("setup"))[:_SHOWN]),
        )
    terminal.console().print(table)
    return 0


async def show_profile(settings: Settings, repo: str, *, as_json: bool) -> int:
    """Print one profile: each field, and whether a person set it."""
    async with _opened(settings) as pool:
        profile = await _found(pool, repo)
    if as_json:
        print(json.dumps(document(profile), indent=2))
    else:
        _show(terminal.console(), profile)
    return 0


async def set_profile(settings: Settings, repo: str, *, setting: Mapping[str, object], clearing: Sequence[str]) -> int:
    """Set some fields, give others back to inference, and leave the rest."""
    both = sorted(set(setting) & set(clearing))
    if both:
        raise SettingsError(f"{', '.join(both)}: both set and cleared; choose one.")
    if not setting and not clearing:
        raise SettingsError("Nothing to change: give a field, such as --fast 'make lint', or --clear FIELD.")
    return await _change(settings, repo, lambda profile: edited(profile, setting, clearing))


async def delete_profile(settings: Settings, repo: str) -> int:
    """Delete a profile; the next run infers it anew."""
    async with _opened(settings) as pool:
        if not await profiles.delete(pool, await _found(pool, repo), actor=_actor()):
            raise DraftsmanError(f"The profile of {repo} was changed at this moment: look at it, then try again.")
    terminal.console().print(f"deleted the profile of {quoted(repo.lower())}: the next run infers it anew")
    return 0


async def edit_profile(settings: Settings, repo: str, *, file: Path | None) -> int:
    """Open the profile in the editor; `file` is a text that was refused before."""
    before = await _read(settings, repo)
    if file is None:
        start = to_text(before)
        text, file = editor.edit(start, suffix=".toml", environment=os.environ)
        if text == start:
            file.unlink()
            terminal.console().print("nothing was changed")
            return 0
    else:
        text = editor.reopen(file, editor.editor_command(os.environ))
    again = f"`draftsman profile edit {before.repo} --file {file}` opens it again"

    def change(profile: RepoProfile) -> RepoProfile:
        if (profile.id, profile.version) != (before.id, before.version):
            raise DraftsmanError(
                f"The profile was changed while you edited it: nothing was kept. Your text is in {file}; {again}."
            )
        given = dict(from_text(text))
        if "generated_dockerfile" in profile.explicit:
            given["generated_dockerfile"] = profile.explicit["generated_dockerfile"]
        return replaced(profile, given)

    try:
        await _change(settings, repo, change)
    except ProfileError as error:
        terminal.complain(f"Nothing was changed. Your text is in {file}; {again}.")
        raise error from None
    file.unlink()
    return 0


async def show_dockerfile(settings: Settings, repo: str) -> int:
    """Print the generated Dockerfile as it is stored."""
    profile = await _read(settings, repo)
    print(harmless(_dockerfile(profile)), end="")
    return 0


async def edit_dockerfile(settings: Settings, repo: str) -> int:
    """Open the generated Dockerfile in the editor; once changed it is kept as it is, until `--reset`."""
    start = _dockerfile(await _read(settings, repo))
    text, file = editor.edit(start, suffix=".Dockerfile", environment=os.environ)
    if text == start:
        terminal.console().print("nothing was changed")
    else:
        try:
            await _change(settings, repo, lambda profile: edited(profile, {"generated_dockerfile": text}))
        except ProfileError as error:
            terminal.complain(f"Nothing was changed. Your text is in {file}.")
            raise error from None
    file.unlink()
    return 0


async def reset_dockerfile(settings: Settings, repo: str) -> int:
    """Let the Dockerfile be generated again."""
    return await _change(settings, repo, lambda profile: edited(profile, {}, ["generated_dockerfile"]))


async def _change(settings: Settings, repo: str, how: Callable[[RepoProfile], RepoProfile]) -> int:
    _check_name(repo)
    async with _opened(settings) as pool:
        profile = await profiles.change(pool, repo, how, actor=_actor())
    _show(terminal.console(), profile)
    return 0


async def _read(settings: Settings, repo: str) -> RepoProfile:
    """Return the profile, an empty one where there is none yet."""
    _check_name(repo)
    async with _opened(settings) as pool:
        return await profiles.get(pool, repo) or RepoProfile(repo.lower())


async def _found(pool: Pool[Any], repo: str) -> RepoProfile:
    _check_name(repo)
    profile = await profiles.get(pool, repo)
    if profile is None:
        raise DraftsmanError(
            f"There is no profile of {repo} yet: its first run makes one, and so does `draftsman profile set {repo}`."
        )
    return profile


def _check_name(repo: str) -> None:
    if not is_repository(repo):
        raise SettingsError(f"{repo!r} is no repository's name: write OWNER/NAME.")


def _opened(settings: Settings) -> AbstractAsyncContextManager[Pool[Any]]:
    url = services.found_database(settings)
    if url is None:
        raise HostError(
            f"No Draftsman runs with its data in {settings.home}: start it with `draftsman up`, or set DATABASE_URL."
        )
    return services.opened(url, size=2)


def _actor() -> str:
    return f"command line: {person.user()}"


def _dockerfile(profile: RepoProfile) -> str:
    text = profile.value("generated_dockerfile")
    if not isinstance(text, str):
        raise DraftsmanError(
            f"No Dockerfile was generated for {profile.repo} yet: that comes with the first run of its default branch."
        )
    return text


def _show(shown: Console, profile: RepoProfile) -> None:
    shown.print(f"[bold]{quoted(profile.repo)}[/]")
    for name in FIELDS:
        value = profile.value(name)
        if name in profile.explicit:
            source = "set by a person"
        elif name in SWITCHES:
            source = "by default"
        elif profile.inferred is None:
            source = "inferred at the first run"
        else:
            source = "inferred"
        shown.print(f"  {name:21}{_value(name, value)}  [dim]{source}[/]")

    if profile.is_edit_outdated:
        shown.print(
            "  [yellow]Another Dockerfile is generated now than the one that was edited: "
            "`draftsman profile dockerfile --reset` takes it.[/]"
        )


def _value(name: str, value: object) -> str:
    if name == "generated_dockerfile":
        return "-" if value is None else f"{str(value).count(chr(10))} lines (`draftsman profile dockerfile`)"
    if name in PAIRS and isinstance(value, tuple):
        return quoted(", ".join(f"{key}={content}" for key, content in value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return escape(f"\n{'':23}").join(quoted(str(command)) for command in value) or (
            "nothing to run" if name in ("fast", "full") else "-"
        )
    return quoted(str(value or "")) or "-"
