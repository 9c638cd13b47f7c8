"""The arguments of `draftsman runs`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of
from draftsman.domain.plan import CHECKED_TIERS, Tier
from draftsman.domain.run import Conclusion, RunState

STANDINGS = (*RunState, *Conclusion)
"""What a run can be listed by."""

app = typer.Typer(help="List, show, follow and steer runs.", no_args_is_help=True)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Target = Annotated[
    str,
    typer.Argument(metavar="RUN[/ATTEMPT]", help="The id of a run or attempt, or its beginning; `/2`: its attempt 2."),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run or attempt, or its beginning.")]
Patience = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for it.")]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.command("list")
def list_command(
    repo: Annotated[str | None, typer.Option(help="Only runs of OWNER/NAME.")] = None,
    sha: Annotated[str | None, typer.Option(help="Only runs of this commit, or of those that begin so.")] = None,
    state: Annotated[str | None, typer.Option(help=f"Only runs that are {', '.join(STANDINGS)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """List the newest runs."""
    from draftsman.cli.runs import list_runs

    if state is not None and state not in STANDINGS:
        raise typer.BadParameter(f"choose of {', '.join(STANDINGS)}", param_hint="--state")
    _finish(list_runs(settings_of.read(env_file), repo=repo, sha=sha, state=state, limit=limit, as_json=as_json))


@app.command("show")
def show_command(run_id: Target, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show a run: steps, findings, evidence, and all that happened to it and who did it."""
    from draftsman.cli.runs import show_run

    _finish(show_run(settings_of.read(env_file), run_id, as_json=as_json))


@app.command("logs")
def logs_command(
    run_id: Target,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has finished.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Begin lines with time and stream.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Print the log of a run's newest attempt, or of the one that is named."""
    from draftsman.cli.runs import print_log

    _finish(print_log(settings_of.read(env_file), run_id, follow=follow, timestamps=timestamps))


@app.command("watch")
def watch_command(
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run's id or its beginning; by default HEAD's of this checkout."),
    ] = None,
    repo: Annotated[str | None, typer.Option(help="OWNER/NAME; by default that of this checkout's origin.")] = None,
    sha: Annotated[str | None, typer.Option(help="The commit; by default HEAD of this checkout.")] = None,
    wait: Patience = 120,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Follow a run until it ends. Exit codes: 0 it passed, 1 it failed or waits for approval, 3 it could not run."""
    from draftsman.cli.watch import watch

    _finish(watch(settings_of.read(env_file), run_id, repo=repo, sha=sha, patience=wait, as_json=as_json))


@app.command("rerun")
def rerun_command(
    run_id: RunId,
    tier: Annotated[Tier | None, typer.Option(help="Run only this tier (setup always runs).")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the plan and build the image anew.")] = False,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long to wait for an attempt under way that does less."),
    ] = 1800,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Have a run executed again: a new attempt, before everything that events ask for."""
    from draftsman.cli.steer import rerun

    if tier is Tier.SETUP:
        raise typer.BadParameter("choose fast or full", param_hint="--tier")
    tiers = CHECKED_TIERS if tier is None else (tier,)
    _finish(rerun(settings_of.read(env_file), run_id, tiers=tiers, rebuild=rebuild, patience=wait, as_json=as_json))


@app.command("approve")
def approve_command(
    run_id: RunId,
    sha: Annotated[str | None, typer.Option(help="The commit that you looked at; another one is refused.")] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Let the commit of a pull request from a fork run. It stays untrusted."""
    from draftsman.cli.steer import approve

    _finish(approve(settings_of.read(env_file), run_id, sha=sha, as_json=as_json))


@app.command("cancel")
def cancel_command(run_id: RunId, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Cancel a run: at once where it waits or is queued, within seconds where it is under way."""
    from draftsman.cli.steer import cancel

    _finish(cancel(settings_of.read(env_file), run_id, as_json=as_json))


@app.command("artifacts")
def artifacts_command(
    run_id: RunId,
    download: Annotated[
        Path | None, typer.Option("--download", metavar="DIR", help="Write them into a folder.")
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """List the files that a run's newest attempt left, or download them."""
    from draftsman.cli.artifacts import artifacts

    _finish(artifacts(settings_of.read(env_file), run_id, download=download, as_json=as_json))
