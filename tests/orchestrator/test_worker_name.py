"""A worker's name, the same after a restart and nobody else's meanwhile."""

from __future__ import annotations

from pathlib import Path

from orchestrator.worker_name import worker_name


def test_a_name_is_kept_and_never_shared(tmp_path: Path) -> None:
    with worker_name(tmp_path) as first, worker_name(tmp_path) as second:
        assert first != second
    with worker_name(tmp_path) as again:
        assert again == first
    (tmp_path / "worker-1").write_text("nonsense\n")
    with worker_name(tmp_path) as mended:
        assert mended not in (first, second)
