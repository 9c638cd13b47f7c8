"""`make smoke`: the composed product, by the README's own lines, through everything that may happen to its machine.

A clone of this checkout is composed on a machine of the test's own (Linux as root), or with --here on the engine that
is there; the GitHub stand-in plays GitHub. What a machine of others must not suffer is left out there, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.chaos.engine import EngineAbsentError
from tests.github import GitHubStandIn
from tests.images.engine_client import StandInError, find_client
from tests.images.ensure import ensure
from tests.product import scratch_folder
from tests.screen import Screen
from tests.smoke import readme
from tests.smoke.checks import Pushes
from tests.smoke.machine import Machine, MachineError, own_machine, this_machine
from tests.smoke.stack import ROOT, SmokeError, Stack
from tests.smoke.story import AFTER_OLD, STEPS, UPGRADE, Scene

IMAGES = (
    "python:3.13.9-slim-trixie",
    "redis:7-alpine",
    "postgres:16-alpine",
    # What the fence, the sample repository's image, and the older version's own image stand on.
    "debian:bookworm-slim",
    "python:3.13-slim",
)

# Waits that are minutes in life: a smoke test wants to see both ends of them.
QUICK = {"DRAFTSMAN_RECOVERY_SECONDS": "5", "DRAFTSMAN_RETRY_SECONDS": "5", "DRAFTSMAN_ALLOW": "*"}
UPGRADE_SECONDS = 50
"""What is under way when the upgrade begins takes so long."""
PORT = 3000


async def smoke(screen: Screen, *, here: bool, by_hand: bool, port: int, keep: bool, only: str = "") -> list[str]:
    """Go through the whole story. Returns what was left out. Raises SmokeError where something is not as it must be."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        screen.title("a machine, and GitHub")
        await asyncio.to_thread(ensure, find_client(), IMAGES, screen.say)
        machine: Machine = await stack.enter_async_context(
            this_machine(by_hand=by_hand) if here or by_hand else own_machine(folder, IMAGES)
        )
        github = await stack.enter_async_context(GitHubStandIn.start("0.0.0.0", public_host=machine.github_host))
        screen.say(f"GitHub stand-in {github.url}")
        left_out = await _story(screen, machine, github, folder, port=port, keep=keep, only=only)
        if only not in UPGRADE:
            return left_out
        if old := _old_commit():
            await _upgrade(screen, machine, github, folder, old, port=port)
        else:
            left_out.append(f"the upgrade: this checkout's history does not reach back to before {AFTER_OLD}")
    return left_out


async def _story(
    screen: Screen, machine: Machine, github: GitHubStandIn, folder: Path, *, port: int, keep: bool, only: str
) -> list[str]:
    left_out = []
    services = _clone(screen, machine, folder / "draftsman", port, "HEAD")
    try:
        screen.title("cold start: the README's lines, from a clone")
        scene = await _started(services, github, "acme/greeting", QUICK)
        for step in (step for step in STEPS if only in step.title):
            if step.cuts and not machine.may_be_cut:
                left_out.append(step.title)
                continue
            screen.title(step.title)
            await step.act(scene)
        if keep:
            screen.title("left up; Enter stops it")
            screen.say(f"cd {services.folder} with {services.environment['DOCKER_HOST']}")
            await asyncio.to_thread(sys.stdin.readline)
    finally:
        github.auto_deliver = False
        await services.run("docker compose down --volumes --timeout 20")
    return left_out


async def _started(services: Stack, github: GitHubStandIn, repository: str, settings: Mapping[str, str]) -> Scene:
    begin = time.monotonic()
    copy, *rest = readme.lines_of(readme.README.read_text("utf-8"), readme.START)
    await services.type(copy)
    services.fill_in(github, settings)
    services.screen.say("filled in the GitHub App")
    for line in rest:
        await services.type(line)
    await services.until_healthy()
    services.screen.say(f"up {time.monotonic() - begin:.1f} s after the first line")
    github.webhook_url = f"{services.address}/webhooks/github"
    github.auto_deliver = True
    return Scene(github, services, await Pushes.begun(github, services, repository))


async def _upgrade(
    screen: Screen, machine: Machine, github: GitHubStandIn, folder: Path, old: str, *, port: int
) -> None:
    """Start an older commit's services by its own compose file, run a job, and upgrade by the README's lines."""
    screen.title(UPGRADE)
    screen.say(_git(ROOT, "show", "--no-patch", "--format=%h of %as: %s", old))
    services = _clone(screen, machine, folder / "upgraded", port, old)
    try:
        scene = await _started(services, github, "acme/upgraded", {"DRAFTSMAN_ALLOW": "*"})
        await scene.pushes.green(await scene.pushes.push())
        running = await scene.pushes.push(seconds=UPGRADE_SECONDS)
        await scene.pushes.until(running, "in_progress")
        before = await services.draftsman("runs list")
        await scene.typed(readme.UPGRADE)
        await services.until_healthy()
        await scene.pushes.green(running)
        after = await services.draftsman("runs list")
        lost = [line for line in before.splitlines()[1:] if line.split()[1] not in after]
        if lost:
            raise SmokeError(f"runs of before the upgrade are missing after it: {lost}")
        await scene.pushes.green(await scene.pushes.push())
        github.assert_no_violations()
    finally:
        github.auto_deliver = False
        await services.run("docker compose down --volumes --timeout 20")


def _clone(screen: Screen, machine: Machine, folder: Path, port: int, commit: str) -> Stack:
    """Clone this checkout at a commit, with a branch that `git pull` brings to this checkout's own head."""
    head = _git(ROOT, "rev-parse", "HEAD")
    _git(ROOT, "clone", "--quiet", "--no-checkout", str(ROOT), str(folder))
    _git(folder, "checkout", "--quiet", "-B", "smoke", _git(ROOT, "rev-parse", commit))
    origin = folder.with_name(f"{folder.name}.git")
    _git(ROOT, "clone", "--quiet", "--bare", str(ROOT), str(origin))
    _git(origin, "update-ref", "refs/heads/smoke", head)
    _git(folder, "remote", "set-url", "origin", str(origin))
    _git(folder, "fetch", "--quiet", "origin")
    _git(folder, "branch", "--quiet", "--set-upstream-to", "origin/smoke")
    return Stack(folder, machine, screen, project=f"draftsman-smoke-{os.getpid()}-{folder.name}", port=port)


def _old_commit() -> str:
    """Return the commit to upgrade from, nothing where the history does not reach back to it."""
    added = ("log", "--diff-filter=A", "--format=%P", "--", AFTER_OLD)
    asked = subprocess.run(("git", "-C", ROOT, *added), capture_output=True, text=True)
    # The last line is the oldest; a commit with no parent is where the history ends.
    return next(iter(reversed(asked.stdout.split("\n")[:-1])), "").partition(" ")[0]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(("git", "-C", folder, *arguments), capture_output=True, text=True)
    if done.returncode != 0:
        raise SmokeError(f"`git {' '.join(arguments)}`: {done.stderr.strip()}")
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the smoke test. Returns 0 where all went as it must, 1 with what did not, 3 where there is no machine."""
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument("--here", action="store_true", help="compose on the engine that is there, and cut nothing off")
    parser.add_argument("--by-hand", action="store_true", help="the same, and you cut it off where you are asked to")
    parser.add_argument("--port", type=int, default=PORT, help="of the API (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave it up before the upgrade, until Enter")
    parser.add_argument("--only", default="", metavar="WORDS", help="only the steps with these words in their title")
    given = parser.parse_args(arguments)
    screen = Screen()
    try:
        left_out = asyncio.run(
            smoke(screen, here=given.here, by_hand=given.by_hand, port=given.port, keep=given.keep, only=given.only)
        )
    except EngineAbsentError as error:
        print(f"\nThere is no machine for it: {error}. With --here it uses the engine that is there.", file=sys.stderr)
        return 3
    except (SmokeError, MachineError, StandInError, AssertionError, LookupError) as error:
        print(f"\nThe smoke test failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for what in left_out:
        print(f"\nLeft out: {what}.")
    print("\nSmoke test finished: everything came back by itself, and every push went green.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
