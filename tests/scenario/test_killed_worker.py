"""A worker that is killed in the midst of an attempt: the attempt ends once, with its whole log, in one container."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from draftsman.store import database, logs
from tests.scenario.conftest import World
from tests.scenario.test_main_job import job_containers, rows, until_gone

pytestmark = [pytest.mark.scenario, pytest.mark.engine, pytest.mark.linux_root]  # finds the worker in /proc

LINES = 300
COUNTING = (
    "import sys, time\n\n"
    f"for number in range({LINES}):\n"
    "    print(f'line {number:05}', file=(sys.stdout, sys.stderr)[number % 3 == 2], flush=True)\n"
    "    time.sleep(0.01)\n"
    "for number in range(40):\n"
    "    with open(f'junit-{number}.xml', 'wb') as file:\n"
    "        file.write(b'<testsuites/>' + b' ' * 1_000_000)\n"
)
CONFIGURED = 'fast = ["python count.py"]\nfull = []\nsetup = ""\n'


def _dockerfile(name: str, seconds: int) -> str:
    return f"FROM python:3.13-slim\nRUN sleep {seconds}; echo {name}-{time.time_ns()} > /made\n"


Reached = Callable[[World, str], Awaitable[bool]]


async def _state(world: World, sha: str) -> str:
    query = "SELECT state FROM attempts a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1"
    found = await rows(world, query, sha)
    return str(found[0]["state"]) if found else ""


async def _fetches(world: World, sha: str) -> bool:
    return await _state(world, sha) == "preparing"


async def _builds(world: World, sha: str) -> bool:
    return await _state(world, sha) == "building"


async def _runs(world: World, sha: str) -> bool:
    query = (
        "SELECT count(*) AS chunks FROM log_chunks c JOIN attempts a ON a.id = c.attempt_id "
        "JOIN runs r ON r.id = a.run_id WHERE head_sha = $1 AND section = 'fast-1'"
    )
    return int((await rows(world, query, sha))[0]["chunks"]) >= 3


async def _collects(_: World, sha: str) -> bool:
    listing = ("docker", "ps", "-aq", "--filter", f"label=draftsman.sha={sha}", "--filter", "status=exited")
    process = await asyncio.create_subprocess_exec(*listing, stdout=asyncio.subprocess.PIPE)
    output, _error = await process.communicate()
    return bool(output.split())


@pytest.mark.parametrize("reached", [_fetches, _builds, _runs, _collects], ids=["fetch", "build", "run", "collection"])
async def test_a_worker_that_is_killed_loses_nothing(world: World, creations: Creations, reached: Reached) -> None:
    name = reached.__name__.strip("_")
    repository = await world.github.create_repository(
        f"acme/killed-{name}",
        files={
            ".draftsman.toml": CONFIGURED + 'dockerfile = "Dockerfile"\n',
            "Dockerfile": _dockerfile(name, 4 if reached is _builds else 0),
            "count.py": COUNTING,
        },
    )
    sha = await repository.commit({"README.md": "killed\n"}, message="m", branch="feature")
    async with asyncio.timeout(60):
        while not await reached(world, sha):
            await asyncio.sleep(0.02)
    os.kill(worker_of(world.product.process.pid), signal.SIGKILL)
    begin = time.monotonic()
    results = await world.results(sha)
    assert time.monotonic() - begin < 60, world.product.log()
    assert (results["fast"].conclusion, results["full"].conclusion) == ("success", "neutral")
    assert await _log_lines(world, sha) == [f"line {number:05}" for number in range(LINES)]
    await until_gone(sha)
    assert await creations.jobs(sha) == 1, "one job, whoever followed it"
    document = json.loads((await world.product.command("runs", "show", "--json", await _run_id(world, sha)))[1])
    actions = [event["action"] for event in document["history"]]
    assert "attempt.taken_back" in actions
    assert actions.count("attempt.finished") == 1
    assert len(document["attempts"]) == 1


@pytest.mark.parametrize("is_strangers", [False, True], ids=["trusted", "stranger's"])
async def test_a_worker_that_is_told_to_stop_hands_its_job_over(
    world: World, creations: Creations, is_strangers: bool
) -> None:
    files = {".draftsman.toml": CONFIGURED, ".python-version": "3.13\n", "count.py": COUNTING}
    repository = await world.github.create_repository(f"acme/handed-{is_strangers}".lower(), files=files)
    await world.policy(repository.full_name, approval="open")
    head = await world.github.fork(repository, "passer-by") if is_strangers else repository
    sha = await head.commit({"README.md": "handed over\n"}, message="m", branch="feature")
    if is_strangers:
        await repository.open_pull("Mine", head="feature", head_repository=head, author="passer-by")
    async with asyncio.timeout(60):
        while not await _runs(world, sha):
            await asyncio.sleep(0.02)
    os.kill(worker_of(world.product.process.pid), signal.SIGTERM)
    results = await world.results(sha)
    assert (results["fast"].conclusion, results["full"].conclusion) == ("success", "neutral")
    assert await _log_lines(world, sha) == [f"line {number:05}" for number in range(LINES)]
    await until_gone(sha)
    # Nobody sees to what a stranger's code does until the next worker comes: it begins anew.
    assert await creations.jobs(sha) == (2 if is_strangers else 1)
    document = json.loads((await world.product.command("runs", "show", "--json", await _run_id(world, sha)))[1])
    actions = [event["action"] for event in document["history"]]
    assert actions.count("attempt.given_back") == actions.count("attempt.finished") == 1
    assert len(document["attempts"]) == 1


async def test_a_drained_worker_that_is_started_again_finishes_what_it_had_and_begins_nothing(
    world: World, creations: Creations
) -> None:
    files = {".draftsman.toml": CONFIGURED, ".python-version": "3.13\n", "count.py": COUNTING}
    repository = await world.github.create_repository("acme/drained-and-back", files=files)
    sha = await repository.commit({"README.md": "drained\n"}, message="m", branch="feature")
    async with asyncio.timeout(60):
        while not await _runs(world, sha):
            await asyncio.sleep(0.02)
    [worker] = [row["name"] for row in await rows(world, "SELECT name FROM workers WHERE stopped_at IS NULL")]
    await world.product.command("queue", "drain", worker)
    try:
        os.kill(worker_of(world.product.process.pid), signal.SIGTERM)
        later = await repository.commit({"README.md": "later\n"}, message="m", branch="later")
        results = await world.results(sha)
        assert results["fast"].conclusion == "success"
        assert await _log_lines(world, sha) == [f"line {number:05}" for number in range(LINES)]
        assert await creations.jobs(sha) == 1
        assert await _state(world, later) == "queued"
    finally:
        await world.product.command("queue", "undrain", worker)
    await world.results(later)


async def test_a_job_that_was_killed_with_its_machine_starts_again(world: World) -> None:
    files = {".draftsman.toml": CONFIGURED, ".python-version": "3.13\n", "count.py": COUNTING}
    repository = await world.github.create_repository("acme/rebooted", files=files)
    sha = await repository.commit({"README.md": "rebooted\n"}, message="m", branch="feature")
    async with asyncio.timeout(60):
        while not await _runs(world, sha):
            await asyncio.sleep(0.02)
    worker = worker_of(world.product.process.pid)
    os.kill(worker, signal.SIGSTOP)
    job, *_ = await job_containers(sha)
    await (await asyncio.create_subprocess_exec("docker", "kill", job, stdout=asyncio.subprocess.DEVNULL)).wait()
    os.kill(worker, signal.SIGKILL)
    results = await world.results(sha)
    assert results["fast"].conclusion == "success"
    assert await _log_lines(world, sha) == [f"line {number:05}" for number in range(LINES)]


async def _log_lines(world: World, sha: str) -> list[str]:
    """Return the counted lines of the log, sorted within a moment: the streams come by different pipes."""
    attempt = (
        await rows(world, "SELECT a.id FROM attempts a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1", sha)
    )[0]
    pool = await database.connect(world.product.database_url, size=1)
    try:
        text = b"".join([chunk.content async for chunk in logs.read(pool, attempt["id"])])
    finally:
        pool.terminate()
    return sorted(re.findall(r"^line \d{5}$", text.decode(), flags=re.MULTILINE))


class Creations:
    """The containers that the engine says it creates, heard as they come: it keeps few of them to be asked later."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def jobs(self, sha: str) -> int:
        """Stop listening. Returns how many containers were made for the jobs of this commit."""
        self._process.terminate()
        output, _ = await self._process.communicate()
        made = [line.split() for line in output.decode().splitlines()]
        return sum(words[0].startswith("draftsman-job-") and words[1:] == [sha] for words in made if words)


@pytest.fixture
async def creations() -> AsyncIterator[Creations]:
    """What the engine creates from now on."""
    process = await asyncio.create_subprocess_exec(
        *("docker", "events", "--filter", "event=create"),
        *("--format", '{{.Actor.Attributes.name}} {{index .Actor.Attributes "draftsman.sha"}}'),
        stdout=asyncio.subprocess.PIPE,
    )
    yield Creations(process)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _run_id(world: World, sha: str) -> str:
    return str((await rows(world, "SELECT id FROM runs WHERE head_sha = $1", sha))[0]["id"])


def worker_of(parent: int) -> int:
    """Return the pid of the `worker` child of `draftsman up`."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                status = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"worker" in command and int(status[1]) == parent:
                return int(folder.name)
    raise AssertionError("no worker runs")
