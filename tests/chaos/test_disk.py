"""A full disk under the mirrors is said as what it is, and no mirror is taken for damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from draftsman.domain.errors import DiskFullError
from orchestrator.order import Order
from orchestrator.source import Mirror, Remote
from orchestrator.tested import fetch_tested
from tests.chaos.disk import small_disk
from tests.orchestrator.sandbox_parts import Commit, make_commit

pytestmark = [pytest.mark.chaos, pytest.mark.linux_root]


def order_of(commit: Commit) -> Order:
    async def remote() -> Remote:
        return Remote("acme/full", str(commit.folder))

    return Order(
        id="1", repo="acme/full", sha=commit.sha, identity="1", cache_owner="acme", remote=remote, trusted=True
    )


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
async def test_a_full_disk_is_said_and_heals_by_itself(tmp_path: Path, is_known: bool) -> None:
    first = make_commit(tmp_path / "first", {"a.txt": "a"})
    with small_disk(tmp_path / "home", 16) as disk:
        mirror = Mirror(disk.folder / "mirrors" / "1.git")
        mirror.folder.parent.mkdir()
        if is_known:
            await fetch_tested(order_of(first), mirror)
        inode = mirror.folder.stat().st_ino if is_known else None
        disk.fill()
        second = make_commit(tmp_path / "second", {"b.txt": "b" * 100_000})
        with pytest.raises(DiskFullError, match=r"The disk of .*mirrors is full: free some space"):
            await fetch_tested(order_of(second), mirror)
        disk.free()
        if is_known:
            assert mirror.folder.stat().st_ino == inode, "it was taken for damaged"
        assert (await fetch_tested(order_of(second), mirror)).sha == second.sha
