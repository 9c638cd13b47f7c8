"""Finds and removes what was left in the home folder: mirrors that no run needs, and scratch of workers that died."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from orchestrator.housekeeping.judgement import Leftover

_SCRATCH_SECONDS = 6 * 3600.0
_DAY = 86_400.0
_RUN_SECONDS = 2 * _DAY


def old_folders(home: Path, *, mirror_days: float) -> list[Leftover]:
    """Return the folders that may go. Reads the disk: call it in a thread.

    A mirror's time is that of its last fetch. One that keeps a run's ref is in use for as long as a run may last; a ref
    that is older was left by a worker that died.
    """
    now = time.time()
    found = []
    for mirror in _folders(home / "mirrors"):
        if ".damaged-" in mirror.name:
            found.append(Leftover("mirror", str(mirror), "set aside as damaged", _size(mirror)))
        elif (age := now - _changed_at(mirror)) > mirror_days * _DAY and (
            age > _RUN_SECONDS or not _keeps_a_run(mirror)
        ):
            found.append(Leftover("mirror", str(mirror), f"not used for {mirror_days:g} days", _size(mirror)))
    left = [folder for folder in _folders(home / "scratch") if now - _changed_at(folder) > _SCRATCH_SECONDS]
    return found + [Leftover("scratch", str(folder), "left by a worker that died", _size(folder)) for folder in left]


def remove_folder(leftover: Leftover) -> bool:
    """Remove one of them. It is renamed first, so that nobody meets half of it."""
    folder = Path(leftover.name)
    going = folder.with_name(f"{folder.name}.damaged-{time.time_ns()}")
    try:
        folder.rename(going)
    except FileNotFoundError:
        return True
    shutil.rmtree(going, ignore_errors=True)
    return not going.exists()


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.is_symlink())
    except FileNotFoundError:
        return []


def _changed_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _keeps_a_run(mirror: Path) -> bool:
    loose = mirror / "refs" / "draftsman" / "run"
    if loose.is_dir() and any(loose.iterdir()):
        return True
    try:
        return "refs/draftsman/run/" in (mirror / "packed-refs").read_text("utf-8", "replace")
    except FileNotFoundError:
        return False


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += 0 if file.is_symlink() or file.is_dir() else file.stat().st_size
        except FileNotFoundError:
            continue
    return total
