"""A worker's name, the same after a restart: so that it knows at once which attempts it held when it died.

The names are files of the home folder, one for each worker that runs from it; a lock says which are taken. The kernel
drops the lock when its holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_MOST = 1000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}:[0-9a-f]{8}")


@contextmanager
def worker_name(folder: Path) -> Iterator[str]:
    """Hold a name that no living worker of this folder has, `HOST:WORD`. Raises OSError where the folder is no good."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST):
        descriptor = os.open(folder / f"worker-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield _name(descriptor)
        finally:
            os.close(descriptor)
        return
    raise OSError(f"{_MOST} workers run from {folder} already.")


def _name(descriptor: int) -> str:
    """Return the name in the file, given once: a container that is made anew has another host name."""
    name = os.pread(descriptor, 300, 0).decode("ascii", "replace").strip()
    if not _NAME.fullmatch(name):
        name = f"{socket.gethostname()[:100]}:{uuid4().hex[:8]}"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, name.encode(), 0)
    return name
