"""What people see and steer of a run: artifacts, what may fail, what the checks wrote, and cancelling."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from pathlib import Path

import aiohttp
import pytest

from tests.scenario.conftest import World
from tests.scenario.test_main_job import job_containers, rows, until_gone

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

JUNIT = (
    '<testsuites><testsuite name="s" tests="1" failures="1"><testcase name="test_adds" file="calc.py" line="2">'
    '<failure message="3 is not 4">calc.py:2: AssertionError</failure></testcase></testsuite></testsuites>'
)
CHECK = (
    f"printf '%s' '{JUNIT}' > junit.xml; echo '::error file=calc.py,line=1,title=Look::here%0Aand there'; "
    "echo '::add-mask::hunter2'; echo 'the password is hunter2'; "
    "echo '# All of it' >> \"$GITHUB_STEP_SUMMARY\"; mkdir -p build; echo '<b>' > build/page.html"
)
FILES = {
    ".draftsman.toml": (
        f'setup = ""\nfast = ["exit 4", """{CHECK}"""]\nfull = []\nallow_failure = ["exit 4"]\n'
        'artifacts = ["build/*.html"]\n'
    ),
    ".python-version": "3.13\n",
    "calc.py": "def add(a, b):\n    return a + b\n",
}


async def test_what_a_job_leaves_is_shown_and_can_be_had(world: World, tmp_path: Path) -> None:
    repository = await world.github.create_repository("acme/leaves", files=FILES)
    sha = await repository.commit({"README.md": "x\n"}, message="m", branch="feature")
    fast = (await world.results(sha))["fast"]
    assert fast.conclusion == "success"
    assert "exit 4, may fail" in fast.summary
    assert "All of it" in fast.summary
    assert "2 artifacts" in fast.summary
    assert sorted((note["path"], note["start_line"]) for note in fast.annotations) == [("calc.py", 1), ("calc.py", 2)]
    run_id = str((await rows(world, "SELECT id FROM runs WHERE head_sha = $1", sha))[0]["id"])
    code, log = await world.product.command("runs", "logs", "--timestamps", run_id)
    assert code == 0
    assert "out | the password is ***" in log
    assert "hunter2" not in log
    code, listed = await world.product.command("runs", "artifacts", run_id, "--json")
    assert [one["path"] for one in json.loads(listed)] == ["build/page.html", "junit.xml"]
    await world.product.command("runs", "artifacts", run_id, "--download", str(tmp_path))
    assert (tmp_path / "build" / "page.html").read_text() == "<b>\n"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{world.product.address}/runs/{run_id}") as page:
            text = await page.text()
        assert "build/page.html" in text
        async with session.get(f"{world.product.address}/runs/{run_id}/1/artifacts/1") as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert await answer.read() == b"<b>\n"
        async with session.get(f"{world.product.address}/runs/{run_id}/1/artifacts/9") as answer:
            assert answer.status == 404


async def test_a_run_is_cancelled_while_it_builds_and_while_it_runs(world: World) -> None:
    slow = {".draftsman.toml": 'setup = ""\nfast = ["trap \'\' TERM; echo on; sleep 100"]\nfull = []\n'}
    building = {"Dockerfile": "FROM python:3.13-slim\nRUN sleep 100\n"}
    config = slow[".draftsman.toml"] + 'dockerfile = "Dockerfile"\n'
    for name, files, state in (
        ("builds", {**building, ".draftsman.toml": config}, "building"),
        ("runs", {**slow, ".python-version": "3.13\n"}, "running"),
    ):
        repository = await world.github.create_repository(f"acme/cancel-{name}", files=files)
        sha = await repository.commit({"README.md": "x\n"}, message="m", branch="feature")
        query = "SELECT r.id, a.state FROM attempts a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1"
        async with asyncio.timeout(60):
            while not (found := await rows(world, query, sha)) or found[0]["state"] != state:
                await asyncio.sleep(0.1)
            while state == "running" and not await job_containers(sha):
                await asyncio.sleep(0.1)
        begin = time.monotonic()
        assert (await world.product.command("runs", "cancel", str(found[0]["id"])))[0] == 0
        results = await world.results(sha)
        assert time.monotonic() - begin < 20
        assert results["fast"].conclusion == "cancelled"
        await until_gone(sha)
        assert (await world.product.command("runs", "cancel", str(found[0]["id"])))[0] == 3


async def test_what_a_job_says_is_in_the_store_within_a_second(world: World) -> None:
    counting = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo tick $i; sleep 0.25; done"
    files = {".draftsman.toml": f'setup = ""\nfast = ["{counting}"]\nfull = []\n', ".python-version": "3.13\n"}
    repository = await world.github.create_repository("acme/live", files=files)
    sha = await repository.commit({"README.md": "x\n"}, message="m", branch="feature")
    await world.results(sha)
    query = (
        "SELECT c.at, c.marks FROM log_chunks c JOIN attempts a ON a.id = c.attempt_id JOIN runs r ON r.id = a.run_id "
        "WHERE head_sha = $1 AND section = 'fast-1' ORDER BY position"
    )
    chunks = await rows(world, query, sha)
    assert len(chunks) >= 4, "it came while the job went on"
    waits = [chunk["at"].timestamp() - json.loads(zlib.decompress(chunk["marks"]))[0][2] / 1000 for chunk in chunks]
    assert sorted(waits)[len(waits) // 2] < 1, waits
