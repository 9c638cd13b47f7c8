"""`make demo`: the main job end to end, against the GitHub stand-in, as a person would see it.

Starts Draftsman on free ports and a temporary folder, delivers the signed events of a pull request of three
pushes, shows the runs live and the check runs as GitHub would, and stops everything that it started.
KEEP=1 leaves it up until Ctrl-C.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.demo.story import BRANCH, PUSHES, REPOSITORY, Expected, Push, base_files
from tests.github import GitHubStandIn, Repository
from tests.product import ProductError, running, scratch_folder
from tests.screen import Screen

_RUN_SECONDS = 600
_TIERS = ("fast", "full")


class DemoError(Exception):
    """The demo did not go as it must."""


async def watch(github: GitHubStandIn, sha: str, screen: Screen) -> list[Any]:
    """Show each change of the commit's check runs until both are completed, and return them."""
    seen: dict[str, tuple[str, str]] = {}
    deadline = time.monotonic() + _RUN_SECONDS
    while time.monotonic() < deadline:
        runs = github.check_runs(sha)
        for run in runs:
            state = (run.conclusion or run.status, run.title or "")
            if seen.get(run.name) != state:
                seen[run.name] = state
                screen.say(f"{run.name:18} {state[0]:12} {state[1]}")
        if len(runs) == len(_TIERS) and all(run.status == "completed" for run in runs):
            return runs
        await asyncio.sleep(0.05)
    raise DemoError(f"the check runs of {sha[:12]} did not complete within {_RUN_SECONDS} s")


def check(run: Any, expected: Expected) -> list[str]:
    """Return what is not as it must be, as sentences."""
    wrong = []
    if run.conclusion != expected.conclusion:
        wrong.append(f"{run.name}: the conclusion is {run.conclusion}, not {expected.conclusion}")
    if expected.title not in f"{run.title}\n{run.summary}":
        wrong.append(f"{run.name}: neither title nor summary says {expected.title!r}")
    places = [(note["path"], note["start_line"]) for note in run.annotations]
    if (expected.annotation is None and places) or (expected.annotation and expected.annotation not in places):
        wrong.append(f"{run.name}: annotations at {places}, not {expected.annotation}")
    return wrong


async def tell(push: Push, number: int, github: GitHubStandIn, repository: Repository, screen: Screen) -> float:
    """Push, show what happens, print the check runs. Returns the seconds from push to result. Raises DemoError."""
    screen.title(f"push {number}: {push.says}")
    begin = time.monotonic()
    sha = await repository.commit(push.files, message=push.message, branch=BRANCH)
    if number == 1:
        await repository.open_pull("Say goodbye", head=BRANCH)
    screen.say(f"signed events delivered for {sha[:12]}")
    runs = await watch(github, sha, screen)
    seconds = time.monotonic() - begin
    print()
    print(github.render_check_runs(sha, colour=screen.colour))
    wanted = dict(zip((f"Draftsman / {tier}" for tier in _TIERS), (push.fast, push.full), strict=True))
    if wrong := [sentence for run in runs for sentence in check(run, wanted[run.name])]:
        raise DemoError("\n".join(wrong))
    return seconds


async def demo(screen: Screen, *, keep: bool) -> None:
    """Tell the whole story. Raises DemoError where it does not go as it must."""
    with scratch_folder() as folder:
        async with GitHubStandIn.start() as github:
            screen.say(f"GitHub stand-in: {github.url}")
            repository = await github.create_repository(REPOSITORY, private=False, files=base_files())
            async with running(github, folder) as product:
                screen.say(f"Draftsman is up: {product.address} (Postgres, Redis, API and worker in {folder})")
                seconds = [
                    await tell(push, number, github, repository, screen) for number, push in enumerate(PUSHES, start=1)
                ]
                github.assert_no_violations()
                screen.title("timings, from push to both check runs completed")
                for number, (push, took) in enumerate(zip(PUSHES, seconds, strict=True), start=1):
                    print(f"  push {number}  {took:6.1f} s  {push.message}")
                if keep:
                    await _keep_up(screen, product.address, github, folder)
    screen.say("stopped everything that the demo started")


async def _keep_up(screen: Screen, address: str, github: GitHubStandIn, folder: Path) -> None:
    screen.title("left up (KEEP=1); Ctrl-C stops it")
    runs = sorted({str(run.details_url) for run in github.check_runs()})
    for line in (f"Draftsman        {address}/health", f"GitHub stand-in  {github.url}", f"data and log     {folder}"):
        print(f"  {line}")
    for url in runs:
        print(f"  run              {url}")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def main() -> int:
    """Run the demo. Returns 0 where all went as it must, 1 with what did not."""
    screen = Screen()
    try:
        asyncio.run(demo(screen, keep=os.environ.get("KEEP", "") not in ("", "0")))
    except (DemoError, ProductError, AssertionError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\nDemo finished: three pushes, six check runs, all as they must be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
