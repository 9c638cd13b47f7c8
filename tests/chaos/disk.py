"""Small disks: files with a file system in them, mounted; and the filling of one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MEGABYTE = 2**20
_STEPS = (64 * _MEGABYTE, _MEGABYTE, 4096)


class DiskError(Exception):
    """No small disk can be had here; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system, mounted at `folder`."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Take all the room that is left."""
        fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            end = os.fstat(fd).st_size
            for size in _STEPS:
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(fd, end, size)
                        end += size
        finally:
            os.close(fd)

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Yield a disk of this size, mounted at the folder. Raises DiskError where nothing can be mounted (no root)."""
    image = folder.with_name(f"{folder.name}.img")
    folder.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(megabytes * _MEGABYTE)
    try:
        _run("mkfs.ext4", "-q", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
    except DiskError:
        image.unlink(missing_ok=True)
        raise
    try:
        folder.chmod(0o711)
        yield Disk(folder)
    finally:
        subprocess.run(("umount", "-l", str(folder)), capture_output=True)
        image.unlink(missing_ok=True)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise DiskError(f"{command[0]} is not there") from error
    if done.returncode != 0:
        raise DiskError(f"{command[0]}: {done.stderr.strip()[-300:]}")
