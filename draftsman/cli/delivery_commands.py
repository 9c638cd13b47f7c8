"""The arguments of `draftsman deliveries`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import moment, settings_of

app = typer.Typer(
    help="Show what GitHub told us, what was decided, and what came of it: why did nothing happen for my push?",
    no_args_is_help=True,
)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Guid = Annotated[str, typer.Argument(metavar="GUID", help="The delivery's GUID (X-GitHub-Delivery), or its beginning.")]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.command("list")
def list_command(
    repo: Annotated[str | None, typer.Option(help="Only those about OWNER/NAME.")] = None,
    event: Annotated[str | None, typer.Option(help="Only those of this event, as in push or pull_request.")] = None,
    since: Annotated[str | None, typer.Option(help="Only those since then: 90m, 2h, 3d, or a date.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """List the newest deliveries, each with what was decided about it."""
    from draftsman.cli.deliveries import list_deliveries

    at = moment.since(since)
    settings = settings_of.read(env_file)
    _finish(list_deliveries(settings, repo=repo, event=event, since=at, limit=limit, as_json=as_json))


@app.command("show")
def show_command(guid: Guid, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show a delivery: the decision, the tasks that it called for, and what it led to."""
    from draftsman.cli.deliveries import show_delivery

    _finish(show_delivery(settings_of.read(env_file), guid, as_json=as_json))
