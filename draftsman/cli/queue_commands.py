"""The arguments of `draftsman queue`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of
from draftsman.domain.profile_rules import is_repository
from draftsman.domain.waiting import LONGEST_REASON, is_reason

app = typer.Typer(
    help="Show what runs and what waits, and why; pause it, or drain a worker before an upgrade.",
    invoke_without_command=True,
    no_args_is_help=False,
)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Repo = Annotated[
    str | None, typer.Argument(metavar="[OWNER/NAME]", help="The repository's name on GitHub; by default all.")
]
WorkerName = Annotated[str, typer.Argument(metavar="WORKER", help="A worker's name or its beginning.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in one line.")]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.callback()
def queue(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of those that wait.")] = 20,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Show what runs and what waits, and why; pause it, or drain a worker before an upgrade."""
    from draftsman.cli.queue import show_queue

    if context.invoked_subcommand is None:
        _finish(show_queue(settings_of.read(env_file), limit=limit, as_json=as_json))


@app.command("pause")
def pause_command(repo: Repo = None, reason: Reason = "", as_json: Json = False, env_file: EnvFile = None) -> None:
    """Have no run start, or none of one repository, until it is resumed. What is under way goes on."""
    from draftsman.cli.queue import pause

    _check(repo)
    _finish(pause(settings_of.read(env_file), repo, reason=_one_line(reason), as_json=as_json))


@app.command("resume")
def resume_command(repo: Repo = None, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Have runs start again, or those of one repository."""
    from draftsman.cli.queue import resume

    _check(repo)
    _finish(resume(settings_of.read(env_file), repo, as_json=as_json))


@app.command("drain")
def drain_command(
    worker: WorkerName,
    reason: Reason = "",
    wait: Annotated[bool, typer.Option("--wait", help="Return once nothing is under way there.")] = False,
    within: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="With --wait: for how long; by default for ever.")
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Have a worker take nothing new, also after a restart, until `undrain`. What it has goes on."""
    from draftsman.cli.queue import drain

    patience = within if wait else None
    _finish(
        drain(
            settings_of.read(env_file), worker, reason=_one_line(reason), wait=wait, patience=patience, as_json=as_json
        )
    )


@app.command("undrain")
def undrain_command(worker: WorkerName, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Have a worker take runs again."""
    from draftsman.cli.queue import undrain

    _finish(undrain(settings_of.read(env_file), worker, as_json=as_json))


def _check(repo: str | None) -> None:
    if repo is not None and not is_repository(repo):
        raise typer.BadParameter("write OWNER/NAME", param_hint="OWNER/NAME")


def _one_line(reason: str) -> str:
    if not is_reason(reason):
        raise typer.BadParameter(f"one line of at most {LONGEST_REASON} characters", param_hint="--reason")
    return reason
