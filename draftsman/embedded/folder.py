"""A server's own folder on disk: who holds it, who owns what in it, and where its socket lies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import re
import shutil
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from draftsman.embedded.server import EmbeddedError

LONGEST_SOCKET_FOLDER = 80
"""Bytes. A socket's whole path is limited to 104 on macOS and 108 on Linux; `/.s.PGSQL.5432` is 14."""

PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
"""Paths that need no quoting in a URL: arq and redis-py disagree on how a quoted one is read."""

LOCK_WAIT = 1.0
"""Seconds that a held lock is tried again: the kernel frees that of a killed process a moment later."""

DYNAMIC_UIDS = range(61184, 65520)
"""User ids that systemd sets apart for services without an entry in /etc/passwd."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a server runs as when we are root. It has no entry in /etc/passwd."""

    uid: int
    gid: int


class Lock:
    """The hold on a folder. It is freed by the kernel when the process ends, however it ends."""

    def __init__(self, folder: Path, file: IO[str]) -> None:
        self.folder = folder
        self._file = file
        self.write(f"{os.getpid()}\n")

    def tell(self, url: str) -> None:
        """Let `running_url` find the server."""
        self.write(f"{os.getpid()}\n{url}\n")

    def write(self, text: str) -> None:
        """Replace the content of the lock file."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()


@asynccontextmanager
async def hold(folder: Path) -> AsyncIterator[Lock]:
    """Hold the folder, made if absent, for this process alone. The lock names its absolute path.

    Raises EmbeddedError naming the process that holds it already.
    """
    folder, file = _open(folder)
    with file:
        deadline = asyncio.get_running_loop().time() + LOCK_WAIT
        while not _try_lock(file, fcntl.LOCK_EX):
            if asyncio.get_running_loop().time() > deadline:
                holder = file.readline().strip() or "unknown"
                raise EmbeddedError(
                    f"{folder} is in use by process {holder}: stop that one first, or choose another folder."
                )
            await asyncio.sleep(0.05)
        lock = Lock(folder, file)
        try:
            yield lock
        finally:
            lock.write("")


def _open(folder: Path) -> tuple[Path, IO[str]]:
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.geteuid():
            # Entered by the server's own account where we are root; private otherwise.
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be used for data: {error.strerror}.") from error
    return folder, os.fdopen(descriptor, "r+", encoding="utf-8")


def running_url(folder: Path) -> str | None:
    """Return the URL of the server that another process runs in this folder, None where none runs."""
    try:
        with (folder / "lock").open(encoding="utf-8") as file:
            if _try_lock(file, fcntl.LOCK_SH):
                return None
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    return lines[1] if len(lines) > 1 else None


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def account_for(folder: Path) -> Account | None:
    """Return the account to run a server as that refuses root; None where we are not root.

    It owns the folder `data` already, or is a free user id that is derived from the folder's path.
    """
    if os.geteuid() != 0:
        return None
    data = folder / "data"
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    start = zlib.crc32(os.fsencode(folder)) % len(DYNAMIC_UIDS)
    candidates = (DYNAMIC_UIDS[(start + step) % len(DYNAMIC_UIDS)] for step in range(len(DYNAMIC_UIDS)))
    uid = next(uid for uid in candidates if uid not in taken)
    return Account(uid, uid)


def give(path: Path, account: Account) -> None:
    """Make the account the owner of the folder and of all that is in it."""
    try:
        for parent, _, files in os.walk(path):
            for owned in (Path(parent), *(Path(parent, name) for name in files)):
                os.chown(owned, account.uid, account.gid, follow_symlinks=False)
    except OSError as error:
        raise EmbeddedError(
            f"{path} cannot be given to the account that Postgres runs as ({error.strerror}): start Draftsman "
            "as a user other than root, or set DATABASE_URL to a Postgres of your own."
        ) from error


def closed_folder(path: Path) -> Path | None:
    """Return the topmost folder on the way to `path` (itself included) that others may not enter."""
    way = (*reversed(path.parents), path)
    return next((folder for folder in way if not folder.stat().st_mode & 0o001), None)


@contextmanager
def socket_folder(folder: Path, account: Account | None) -> Iterator[Path]:
    """Make a private folder with a short path: in the folder itself, or a temporary one where that is long."""
    sockets = folder / "socket"
    fits = len(os.fsencode(sockets)) <= LONGEST_SOCKET_FOLDER and PLAIN_PATH.fullmatch(str(sockets))
    if fits:
        sockets.mkdir(exist_ok=True)
    else:
        # Not tempfile's default folder: that of macOS is half of the limit by itself.
        sockets = Path(tempfile.mkdtemp(prefix="draftsman-", dir="/tmp"))
    sockets.chmod(0o700)
    if account:
        give(sockets, account)
    try:
        yield sockets
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
