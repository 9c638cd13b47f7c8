"""The arguments of `draftsman profile`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman.cli import settings_of
from draftsman.domain.profile import FIELDS
from draftsman.domain.profile_rules import DEPENDENCY_MANAGERS, LIMITS, MODES

app = typer.Typer(
    help="Say how a repository is set up and checked; what you leave out is inferred.", no_args_is_help=True
)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Repo = Annotated[str, typer.Argument(metavar="OWNER/REPO", help="The repository's name on GitHub.")]
Commands = list[str] | None


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.command("list")
def list_command(as_json: Json = False, env_file: EnvFile = None) -> None:
    """List all profiles."""
    from draftsman.cli.profile import list_profiles

    _finish(list_profiles(settings_of.read(env_file), as_json=as_json))


@app.command("get")
def get_command(repo: Repo, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show one profile: each field, and whether a person set it."""
    from draftsman.cli.profile import show_profile

    _finish(show_profile(settings_of.read(env_file), repo, as_json=as_json))


@app.command("set")
def set_command(
    repo: Repo,
    setup: Annotated[str | None, typer.Option(help="The command that installs what the checks need.")] = None,
    fast: Annotated[Commands, typer.Option(help="A fast check; may be given several times, in order.")] = None,
    full: Annotated[Commands, typer.Option(help="A full check; may be given several times, in order.")] = None,
    no_setup: Annotated[bool, typer.Option("--no-setup", help="Nothing to install.")] = False,
    no_fast: Annotated[bool, typer.Option("--no-fast", help="No fast checks.")] = False,
    no_full: Annotated[bool, typer.Option("--no-full", help="No full checks.")] = False,
    manager: Annotated[str | None, typer.Option(help=f"One of {', '.join(DEPENDENCY_MANAGERS)}.")] = None,
    dockerfile: Annotated[str | None, typer.Option(help="The path of the repository's Dockerfile.")] = None,
    mode: Annotated[str | None, typer.Option(help=f"How the Dockerfile is chosen: {', '.join(MODES)}.")] = None,
    target: Annotated[str | None, typer.Option(help="The stage of the Dockerfile that is built.")] = None,
    build_arg: Annotated[
        Commands, typer.Option(metavar="NAME=VALUE", help="A build argument; may be given several times.")
    ] = None,
    allow_failure: Annotated[
        Commands, typer.Option(metavar="COMMAND", help="A check that may fail; may be given several times.")
    ] = None,
    artifact: Annotated[
        Commands, typer.Option(metavar="GLOB", help="Files to keep; may be given several times.")
    ] = None,
    limit: Annotated[Commands, typer.Option(metavar="NAME=VALUE", help=f"A limit: {', '.join(LIMITS)}.")] = None,
    path: Annotated[
        Commands,
        typer.Option(metavar="GLOB", help="Files whose change is checked, others' is not; may be given several times."),
    ] = None,
    ignore_path: Annotated[
        Commands, typer.Option(metavar="GLOB", help="Files whose change is not checked; may be given several times.")
    ] = None,
    submodules: Annotated[
        bool | None,
        typer.Option("--submodules/--no-submodules", help="Fetch the files of submodules.", show_default=False),
    ] = None,
    lfs: Annotated[
        bool | None, typer.Option("--lfs/--no-lfs", help="Fetch the files of Git LFS.", show_default=False)
    ] = None,
    clear: Annotated[
        Commands, typer.Option(metavar="FIELD", help=f"Give a field back to inference: {', '.join(FIELDS)}.")
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Set some fields, and leave the others as they are."""
    from draftsman.cli.profile import set_profile

    for option, value, none in (("setup", setup, no_setup), ("fast", fast, no_fast), ("full", full, no_full)):
        if value is not None and none:
            raise typer.BadParameter("choose one of the two", param_hint=f"--{option}, --no-{option}")
    given: dict[str, object] = {
        "setup": "" if no_setup else setup,
        "fast": [] if no_fast else fast,
        "full": [] if no_full else full,
        "dependency_manager": manager,
        "dockerfile": dockerfile,
        "dockerfile_mode": mode,
        "dockerfile_target": target,
        "build_args": _pairs(build_arg, "--build-arg"),
        "allow_failure": allow_failure,
        "artifacts": artifact,
        "limits": _pairs(limit, "--limit"),
        "paths": path,
        "paths_ignore": ignore_path,
        "submodules": submodules,
        "lfs": lfs,
    }
    setting = {name: value for name, value in given.items() if value is not None}
    _finish(set_profile(settings_of.read(env_file), repo, setting=setting, clearing=clear or []))


@app.command("edit")
def edit_command(
    repo: Repo,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A text that was refused, to edit it again.")
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Open the profile in $EDITOR, with what was inferred in comments."""
    from draftsman.cli.profile import edit_profile

    _finish(edit_profile(settings_of.read(env_file), repo, file=file))


@app.command("delete")
def delete_command(repo: Repo, env_file: EnvFile = None) -> None:
    """Delete a profile; the next run infers it anew."""
    from draftsman.cli.profile import delete_profile

    _finish(delete_profile(settings_of.read(env_file), repo))


@app.command("dockerfile")
def dockerfile_command(
    repo: Repo,
    edit: Annotated[bool, typer.Option("--edit", help="Open it in $EDITOR; once changed it is kept.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Let it be generated again.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Print the generated Dockerfile."""
    from draftsman.cli import profile

    if edit and reset:
        raise typer.BadParameter("choose one of the two", param_hint="--edit, --reset")
    command = profile.edit_dockerfile if edit else profile.reset_dockerfile if reset else profile.show_dockerfile
    _finish(command(settings_of.read(env_file), repo))


def _pairs(given: Commands, option: str) -> dict[str, str] | None:
    if given is None:
        return None
    pairs = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals:
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint=option)
        pairs[name] = value
    return pairs
