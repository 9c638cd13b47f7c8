"""`draftsman runs`, `installations` and `policy` as a person uses them, against a real Postgres and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from draftsman.domain.plan import Tier
from draftsman.domain.policy import ApprovalPolicy, RepoPolicy
from draftsman.domain.run import Conclusion, Ref, RefKind, Repository, RunState, Trust
from draftsman.queue import QUEUE, redis_client
from draftsman.store import approvals, attempts, installations, policies, runs
from draftsman.store.database import Pool
from draftsman.store.runs import Wanted
from tests.bot.work import claim, make_plan

pytestmark = pytest.mark.services

SHA = "a" * 40
REPO = "acme/widgets"


@dataclass
class Going:
    """A command under way, and what it wrote so far."""

    process: asyncio.subprocess.Process
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    async def read(self) -> None:
        """Read both streams to their ends."""

        async def into(text: bytearray, stream: asyncio.StreamReader | None) -> None:
            assert stream is not None
            while chunk := await stream.read(4096):
                text += chunk

        await asyncio.gather(into(self.stdout, self.process.stdout), into(self.stderr, self.process.stderr))

    async def wrote(self, text: str) -> None:
        """Wait until it has written this."""
        async with asyncio.timeout(120):
            while text.encode() not in self.stdout + self.stderr:
                assert self.process.returncode is None, self.stdout + self.stderr
                await asyncio.sleep(0.1)

    async def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        async with asyncio.timeout(120):
            code = await self.process.wait()
            while not (self.process.stdout and self.process.stdout.at_eof()):
                await asyncio.sleep(0.05)
        return subprocess.CompletedProcess((), code, self.stdout.decode(), self.stderr.decode())


@dataclass
class Draftsman:
    """The command line, on the test's own database."""

    environment: dict[str, str]
    folder: Path
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self, *arguments: str, **settings: str) -> Going:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "draftsman.cli.main",
            *arguments,
            env=self.environment | settings,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        going = Going(process)
        self.tasks.append(asyncio.create_task(going.read()))
        return going

    async def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return await (await self.begin(*arguments, **settings)).ended()


@pytest.fixture
async def draftsman(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Draftsman]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_", "DATABASE_"))
    }
    environment |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "DRAFTSMAN_ALLOW": "acme"}
    command = Draftsman(environment, tmp_path)
    yield command
    await asyncio.gather(*command.tasks)


async def start(pool: Pool[Any], *, trust: Trust = Trust.TRUSTED, sha: str = SHA) -> str:
    repository = Repository(7, REPO, "https://x/y.git", "main", False, 3)
    async with pool.acquire() as connection, connection.transaction():
        wanted = Wanted(repository, sha, Ref(RefKind.BRANCH, "main"), trust)
        return str((await runs.start(connection, wanted, delivery=None)).run_id)


async def end(pool: Pool[Any], conclusion: Conclusion = Conclusion.FAILURE, title: str = "ruff failed") -> None:
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.step("setup-1")
    await work.step("fast-1", 0 if conclusion is Conclusion.SUCCESS else 1)
    await work.finish(conclusion, title)


async def test_a_rerun_is_queued_before_events_and_wakes_a_worker(
    draftsman: Draftsman, pool: Pool[Any], redis_url: str
) -> None:
    run = await start(pool)
    await end(pool)
    redis = redis_client(redis_url)
    await redis.delete(QUEUE)
    done = await draftsman("runs", "rerun", run[:8], "--tier", "fast", "--rebuild", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["asked"], said["attempt"]["attempt"], said["attempt"]["state"]) == ("created", 2, "queued")
    assert await redis.zcard(QUEUE) == 1
    await redis.aclose()
    work = await claim(pool)
    assert (work.attempt.tiers, work.attempt.rebuild) == (frozenset({Tier.FAST}), True)
    assert (work.attempt.asked_by or "").endswith(" (command line)")
    joined = await draftsman("runs", "rerun", run, "--tier", "fast")
    assert (joined.returncode, "Attempt 2 of acme/widgets does this already" in joined.stdout) == (0, True)


async def test_a_rerun_waits_for_an_attempt_that_does_less(draftsman: Draftsman, pool: Pool[Any]) -> None:
    run = await start(pool)
    await end(pool)
    await draftsman("runs", "rerun", run, "--tier", "fast")
    work = await claim(pool)
    impatient = await draftsman("runs", "rerun", run, "--wait", "0")
    assert (impatient.returncode, "still preparing" in impatient.stderr) == (3, True)
    waiting = await draftsman.begin("runs", "rerun", run)
    await waiting.wrote("waiting for the end of attempt 2, which does less: preparing")
    await work.finish(Conclusion.SUCCESS)
    done = await waiting.ended()
    assert (done.returncode, "Attempt 3 of acme/widgets is queued" in done.stdout) == (0, True), done.stderr


async def test_a_run_that_waits_is_approved_not_rerun(draftsman: Draftsman, pool: Pool[Any]) -> None:
    run = await start(pool, trust=Trust.UNTRUSTED)
    await approvals.hold(pool, run_id=(await attempts.find(pool, run))[0], title="waiting for approval")
    refused = await draftsman("runs", "rerun", run)
    assert (refused.returncode, f"draftsman runs approve {run[:8]}" in refused.stderr) == (3, True)
    watched = await draftsman("runs", "watch", run)
    assert (watched.returncode, f"draftsman runs approve {run[:8]}" in watched.stdout) == (1, True)
    other = await draftsman("runs", "approve", run, "--sha", "b" * 40)
    assert (other.returncode, SHA in other.stderr) == (3, True)
    done = await draftsman("runs", "approve", run, "--sha", SHA[:10])
    assert (done.returncode, f"{SHA} of acme/widgets is approved: attempt 2 is queued" in done.stdout) == (0, True)
    assert (await claim(pool)).attempt.trust is Trust.UNTRUSTED


@pytest.mark.parametrize(
    ("conclusion", "code"),
    [
        (Conclusion.SUCCESS, 0),
        (Conclusion.NEUTRAL, 0),
        (Conclusion.FAILURE, 1),
        (Conclusion.TIMED_OUT, 1),
        (Conclusion.ERROR, 3),
    ],
)
async def test_watch_ends_as_the_run_ended(
    draftsman: Draftsman, pool: Pool[Any], conclusion: Conclusion, code: int
) -> None:
    run = await start(pool)
    await end(pool, conclusion, "so it ended")
    done = await draftsman("runs", "watch", run)
    assert done.returncode == code
    assert f"{conclusion}: so it ended" in done.stdout
    assert "\x1b[" not in done.stdout


async def test_watch_follows_a_run_as_it_goes_on(draftsman: Draftsman, pool: Pool[Any]) -> None:
    run = await start(pool)
    watching = await draftsman.begin("runs", "watch", run, "--json")
    await watching.wrote("queued")
    work = await claim(pool)
    await work.plan(make_plan())
    await work.sandbox()
    await work.start("setup-1")
    await watching.wrote("setup-1")
    await work.end("setup-1")
    await work.step("fast-1", 1)
    await work.finish(Conclusion.FAILURE, "ruff failed")
    done = await watching.ended()
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["conclusion"], document["sha"]) == ("failure", SHA)
    assert [step["state"] for step in document["steps"]] == ["finished", "finished", "pending"]
    lines = done.stderr.splitlines()
    assert [line for line in lines if "setup-1" in line] == ["▸ setup-1 uv sync", "✔ setup-1 uv sync 1.5 s"]
    queued = "● queued: no worker can take it, there is none yet"
    assert lines.index(queued) < lines.index("● running") < lines.index("✘ failure: ruff failed")


async def test_watch_without_an_argument_waits_for_the_run_of_the_checkouts_head(
    draftsman: Draftsman, pool: Pool[Any], tmp_path: Path
) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "first")
    unnamed = await draftsman("runs", "watch")
    assert (unnamed.returncode, "no remote `origin`" in unnamed.stderr) == (3, True)
    git("remote", "add", "origin", "git@github.com:Acme/Widgets.git")
    absent = await draftsman("runs", "watch", "--wait", "0")
    assert (absent.returncode, "was it pushed" in absent.stderr) == (3, True)
    watching = await draftsman.begin("runs", "watch")
    await watching.wrote("waiting for a run of")
    run = await start(pool, sha=git("rev-parse", "HEAD"))
    await end(pool, Conclusion.SUCCESS, "all checks passed")
    done = await watching.ended()
    assert (done.returncode, f"run {run[:8]}" in done.stdout) == (0, True), done.stderr
    named = await draftsman("runs", "watch", "--repo", REPO, "--sha", git("rev-parse", "HEAD")[:9])
    assert named.returncode == 0, named.stderr


async def test_runs_are_listed_by_state_and_commit(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await start(pool)
    await end(pool)
    queued = await start(pool, sha="b" * 40)

    async def listed(*options: str) -> list[str]:
        done = await draftsman("runs", "list", "--json", *options)
        assert done.returncode == 0, done.stderr
        return [item["run_id"] for item in json.loads(done.stdout)]

    assert await listed("--state", "queued") == await listed("--sha", "bbbbbbb") == [queued]
    assert len(await listed("--state", "failure")) == 1
    assert await listed("--state", "running") == []
    wrong = await draftsman("runs", "list", "--state", "lost")
    assert (wrong.returncode, "timed_out" in wrong.stderr) == (2, True)


async def test_cancel_ends_a_queued_run(draftsman: Draftsman, pool: Pool[Any]) -> None:
    run = await start(pool)
    assert (await draftsman("runs", "cancel", run)).returncode == 0
    again = await draftsman("runs", "cancel", run)
    assert (again.returncode, "nothing to cancel" in again.stderr) == (3, True)


async def test_installations_are_listed_approved_and_refused(draftsman: Draftsman, pool: Pool[Any]) -> None:
    await installations.note(pool, 3, account="acme", account_id=9)
    run = await start(pool)
    unlisted = {"DRAFTSMAN_ALLOW": ""}
    listed = json.loads((await draftsman("installations", "--json")).stdout)
    assert [(one["id"], one["account"], one["state"]) for one in listed] == [(3, "acme", "pending")]
    approved = await draftsman("installations", "approve", "3", **unlisted)
    assert (approved.returncode, "acme (3) is served" in approved.stdout) == (0, True), approved.stderr
    assert await pool.fetchval("SELECT count(*) FROM tasks WHERE kind = 'first_contact'") == 1
    refused = await draftsman("installations", "refuse", "3", "--json", **unlisted)
    assert json.loads(refused.stdout)["state"] == "refused"
    [attempt] = await attempts.of_run(pool, (await attempts.find(pool, run))[0])
    assert (attempt.state, attempt.conclusion) == (RunState.FINISHED, Conclusion.CANCELLED)
    absent = await draftsman("installations", "approve", "4")
    assert (absent.returncode, "no installation 4" in absent.stderr) == (3, True)
    overruled = await draftsman("installations", "list")
    assert ("acme" in overruled.stdout, "DRAFTSMAN_ALLOW" in overruled.stderr) == (True, True)


async def test_a_policy_is_shown_set_and_unset(draftsman: Draftsman, pool: Pool[Any]) -> None:
    instance = {"DRAFTSMAN_TRUSTED": "alice"}
    shown = json.loads((await draftsman("policy", "show", REPO, "--json", **instance)).stdout)
    assert (shown["trusted"], shown["explicit_fields"]) == (["alice"], [])
    options = (
        "--approval",
        "approve-all",
        "--trust",
        "renovate[bot]",
        "--trust",
        "Acme/Team",
        "--drafts",
        "--no-supersede",
    )
    done = await draftsman("policy", "set", "Acme/Widgets", *options, **instance)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines() if "trusted" in line] == [
        ["trusted", "alice,", "renovate[bot],", "acme/team", "set", "for", "this", "repository"]
    ]
    trusted = ("alice", "renovate[bot]", "acme/team")
    expected = RepoPolicy(ApprovalPolicy.ALL, trusted, run_drafts=True, supersede=False)
    assert await policies.get(pool, REPO, RepoPolicy()) == expected
    await draftsman("policy", "set", REPO, "--untrust", "ALICE", **instance)
    assert (await policies.get(pool, REPO, RepoPolicy())).trusted == trusted[1:]
    assert json.loads((await draftsman("policy", "list", "--json")).stdout)[0]["repo"] == REPO
    left = json.loads((await draftsman("policy", "unset", REPO, "approval", "trusted", "--json")).stdout)
    assert left["explicit_fields"] == ["run_drafts", "supersede"]
    assert (await draftsman("policy", "unset", REPO)).returncode == 0
    assert await policies.everywhere(pool) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", REPO), "Nothing to change"),
        (("set", REPO, "--trust", "a b"), "trusted: "),
        (("set", REPO, "--trust", "a", "--untrust", "A"), "choose one"),
        (("set", REPO, "--approval", "sometimes"), "approve-all"),
        (("show", "widgets"), "OWNER/NAME"),
        (("unset", REPO, "trust"), "no such field"),
    ],
)
async def test_a_policy_that_cannot_be_is_a_sentence(
    draftsman: Draftsman, pool: Pool[Any], arguments: tuple[str, ...], says: str
) -> None:
    done = await draftsman("policy", *arguments)
    assert (done.returncode, says in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert await policies.everywhere(pool) == []
