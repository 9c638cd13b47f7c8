"""An engine whose disk is nearly full: its worker takes nothing, has upkeep make room, and goes on by itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from draftsman.cli.tools import build_settings
from draftsman.settings import load
from orchestrator import disk_room, engine
from orchestrator.disk_room import DiskRoom
from orchestrator.disk_watch import Floor
from orchestrator.helper import Helper
from tests.chaos.disk import Disk, small_disk
from tests.chaos.engine import OwnEngine, shared_engine
from tests.product import scratch_folder

pytestmark = [pytest.mark.chaos, pytest.mark.engine, pytest.mark.linux_root]

FLOOR = Floor(200 * 2**20)


@pytest.fixture(scope="module")
async def small() -> AsyncIterator[tuple[Helper, Disk]]:
    """The helper of an engine of our own, whose data are on a disk of 1.5 GB."""
    with scratch_folder() as folder, small_disk(folder / "disk", 1500) as disk:
        own = OwnEngine(folder / "engine", folder / "disk" / "data")
        try:
            await own.start()
            await own.take_over(await shared_engine())
            opened = await engine.connect(f"unix://{own.socket}")
            try:
                yield Helper(opened, build_settings(load(os.environ))), disk
            finally:
                await opened.close()
        finally:
            await own.remove()


async def test_nothing_is_taken_before_there_is_room_again(
    small: tuple[Helper, Disk], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    helper, disk = small
    for name in ("BUSY_SECONDS", "IDLE_SECONDS", "SHORT_SECONDS"):
        monkeypatch.setattr(disk_room, name, 0.5)
    calls = []

    async def found() -> Helper:
        return helper

    async def make_room() -> None:
        calls.append("upkeep")
        disk.free()

    room = DiskRoom(found, FLOOR, busy=lambda: 0, make_room=make_room, looked=lambda: None)

    def is_enough() -> bool:
        return room.is_enough

    assert not is_enough()  # nothing is known yet
    keeping = asyncio.create_task(room.keep())
    try:
        async with asyncio.timeout(60):
            while not is_enough():
                await asyncio.sleep(0.1)
        disk.fill()
        async with asyncio.timeout(60):
            while not calls:
                await asyncio.sleep(0.1)
            while not is_enough():
                await asyncio.sleep(0.1)
        assert "less than 0.2 GiB are free on the disk of its Docker engine" in caplog.text
        assert "there is room on the disk of the Docker engine again" in caplog.text
        # What stays short is not cleaned again and again.
        disk.fill()
        async with asyncio.timeout(60):
            while is_enough():
                await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        assert (calls, room.is_short) == (["upkeep"], True)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        disk.free()
