"""A signed event goes in, finished check runs come out: every way in which the main job may end."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import asyncpg
import pytest

from tests.scenario.conftest import World

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

# No dependencies: what is tested here is the way of a run, not the package registries.
CALCULATOR = {
    ".python-version": "3.13\n",
    "calculator.py": "def add(a, b):\n    return a + b\n",
    "tests/__init__.py": "",
    "tests/test_calculator.py": (
        "import unittest\n\nfrom calculator import add\n\n\nclass AddTest(unittest.TestCase):\n"
        "    def test_adds(self):\n        self.assertEqual(add(1, 2), 3)\n"
    ),
}
SLOW = CALCULATOR | {
    "tests/test_calculator.py": CALCULATOR["tests/test_calculator.py"].replace(
        "        self.assert", "        import time; time.sleep(8)\n        self.assert"
    )
}


async def rows(world: World, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(world.product.database_url)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def job_containers(sha: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        "docker", "ps", "-aq", "--filter", f"label=draftsman.sha={sha}", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode().split()


async def until_gone(sha: str) -> None:
    """Wait until nothing of a job is on the engine: it is removed once its result was kept and can be shown."""
    async with asyncio.timeout(20):
        while await job_containers(sha):
            await asyncio.sleep(0.1)


async def test_a_push_and_a_pull_request_of_one_commit_are_one_run(world: World) -> None:
    repository = await world.github.create_repository("acme/both", files=CALCULATOR)
    await repository.commit({"README.md": "both\n"}, message="both", branch="feature")
    pull = await repository.open_pull("Both", head="feature")
    results = await world.results(pull.head_sha)
    assert results["full"].conclusion == "success"
    found = await rows(
        world,
        "SELECT (SELECT count(*) FROM attempts WHERE run_id = r.id) AS attempts, "
        "(SELECT array_agg(kind ORDER BY kind) FROM run_refs WHERE run_id = r.id) AS kinds "
        "FROM runs r WHERE head_sha = $1",
        pull.head_sha,
    )
    assert [tuple(row) for row in found] == [(1, ["branch", "pull_request"])]


async def test_a_check_run_goes_from_queued_over_in_progress_to_completed(world: World) -> None:
    repository = await world.github.create_repository("acme/stages", files=SLOW)
    sha = await repository.commit({"README.md": "stages\n"}, message="stages", branch="feature")
    await world.results(sha)
    for name in ("Draftsman / fast", "Draftsman / full"):
        statuses = [state.status for state in world.github.check_run_history(name, sha)]
        # A worker may be quicker than the first report: then GitHub never hears of the queue.
        assert list(dict.fromkeys(["queued", *statuses])) == ["queued", "in_progress", "completed"]


async def test_nothing_of_a_job_is_left_on_the_engine(world: World) -> None:
    repository = await world.github.create_repository("acme/tidy", files=CALCULATOR)
    sha = await repository.commit({"README.md": "tidy\n"}, message="tidy", branch="feature")
    await world.results(sha)
    await until_gone(sha)


async def test_a_failing_test_is_shown_at_its_line(world: World) -> None:
    repository = await world.github.create_repository("acme/red", files=CALCULATOR)
    sha = await repository.commit(
        {"calculator.py": "def add(a, b):\n    return a - b\n"}, message="r", branch="feature"
    )
    full = (await world.results(sha))["full"]
    assert full.conclusion == "failure"
    assert [(note["path"], note["start_line"]) for note in full.annotations] == [("tests/test_calculator.py", 8)]


async def test_a_node_project_goes_green_with_nothing_configured(world: World) -> None:
    manifest = {"name": "sum", "version": "1.0.0", "private": True, "scripts": {"test": "node --test"}}
    lock = {"name": "sum", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": {"": manifest}}
    files = {
        ".nvmrc": "22\n",
        "package.json": json.dumps(manifest),
        "package-lock.json": json.dumps(lock),
        "sum.js": "module.exports = (a, b) => a + b;\n",
        "sum.test.js": (
            "const test = require('node:test');\nconst assert = require('node:assert');\n"
            "const sum = require('./sum');\n\ntest('adds', () => assert.strictEqual(sum(1, 2), 3));\n"
        ),
    }
    repository = await world.github.create_repository("acme/node", files=files)
    sha = await repository.commit({"README.md": "node\n"}, message="node", branch="feature")
    assert (await world.results(sha))["full"].conclusion == "success"


async def test_a_repository_with_nothing_to_run_is_neutral_and_says_what_was_looked_for(world: World) -> None:
    repository = await world.github.create_repository("acme/prose", files={"README.md": "words\n"})
    sha = await repository.commit({"README.md": "more words\n"}, message="m", branch="feature")
    results = await world.results(sha)
    assert [results[tier].conclusion for tier in ("fast", "full")] == ["neutral", "neutral"]
    assert "pyproject.toml" in results["fast"].summary


async def test_a_setup_that_fails_fails_both_tiers(world: World) -> None:
    files = CALCULATOR | {"requirements.txt": "./absent-folder\n"}
    repository = await world.github.create_repository("acme/setup", files=files)
    sha = await repository.commit({"README.md": "setup\n"}, message="m", branch="feature")
    results = await world.results(sha)
    assert [results[tier].conclusion for tier in ("fast", "full")] == ["failure", "failure"]
    assert "not run: setup failed" in results["full"].title


async def test_a_dockerfile_that_does_not_build_shows_the_failing_instruction(world: World) -> None:
    files = CALCULATOR | {"ci/Dockerfile": "FROM python:3.13-slim\nRUN echo about to fail && exit 7\n"}
    repository = await world.github.create_repository("acme/broken-image", files=files)
    await rows(
        world,
        "INSERT INTO repo_profiles (repo, dockerfile, dependency_manager, setup_command, validation_fast, "
        "validation_full, explicit_fields) VALUES ($1, $2, 'pip', '', '{}', '{}', '{dockerfile}')",
        "acme/broken-image",
        "ci/Dockerfile",
    )
    sha = await repository.commit({"README.md": "image\n"}, message="m", branch="feature")
    results = await world.results(sha)
    assert [results[tier].conclusion for tier in ("fast", "full")] == ["failure", "failure"]
    shown = results["fast"].title + results["fast"].summary + (results["fast"].text or "")
    assert "exit 7" in shown
    assert "about to fail" in shown


async def test_a_repository_that_cannot_be_fetched_ends_as_our_error(world: World) -> None:
    repository = await world.github.create_repository("acme/unreachable", files=CALCULATOR)
    world.github.faults.fail(500, path=r"/acme/unreachable\.git/", times=20)
    sha = await repository.commit({"README.md": "m\n"}, message="m", branch="feature")
    fast = (await world.results(sha))["fast"]
    assert fast.conclusion == "failure"
    assert "Draftsman could not run this" in fast.title + fast.summary
    assert "acme/unreachable could not be fetched" in fast.title + fast.summary
    attempt = await rows(
        world,
        "SELECT conclusion FROM attempts a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1",
        sha,
    )
    assert attempt[0]["conclusion"] == "error"


async def test_a_commit_that_is_gone_ends_with_a_sentence(world: World) -> None:
    repository = await world.github.create_repository("acme/gone", files=CALCULATOR)
    await world.policy("acme/gone", supersede=False)  # GitHub says that the branch names another commit
    sha = await repository.commit({"README.md": "m\n"}, message="m", branch="keeps")
    payload = await world.github.push_payload(repository, "refs/heads/keeps", before=sha, after=sha)
    gone = "b" * 40
    with world.github.expect_violations():
        await world.github.deliver("push", json.loads(json.dumps(payload).replace(sha, gone)))
        for _ in range(600):
            found = await rows(
                world,
                "SELECT title, conclusion FROM attempts a JOIN runs r ON r.id = a.run_id "
                "WHERE head_sha = $1 AND state = 'finished'",
                gone,
            )
            if found:
                break
            await asyncio.sleep(0.1)
    assert found[0]["conclusion"] == "failure"
    assert "is not in acme/gone any more" in found[0]["title"]


async def test_a_fork_waits_for_approval_and_runs_nothing(world: World) -> None:
    base = await world.github.create_repository("acme/base", private=False, files=CALCULATOR)
    fork = await world.github.create_repository("stranger/base", private=False, parent=base, install=False)
    await fork.commit({"calculator.py": "import os\n"}, message="m", branch="evil")
    pull = await base.open_pull("Please run me", head="evil", head_repository=fork)
    results = await world.results(pull.head_sha)
    assert [results[tier].conclusion for tier in ("fast", "full")] == ["action_required", "action_required"]
    attempt = await rows(
        world, "SELECT state FROM attempts a JOIN runs r ON r.id = a.run_id WHERE head_sha = $1", pull.head_sha
    )
    assert attempt[0]["state"] == "waiting"


async def test_the_page_of_a_run_shows_steps_and_log_and_escapes_both(world: World) -> None:
    files = CALCULATOR | {"tests/__init__.py": "print('<script>alert(1)</script>')\n"}
    repository = await world.github.create_repository("acme/page", files=files)
    sha = await repository.commit({"README.md": "page\n"}, message="m", branch="feature")
    full = (await world.results(sha))["full"]
    async with aiohttp.ClientSession() as session, session.get(str(full.details_url)) as response:
        page = await response.text()
    assert response.status == 200
    assert "unittest" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


async def test_the_command_line_shows_runs_and_logs(world: World) -> None:
    repository = await world.github.create_repository("acme/listed", files=CALCULATOR)
    sha = await repository.commit({"README.md": "listed\n"}, message="m", branch="feature")
    await world.results(sha)
    run_id = await _run_id(world, sha)
    code, listed = await world.product.command("runs", "list", "--repo", "acme/listed")
    assert (code, sha[:12] in listed, "\x1b[" in listed) == (0, True, False)
    code, shown = await world.product.command("runs", "show", run_id[:8])
    assert code == 0
    assert "unittest" in shown
    assert "finished as success" in shown
    code, log = await world.product.command("runs", "logs", run_id)
    assert code == 0
    assert "Ran 1 test" in log
    assert (await world.product.command("runs", "show", "ffffffff"))[0] == 3


async def _run_id(world: World, sha: str) -> str:
    return str((await rows(world, "SELECT id FROM runs WHERE head_sha = $1", sha))[0]["id"])
