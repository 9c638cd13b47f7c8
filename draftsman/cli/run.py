"""`draftsman run`: the same plan, image, sandbox and result as on a pull request, with no GitHub."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from draftsman.cli import target, terminal, tools
from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import Tier
from draftsman.domain.run import Conclusion
from draftsman.settings import Settings
from orchestrator.cancellation import Cancellation
from orchestrator.order import Order
from orchestrator.pipeline import execute, release
from orchestrator.source import Remote

_EXIT_CODES = {Conclusion.SUCCESS: 0, Conclusion.NEUTRAL: 0, Conclusion.SKIPPED: 0, Conclusion.ERROR: 3}


async def run(
    settings: Settings, where: str, *, sha: str | None, tier: Tier | None, rebuild: bool = False, as_json: bool
) -> int:
    """Run the checks of one commit and print the result. Returns the exit code of the command."""
    meant = await target.resolve(where, sha)
    shown = terminal.console(to_stderr=as_json)
    if meant.dirty:
        terminal.complain(f"{where} has changes that are not committed: they are not part of {meant.sha[:12]}.")
    run_id = str(uuid4())

    async def remote() -> Remote:
        return meant.remote

    order = Order(
        id=run_id,
        repo=meant.repo,
        sha=meant.sha,
        identity=meant.identity,
        cache_owner="-local",  # no owner on GitHub has this name: a stranger's clone must not write theirs
        remote=remote,
        tiers=frozenset((tier,) if tier else (Tier.FAST, Tier.FULL)),
        rebuild=rebuild,
    )
    shown.print(f"[bold]{meant.repo}[/] at {meant.sha[:12]}")
    cancel = _cancel_on_interrupt()
    async with tools.opened(settings, lambda *_: nullcontext(), instance=f"run-{run_id}", remember_fence=True) as kit:
        try:
            outcome = await execute(order, kit, terminal.TerminalSink(shown, order.tiers), cancel)
        finally:
            await release(order.id, order.identity, kit)
    terminal.show_outcome(shown, outcome)
    if as_json:
        print(json.dumps(outcome_json(run_id, meant.repo, meant.sha, outcome), indent=2))
    return _EXIT_CODES.get(outcome.conclusion, 1)


def outcome_json(run_id: str, repo: str, sha: str, outcome: Outcome) -> dict[str, Any]:
    """Return the stable JSON form of a finished run."""
    image = outcome.image
    return {
        "run_id": run_id,
        "repo": repo,
        "sha": sha,
        "conclusion": outcome.conclusion,
        "title": outcome.title,
        "detail": outcome.detail,
        "image": None
        if image is None
        else {"tag": image.tag, "cached": image.cached, "build_seconds": image.build_seconds},
        "steps": [
            {
                "name": step.id,
                "tier": step.tier,
                "command": step.command,
                "exit_code": step.exit_code,
                "seconds": step.seconds,
            }
            for step in outcome.steps
        ],
        "annotations": [asdict(found) for found in outcome.findings],
        "timings": outcome.timings,
    }


def _cancel_on_interrupt() -> Cancellation:
    """Return a cancellation that Ctrl-C asks for: what goes on is cleaned up. A second Ctrl-C ends at once."""
    cancel = Cancellation()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def first() -> None:
        cancel.ask()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, first)
    return cancel
