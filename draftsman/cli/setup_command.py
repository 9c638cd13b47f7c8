"""The arguments of `draftsman setup`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from draftsman.cli import settings_of


def setup(
    org: Annotated[str | None, typer.Option(help="The organization that owns the App; else your account.")] = None,
    name: Annotated[str | None, typer.Option(help="The App's name, as people see it on checks.")] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where GitHub reaches this instance: https://HOST/webhooks/github.")
    ] = None,
    poll: Annotated[bool, typer.Option("--poll", help="Nothing reaches this instance: it asks for events.")] = False,
    teams: Annotated[bool, typer.Option("--teams", help="May read who is in which team, to trust teams.")] = False,
    public: Annotated[bool, typer.Option("--public", help="Let others install it, too.")] = False,
    env_file: Annotated[
        Path, typer.Option("--env-file", help="The file of settings that is read, and gets the credentials.")
    ] = Path(".env"),
    force: Annotated[bool, typer.Option("--force", help="Replace the App that the file names.")] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page on this machine; 0: a free one.")] = 0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the App is installed.")] = True,
    check: Annotated[bool, typer.Option("--check", help="Only look at the App that the settings name.")] = False,
) -> None:
    """Create a GitHub App for this instance, and store its credentials."""
    from draftsman.cli.setup import Choices, wish_for
    from draftsman.cli.setup import check as look
    from draftsman.cli.setup import setup as create

    if poll and webhook_url:
        raise typer.BadParameter("choose one of --poll and --webhook-url", param_hint="--poll")
    settings = settings_of.read(env_file if env_file.exists() else None)
    if check:
        raise typer.Exit(asyncio.run(look(settings, wait=wait)))
    wish = wish_for(settings, name=name, org=org, webhook_url=webhook_url, poll=poll, teams=teams, public=public)
    choices = Choices(file=env_file, port=port, browser=browser, force=force, wait=wait)
    raise typer.Exit(asyncio.run(create(settings, wish, choices)))
