"""The arguments of `draftsman installations`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of

app = typer.Typer(
    help="Show where the App is installed, and decide who is served.",
    invoke_without_command=True,
    no_args_is_help=False,
)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
InstallationId = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The id of the installation.")]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.callback()
def installations(context: typer.Context, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show where the App is installed, and decide who is served."""
    if context.invoked_subcommand is None:
        list_command(as_json, env_file)


@app.command("list")
def list_command(as_json: Json = False, env_file: EnvFile = None) -> None:
    """List the installations, the oldest first."""
    from draftsman.cli.installations import list_installations

    _finish(list_installations(settings_of.read(env_file), as_json=as_json))


@app.command("approve")
def approve_command(installation_id: InstallationId, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Serve an installation: the default branch of each of its repositories runs once."""
    from draftsman.cli.installations import decide

    _finish(decide(settings_of.read(env_file), installation_id, approved=True, as_json=as_json))


@app.command("refuse")
def refuse_command(installation_id: InstallationId, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Do not serve an installation any more: what is not finished of its repositories ends."""
    from draftsman.cli.installations import decide

    _finish(decide(settings_of.read(env_file), installation_id, approved=False, as_json=as_json))
