"""The entry point: reads the arguments and the settings, calls one command, and turns errors into exit codes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from draftsman import __version__
from draftsman.cli import (
    delivery_commands,
    image_commands,
    installation_commands,
    logs_setup,
    moment,
    policy_commands,
    profile_commands,
    purge_commands,
    queue_commands,
    run_commands,
    settings_of,
    setup_command,
    terminal,
)
from draftsman.domain.errors import DraftsmanError, SettingsError
from draftsman.domain.plan import Tier
from draftsman.domain.policy import PolicyError
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
app.add_typer(run_commands.app, name="runs")
app.add_typer(queue_commands.app, name="queue")
app.add_typer(profile_commands.app, name="profile")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(installation_commands.app, name="installations")
app.add_typer(image_commands.app, name="images")
app.add_typer(delivery_commands.app, name="deliveries")
app.add_typer(purge_commands.app, name="purge")
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
def alerts(name: Annotated[str | None, typer.Argument(help="The name of one, to read its page.")] = None) -> None:
    """List what needs an administrator, or show what one means and how to mend it."""
    from draftsman.cli.alerts import alerts as command

    raise typer.Exit(command(name))


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
def backup(
    to: Annotated[Path | None, typer.Option("--to", help="A folder; by default that of the scheduled ones.")] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Make a dump of the database now. `draftsman up` makes one every day by itself."""
    from draftsman.cli import backup as command

    _finish(command.backup(settings_of.read(env_file), to=to, as_json=as_json))


@app.command()
def restore(
    dump: Annotated[str, typer.Argument(help="A file, or the name of a dump in the folder of backups.")],
    force: Annotated[
        bool, typer.Option("--force", help="Set aside a database that is not empty, under another name.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Put a dump in the place of the database, while Draftsman is stopped."""
    from draftsman.cli import backup as command

    _finish(command.restore(settings_of.read(env_file), dump, force=force))


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
def audit(
    since: Annotated[str | None, typer.Option(help="Only since then: 90m, 2h, 3d, or a date.")] = None,
    repo: Annotated[str | None, typer.Option(help="Only about OWNER/NAME.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only what this one did, or sent the event for.")] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this action, or family: run.approved, policy, command.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest.")] = 50,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Show who did what, when and why, also beside runs: policies, installations, purges, upkeep."""
    from draftsman.cli.audit import show_audit
    from draftsman.store.audit import AuditFilter

    wanted = AuditFilter(moment.since(since), repo, actor, action)
    _finish(show_audit(settings_of.read(env_file), wanted, limit=limit, as_json=as_json))


@app.command()
def migrate(
    status: Annotated[bool, typer.Option("--status", help="Change nothing, say how every migration stands.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, exit with 1 where any is missing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a database that is not up yet, for ever.")] = False,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Bring the database to this version's schema. Workers of the version before may go on meanwhile."""
    from draftsman.cli import migrate as command

    if as_json and not (status or check):
        raise typer.BadParameter("goes with --status or --check", param_hint="--json")
    settings = settings_of.read(env_file)
    _finish(
        command.show(settings, check=check, as_json=as_json)
        if status or check
        else command.migrate(settings, wait=wait)
    )


def main() -> None:
    """Run the command line. Errors that have a sentence end as that sentence, never as a traceback."""
    try:
        app()
    except (SettingsError, ProfileError, PolicyError) as error:
        terminal.complain(str(error), error.detail)
        sys.exit(USAGE)
    except DraftsmanError as error:
        terminal.complain(str(error), error.detail, error.alert)
        sys.exit(COULD_NOT_RUN)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
