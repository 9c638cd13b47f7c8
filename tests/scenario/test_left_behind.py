"""Fifty runs of every kind on one engine: afterwards there is nothing but images, caches, and what policy keeps."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from draftsman.cli import tools
from draftsman.domain.plan import ProfileOverrides
from draftsman.domain.run import Conclusion
from draftsman.settings import Settings
from orchestrator.cancellation import Cancellation
from orchestrator.order import Order, Tools
from orchestrator.pipeline import execute, release
from orchestrator.source import Remote
from tests.orchestrator.sandbox_parts import Commit, make_commit, no_lock, nothing

pytestmark = [pytest.mark.engine, pytest.mark.hostile]

AT_ONCE = 4
KINDS: Mapping[str, tuple[str, Conclusion]] = {
    "green": ("true", Conclusion.SUCCESS),
    "red": ("echo no >&2; exit 3", Conclusion.FAILURE),
    "cancelled": ("sleep 60", Conclusion.CANCELLED),
    "out of time": ("sleep 60 & sleep 61", Conclusion.TIMED_OUT),
    "daemon": ("setsid sleep 1000 >/dev/null 2>&1 & true", Conclusion.SUCCESS),
    "artifact": ("echo '<testsuites/>' > junit.xml", Conclusion.SUCCESS),
    "broken": ("kill -9 $PPID", Conclusion.ERROR),
}


async def test_fifty_mixed_runs_leave_nothing(tmp_path: Path) -> None:
    commit = make_commit(tmp_path, {"requirements.txt": "", "test_x.py": "def test_x(): pass\n"})
    settings = Settings(home=tmp_path / "home", no_output_timeout_seconds=1200)
    instance = f"tests-{uuid.uuid4()}"
    async with tools.opened(settings, no_lock, instance=instance) as kit:
        before = await _everything(kit)
        turns = asyncio.Semaphore(AT_ONCE)

        async def run(number: int) -> tuple[str, Conclusion]:
            kind = list(KINDS)[number % len(KINDS)]
            async with turns:
                return kind, await _run(kit, commit, kind, trusted=number % 3 != 0)

        ended = await asyncio.gather(*(run(number) for number in range(50)))
        assert [conclusion for _, conclusion in ended] == [KINDS[kind][1] for kind, _ in ended]
        # What another program does on this engine comes and goes; what a run left would stay.
        async with asyncio.timeout(60):
            while _new(before, await _everything(kit)):
                await asyncio.sleep(0.5)
        assert list((tmp_path / "home" / "scratch").iterdir()) == []
        refs = [path for path in (tmp_path / "home" / "mirrors").rglob("refs/draftsman/run/*") if path.is_file()]
        assert refs == []


async def _run(kit: Tools, commit: Commit, kind: str, *, trusted: bool) -> Conclusion:
    command, _ = KINDS[kind]
    limits = (("timeout_seconds", "2"),) if kind == "out of time" else ()

    async def remote() -> Remote:
        return Remote("acme/mixed", str(commit.folder))

    order = Order(
        id=str(uuid.uuid4()),
        repo="acme/mixed",
        sha=commit.sha,
        identity=str(commit.folder),
        cache_owner="tests-mixed",
        remote=remote,
        overrides=ProfileOverrides(setup="", fast=(command,), full=(), dockerfile_mode="generate", limits=limits),
        trusted=trusted,
        base_sha=commit.sha,
        on_base=True,
    )
    cancel = Cancellation()
    if kind == "cancelled":
        asyncio.get_running_loop().call_later(4, cancel.ask)
    try:
        return (await execute(order, kit, nothing_at_all, cancel)).conclusion
    finally:
        await release(order.id, order.identity, kit)


async def nothing_at_all(_: object) -> None:
    """Take progress and keep none of it."""
    await nothing()


def _new(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> set[str]:
    return {name for kind, names in after.items() for name in names - before[kind]}


async def _everything(kit: Tools) -> dict[str, set[str]]:
    """Return the containers, networks and scratch volumes of the engine."""
    containers = await kit.engine.call("GET", "containers/json", params={"all": "1"})
    networks = await kit.engine.call("GET", "networks")
    volumes = (await kit.engine.call("GET", "volumes")).get("Volumes") or ()
    return {
        "containers": {str(one["Id"]) for one in containers},
        "networks": {str(one["Id"]) for one in networks},
        "volumes": {str(one["Name"]) for one in volumes if "draftsman.job" in (one.get("Labels") or {})},
    }
