"""`draftsman purge`: removes a log or a delivery at once and for good."""

from __future__ import annotations

import json

import typer

from draftsman.cli import person, services, terminal
from draftsman.cli.deliveries import find_delivery, no_delivery
from draftsman.cli.runs import find_attempts
from draftsman.cli.terminal import quoted
from draftsman.domain.errors import DraftsmanError
from draftsman.purging import purge_delivery as purge_one_delivery
from draftsman.purging import purge_log as purge_logs
from draftsman.settings import Settings
from draftsman.store import attempts


async def purge_log(settings: Settings, target: str, *, reason: str, yes: bool, as_json: bool) -> int:
    """Remove the logs of a run's attempts, or of one. Raises DraftsmanError where there is none, or it goes on."""
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        run_id, number = await find_attempts(pool, target)
        run = (await attempts.of_run(pool, run_id))[0].run
        which = "all attempts" if number is None else f"attempt {number}"
        name = f"run {str(run_id)[:8]} of {run.repository.full_name} at {run.head_sha[:12]}"
        _ask(f"Remove the log, annotations and files of {which} of {name} for good?", yes=yes)
        purged = await purge_logs(pool, run_id, by=person.actor(), reason=reason, number=number)
    if not purged:
        raise DraftsmanError(f"The run {str(run_id)[:8]} has no attempt {number}: `draftsman runs show` lists them.")
    if as_json:
        print(json.dumps({"run_id": str(run_id), "purged": [one.document() for one in purged]}, indent=2))
        return 0
    shown = terminal.console()
    for one in purged:
        shown.print(
            f"removed of attempt {one.attempt}: {one.log_chunks} pieces of log, {one.annotations} annotations, "
            f"{one.artifacts} files"
        )
    if any(one.check_runs for one in purged):
        shown.print(
            f"GitHub is sent the check runs again without it; `draftsman runs show {str(run_id)[:8]}` says when it was."
        )
    if sent := sum(one.annotations_sent for one in purged):
        shown.print(f"[yellow]GitHub keeps the {sent} annotations that it was given: nobody can take them back.[/]")
    shown.print("Revoke what was printed: whoever could read the log may have it.")
    return 0


async def purge_delivery(settings: Settings, guid: str, *, reason: str, yes: bool, as_json: bool) -> int:
    """Remove the body of a delivery. Raises DraftsmanError where it is not known."""
    async with services.opened(services.found(settings).database_url, size=2) as pool:
        found = await find_delivery(pool, guid)
        _ask(f"Remove the body of delivery {found} for good?", yes=yes)
        if not await purge_one_delivery(pool, found, by=person.actor(), reason=reason):
            raise no_delivery(found)
    if as_json:
        print(json.dumps({"guid": found, "purged": True}, indent=2))
        return 0
    shown = terminal.console()
    shown.print(f"removed the body of delivery {quoted(found)}; its GUID stays known")
    shown.print("GitHub lists what it sent for some days: see the App's page there (Advanced).")
    return 0


def _ask(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True)
