"""The entry point: reads the arguments and the settings, calls one command, and turns errors into exit codes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman import __version__
from draftsman.cli import image_commands, logs_setup, profile_commands, settings_of, setup_command, terminal
from draftsman.domain.errors import DraftsmanError, SettingsError
from draftsman.domain.plan import Tier
from draftsman.domain.profile_rules import ProfileError

USAGE, COULD_NOT_RUN = 2, 3

app = typer.Typer(
    name="draftsman",
    help="Pull-request checks that set themselves up.",
    epilog="Exit codes: 0 success, 1 the checks failed, 2 usage or settings, 3 Draftsman could not run them.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
runs_app = typer.Typer(help="List, show and follow runs.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")
app.add_typer(profile_commands.app, name="profile")
app.add_typer(image_commands.app, name="images")
app.command("setup")(setup_command.setup)

EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="A file of NAME=VALUE settings; the environment wins over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Where = Annotated[str, typer.Argument(metavar="PATH|URL", help="A folder in a git repository, or an https URL.")]
Sha = Annotated[str | None, typer.Option("--sha", help="The commit; by default HEAD.")]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True)]


def _finish(command: Coroutine[Any, Any, int]) -> None:
    raise typer.Exit(asyncio.run(command))


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"draftsman {__version__}")
        raise typer.Exit


@app.command()
def up(env_file: EnvFile = None) -> None:
    """Run everything: API, worker, and a Postgres and Redis of its own where no URL is given."""
    from draftsman.cli.up import up as command

    settings = settings_of.read(env_file)
    logs_setup.configure("up", settings.log_level)
    _finish(command(settings, settings_of.environment(env_file)))


@app.command()
def serve(env_file: EnvFile = None, with_parent: WithParent = False) -> None:
    """Run the API: receive webhooks, report check runs, show runs."""
    from draftsman.cli.serve import serve as command

    settings = settings_of.read(env_file)
    logs_setup.configure("serve", settings.log_level)
    _finish(command(settings, with_parent=with_parent))


@app.command()
def worker(env_file: EnvFile = None, with_parent: WithParent = False) -> None:
    """Run a worker beside a Docker engine: takes queued attempts and executes them."""
    from draftsman.cli.worker import worker as command

    settings = settings_of.read(env_file)
    logs_setup.configure("worker", settings.log_level)
    _finish(command(settings, with_parent=with_parent))


@app.command()
def run(
    where: Where,
    sha: Sha = None,
    tier: Annotated[Tier | None, typer.Option(help="Run only this tier (setup always runs).")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the image anew, from fresh base images.")] = False,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Run the checks of one commit here and now, with no GitHub."""
    from draftsman.cli.run import run as command

    if tier is Tier.SETUP:
        raise typer.BadParameter("choose fast or full", param_hint="--tier")
    _finish(command(settings_of.read(env_file), where, sha=sha, tier=tier, rebuild=rebuild, as_json=as_json))


@app.command()
def plan(where: Where, sha: Sha = None, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show what would run on a commit, and why. Builds and runs nothing."""
    from draftsman.cli.plan import plan as command

    _finish(command(settings_of.read(env_file), where, sha=sha, as_json=as_json))


@app.command()
def doctor(
    only: Annotated[list[str] | None, typer.Option(help="Look at this only; may be given several times.")] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Say what works and what does not: settings, database, queue, engine, disk, GitHub, clock."""
    from draftsman.cli.doctor import LOOKS
    from draftsman.cli.doctor import doctor as command

    if unknown := sorted(set(only or ()) - set(LOOKS)):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose of {', '.join(LOOKS)}", param_hint="--only")
    _finish(command(settings_of.read(env_file), only=only or list(LOOKS), as_json=as_json))


@app.command()
def gc(
    caches: Annotated[bool, typer.Option("--caches", help="Remove all dependency caches that no job has.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, say what would go.")] = False,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Remove what runs left behind: containers, volumes, old images, logs, mirrors. The worker does so by itself."""
    from draftsman.cli.gc import gc as command

    _finish(command(settings_of.read(env_file), caches=caches, dry_run=dry_run, as_json=as_json))


@app.command()
def sync(
    repo: Annotated[str | None, typer.Option(help="Only OWNER/NAME.")] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Find default branches and open pull requests that no event told of, and run them."""
    from draftsman.cli.sync import sync as command

    _finish(command(settings_of.read(env_file), repo=repo, as_json=as_json))


@app.command()
def migrate(env_file: EnvFile = None) -> None:
    """Bring the database to this version's schema."""
    from draftsman.cli.migrate import migrate as command

    _finish(command(settings_of.read(env_file)))


@runs_app.command("list")
def runs_list(
    repo: Annotated[str | None, typer.Option(help="Only runs of OWNER/NAME.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """List the newest runs."""
    from draftsman.cli.runs import list_runs

    _finish(list_runs(settings_of.read(env_file), repo=repo, limit=limit, as_json=as_json))


RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run or attempt, or its beginning.")]


@runs_app.command("show")
def runs_show(run_id: RunId, as_json: Json = False, env_file: EnvFile = None) -> None:
    """Show a run: steps, findings, evidence and history."""
    from draftsman.cli.runs import show_run

    _finish(show_run(settings_of.read(env_file), run_id, as_json=as_json))


@runs_app.command("logs")
def runs_logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has finished.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Begin lines with time and stream.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Print the log of a run's newest attempt."""
    from draftsman.cli.runs import print_log

    _finish(print_log(settings_of.read(env_file), run_id, follow=follow, timestamps=timestamps))


@runs_app.command("cancel")
def runs_cancel(run_id: RunId, env_file: EnvFile = None) -> None:
    """Cancel a run: at once where it waits or is queued, within seconds where it is under way."""
    from draftsman.cli.runs import cancel_run

    _finish(cancel_run(settings_of.read(env_file), run_id))


@runs_app.command("artifacts")
def runs_artifacts(
    run_id: RunId,
    download: Annotated[
        Path | None, typer.Option("--download", metavar="DIR", help="Write them into a folder.")
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """List the files that a run's newest attempt left, or download them."""
    from draftsman.cli.artifacts import artifacts as command

    _finish(command(settings_of.read(env_file), run_id, download=download, as_json=as_json))


def main() -> None:
    """Run the command line. Errors that have a sentence end as that sentence, never as a traceback."""
    try:
        app()
    except (SettingsError, ProfileError) as error:
        terminal.complain(str(error), error.detail)
        sys.exit(USAGE)
    except DraftsmanError as error:
        terminal.complain(str(error), error.detail)
        sys.exit(COULD_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
