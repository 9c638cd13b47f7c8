"""The arguments of `draftsman images`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of

app = typer.Typer(help="List, rebuild and prune the images that Draftsman built.", no_args_is_help=True)

_KEPT = 3

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Repo = Annotated[str | None, typer.Option("--repo", help="Only images of OWNER/NAME.")]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.command("list")
def images_list(
    repo: Repo = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")] = False,
    env_file: EnvFile = None,
) -> None:
    """List the images on the Docker engine, the newest first."""
    from draftsman.cli.images import list_images

    _finish(list_images(settings_of.read(env_file), repo=repo, as_json=as_json))


@app.command("rebuild")
def images_rebuild(
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository.")], env_file: EnvFile = None
) -> None:
    """Have the next run of a repository build its image anew, also where its build failed before."""
    from draftsman.cli.images import rebuild_images

    if repo.count("/") != 1 or not all(repo.split("/")):
        raise typer.BadParameter(f"{repo!r} is not OWNER/NAME", param_hint="OWNER/NAME")
    _finish(rebuild_images(settings_of.read(env_file), repo))


@app.command("renew")
def images_renew(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be built anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Build anew the images of default branches that will soon be too old. The worker does so every night."""
    from draftsman.cli.renew import renew_images

    _finish(renew_images(settings_of.read(env_file), dry_run=dry_run, as_json=as_json))


@app.command("prune")
def images_prune(
    repo: Repo = None,
    keep: Annotated[int, typer.Option(min=0, max=1000, help="How many of each repository stay.")] = _KEPT,
    everything: Annotated[bool, typer.Option("--all", help="Keep none but those of containers.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Remove old images; the newest of each repository stay, and those that a container uses."""
    from draftsman.cli.images import prune_images

    _finish(prune_images(settings_of.read(env_file), repo=repo, keep=0 if everything else keep, dry_run=dry_run))
