"""The arguments of `draftsman policy`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of
from draftsman.domain.policy import FIELDS, ApprovalPolicy

app = typer.Typer(
    help="Say for single repositories whose code runs, and what starts a run; else the instance's settings count.",
    no_args_is_help=True,
)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Repo = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository's name on GitHub.")]
Names = list[str] | None


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.command("list")
def list_command(as_json: Json = False, env_file: EnvFile = None) -> None:
    """List the repositories that have a policy of their own."""
    from draftsman.cli.policy import list_policies

    _finish(list_policies(settings_of.read(env_file), as_json=as_json))


@app.command("show")
def show_command(repo: Repo, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show the policy that is in force, and where each field comes from."""
    from draftsman.cli.policy import show_policy

    _finish(show_policy(settings_of.read(env_file), repo, as_json=as_json))


@app.command("set")
def set_command(
    repo: Repo,
    approval: Annotated[
        ApprovalPolicy | None, typer.Option(help="Which pull requests from forks wait for approval.")
    ] = None,
    trust: Annotated[
        Names,
        typer.Option(metavar="LOGIN", help="Whose need none: a login, name\\[bot] or org/team; several times."),
    ] = None,
    untrust: Annotated[Names, typer.Option(metavar="LOGIN", help="Take somebody off that list; several times.")] = None,
    merge_testing: Annotated[
        bool | None,
        typer.Option("--merge-testing/--no-merge-testing", help="Test pull requests merged into their base."),
    ] = None,
    drafts: Annotated[bool | None, typer.Option("--drafts/--no-drafts", help="Run drafts.")] = None,
    tags: Annotated[bool | None, typer.Option("--tags/--no-tags", help="Run tags.")] = None,
    supersede: Annotated[
        bool | None, typer.Option("--supersede/--no-supersede", help="End a run when a newer commit comes.")
    ] = None,
    supersede_default_branch: Annotated[
        bool | None,
        typer.Option("--supersede-default-branch/--no-supersede-default-branch", help="So on the default branch, too."),
    ] = None,
    runs_on: Annotated[
        str | None,
        typer.Option(metavar="LABELS", help='The labels that a worker must have, with commas; "" for any worker.'),
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Set some fields, and leave the others as they are."""
    from draftsman.cli.policy import set_policy

    given = {
        "approval": approval,
        "merge_testing": merge_testing,
        "run_drafts": drafts,
        "run_tags": tags,
        "supersede": supersede,
        "supersede_default_branch": supersede_default_branch,
        "runs_on": runs_on,
    }
    setting = {name: value for name, value in given.items() if value is not None}
    _finish(
        set_policy(
            settings_of.read(env_file), repo, setting=setting, trust=trust or (), untrust=untrust or (), as_json=as_json
        )
    )


@app.command("unset")
def unset_command(
    repo: Repo,
    names: Annotated[Names, typer.Argument(metavar="[FIELD]...", help=f"Of {', '.join(FIELDS)}; else all.")] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Let the instance's settings count again."""
    from draftsman.cli.policy import unset_policy

    _finish(unset_policy(settings_of.read(env_file), repo, names or (), as_json=as_json))
