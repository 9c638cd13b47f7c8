"""The arguments of `draftsman purge`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of
from draftsman.cli.delivery_commands import Guid

app = typer.Typer(
    help="Remove a log or a delivery at once and for good: a secret was printed. What GitHub keeps is not all ours to "
    "remove (docs/reliability.md), so revoke the secret as well.",
    no_args_is_help=True,
)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output; needs --yes.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail; not the secret.")]
Target = Annotated[
    str,
    typer.Argument(metavar="RUN[/ATTEMPT]", help="The id of a run or its beginning: all its attempts, or one of them."),
]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.command("log")
def log_command(
    target: Target, reason: Reason = "", yes: Yes = False, as_json: Json = False, env_file: EnvFile = None
) -> None:
    """Remove the log of a run's attempts with all that quotes it: annotations, summaries, files, check runs' texts."""
    from draftsman.cli.purge import purge_log

    _demand_yes(as_json=as_json, yes=yes)
    _finish(purge_log(settings_of.read(env_file), target, reason=reason, yes=yes, as_json=as_json))


@app.command("delivery")
def delivery_command(
    guid: Guid, reason: Reason = "", yes: Yes = False, as_json: Json = False, env_file: EnvFile = None
) -> None:
    """Remove the body of a delivery. Its GUID stays known, so that it is not fetched again."""
    from draftsman.cli.purge import purge_delivery

    _demand_yes(as_json=as_json, yes=yes)
    _finish(purge_delivery(settings_of.read(env_file), guid, reason=reason, yes=yes, as_json=as_json))


def _demand_yes(*, as_json: bool, yes: bool) -> None:
    if as_json and not yes:
        raise typer.BadParameter("goes with --yes: a question would stand in the document", param_hint="--json")
