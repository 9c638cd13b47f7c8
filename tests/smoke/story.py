"""What happens to the composed product, step by step; after each, a push must go green with nobody helping."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.github import GitHubStandIn
from tests.product import running, scratch_folder
from tests.smoke import readme
from tests.smoke.checks import DONE_SECONDS, Pushes
from tests.smoke.stack import SERVICES, SmokeError, Stack

AFTER_OLD = "draftsman/store/migrations/0007_retry.sql"
"""The upgrade is from the commit before this came: a database of six migrations, and an image that runs as root."""

NEEDY = {
    ".python-version": "3.13\n",
    # It asks for its package once the registries are gone.
    ".draftsman.toml": (
        'setup = "sleep 8; pip install --retries 1 --timeout 3 --target /tmp/needed six"\n'
        'fast = ["PYTHONPATH=/tmp/needed python -c \'import six\'"]\nfull = ["true"]\n'
    ),
}
UPGRADE = "upgrade: from an image and a database of a commit of long ago"

_CUT_SECONDS = 45.0
_UPKEEP_SECONDS = 240.0
"""What a crash left that was made for a job is removed when it is two minutes old, and is looked for every minute."""
_SLOW = 12
"""Seconds of a test that something happens to."""


@dataclass(slots=True)
class Scene:
    """What a step has before it."""

    github: GitHubStandIn
    stack: Stack
    pushes: Pushes

    async def typed(self, caption: str, *, page: Path = readme.README, dump: str = "") -> str:
        """Type the page's lines below this caption, and return what the last one printed."""
        output = ""
        for line in readme.lines_of(page.read_text("utf-8"), caption):
            output = await self.stack.type(line.replace("DUMP", dump))
        return output


Act = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `cuts`: nobody does that, unasked, to a machine that others use."""

    title: str
    act: Act
    cuts: bool = False


async def first_job(scene: Scene) -> None:
    """A repository with nothing configured: image built, checks run, both green."""
    await scene.pushes.green(await scene.pushes.push())


async def kill_each(scene: Scene) -> None:
    """Each service crashes while a job runs: it comes back by itself, and the job comes to its end."""
    stack = scene.stack
    for name in SERVICES:
        sha = await scene.pushes.push(seconds=_SLOW)
        await scene.pushes.until(sha, "in_progress")
        container = (await stack.services())[name].container
        before = await _starts(stack, container)
        await stack.machine.kill(container)
        stack.screen.say(f"{name}: its process was killed")
        await scene.pushes.green(sha)
        await stack.until_healthy()
        if await _starts(stack, container) != before + 1:
            raise SmokeError(f"{name} was not restarted once by the engine after it was killed")


async def cut_the_internet(scene: Scene) -> None:
    """GitHub and the registries are gone for a while: what happened meanwhile is found, what failed is tried again."""
    machine, say = scene.stack.machine, scene.stack.screen.say
    needy = await Pushes.begun(scene.github, scene.stack, "acme/needy", NEEDY)
    await needy.green(await needy.push())
    needing = await needy.push()
    await needy.until(needing, "in_progress")
    await asyncio.sleep(3)
    await machine.cut()
    say("the cable is pulled while a job is about to download: no GitHub, no registries")
    meanwhile = await scene.pushes.push()
    await asyncio.sleep(_CUT_SECONDS)
    await machine.mend()
    say(f"the cable is back after {_CUT_SECONDS:.0f} s")
    await needy.green(needing)
    if not needy.was_tried_again(needing):
        raise SmokeError("the job that could not download was not tried again")
    await scene.pushes.green(meanwhile)
    await scene.stack.until_healthy()


async def reboot(scene: Scene) -> None:
    """The machine loses power while a job runs: after it is back, nobody types anything."""
    machine = scene.stack.machine
    running = await scene.pushes.push(seconds=_SLOW)
    await scene.pushes.until(running, "in_progress")
    await machine.reboot()
    scene.stack.screen.say("the power was gone, and the engine is started again")
    await scene.stack.until_healthy()
    await scene.pushes.green(running)
    await scene.pushes.green(await scene.pushes.push())


async def recover(scene: Scene) -> None:
    """Containers were removed by mistake: the README's lines bring them back, with all data."""
    before = await _runs(scene.stack)
    await scene.stack.run("docker compose rm --force --stop api worker redis postgres")
    scene.stack.screen.say("all containers of the services were removed")
    await scene.typed(readme.RECOVER)
    await scene.stack.until_healthy()
    if not before <= await _runs(scene.stack):
        raise SmokeError("runs are missing after the recovery")
    await scene.pushes.green(await scene.pushes.push())


async def back_up(scene: Scene) -> None:
    """A dump is put back: what it held is there, and what was pushed since is found again."""
    before = await _runs(scene.stack)
    await scene.stack.until_healthy(("backup",))
    listed = await scene.typed(readme.BACK_UP, page=readme.BACKUPS)
    since = await scene.pushes.push()
    await scene.pushes.green(since)
    await scene.typed(readme.RESTORE, page=readme.BACKUPS, dump=listed.split()[0])
    await scene.stack.until_healthy()
    if not before <= await _runs(scene.stack):
        raise SmokeError("runs of before the dump are missing")
    await scene.pushes.ran_again(since)
    await scene.pushes.green(since)


async def move(scene: Scene) -> None:
    """Somebody comes from `draftsman up` on the same App, with a dump of its database, and had nothing in compose."""
    github, address = scene.github, scene.github.webhook_url
    await _idle(scene.stack)
    await is_tidy(scene)
    await scene.stack.run("docker compose down --volumes")
    with scratch_folder() as folder:
        async with running(github, folder) as product:
            scene.stack.screen.say("`draftsman up` runs for the same App, with data of its own")
            words = await Pushes.begun(github, scene.stack, "acme/words", {"README.md": "words\n"})
            await words.until(sha := await words.push(), "completed")
            code, said = await product.command("backup")
        github.webhook_url, github.auto_deliver = address, True
        if code != 0:
            raise SmokeError(f"`draftsman backup` ended with {code}: {said}")
        await scene.typed(readme.MOVE, page=readme.BACKUPS, dump=said.split(" (")[0])
    await scene.stack.until_healthy()
    listed = await scene.stack.draftsman("runs list --repo acme/words")
    if sha[:12] not in listed:
        raise SmokeError(f"the run of `draftsman up` is not there: {listed}")
    scene.stack.screen.say("its run is there")
    await scene.pushes.green(await scene.pushes.push())


async def is_tidy(scene: Scene) -> None:
    """Nothing of the jobs is left, and no service said anything about a traceback."""
    deadline = time.monotonic() + _UPKEEP_SECONDS
    listed = ("ps", "--all", "--filter", "label=draftsman.job", "--format", "{{.Names}} {{.Status}} {{.Labels}}")
    while jobs := await scene.stack.machine.engine.docker(*listed):
        if time.monotonic() > deadline:
            raise SmokeError(f"containers of jobs are left:\n{jobs}\n{await scene.stack.log()}")
        await asyncio.sleep(0.5)
    log = await scene.stack.run("docker compose logs --no-color api worker")
    if found := re.search(r".*Traceback.*(\n.*){20}", log):
        raise SmokeError(f"a traceback in the log:\n{found[0]}")
    scene.stack.screen.say("no job's container is left, and no log shows a traceback")
    scene.github.assert_no_violations()


STEPS = (
    Step("first job: a repository with nothing configured goes green", first_job),
    Step("each service is killed while a job runs", kill_each),
    Step("the internet is cut, and comes back", cut_the_internet, cuts=True),
    Step("the machine loses power, and starts again", reboot, cuts=True),
    Step("recovery: all containers are removed by mistake", recover),
    Step("a backup is put back", back_up),
    Step("moving here from `draftsman up`", move),
    Step("what is left", is_tidy),
)


async def _idle(stack: Stack) -> None:
    """Wait until nothing runs or waits. Raises SmokeError where that does not come to be."""
    deadline = time.monotonic() + DONE_SECONDS
    while True:
        queue = json.loads(await stack.draftsman("queue --json"))
        if not queue["running"] and not queue["waiting"]:
            return
        if time.monotonic() > deadline:
            raise SmokeError(f"something runs or waits for ever: {queue}")
        await asyncio.sleep(1)


async def _starts(stack: Stack, container: str) -> int:
    said = await stack.machine.engine.docker("inspect", "--format", "{{.RestartCount}}", container)
    return int(said.strip() or -1)


async def _runs(stack: Stack) -> set[str]:
    return {run["run_id"] for run in json.loads(await stack.draftsman("runs list --json --limit 1000"))}
