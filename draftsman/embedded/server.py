"""One server as a child of ours: started, watched, started again when it dies, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from draftsman.domain.errors import HostError
from draftsman.embedded import launch

READY_WITHIN = 120.0
"""Seconds. Replaying the log after a crash takes time; a start after a clean stop takes 50 ms."""

STOP_WITHIN = 10.0
"""Seconds that a server has for each of its stop signals, before the next, and before SIGKILL."""

LARGEST_LOG = 4 * 1024 * 1024
"""Bytes. A longer log is set aside as `log.1` at the next start."""

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All of it: a PGDATA or PGPORT of the user's must not reach our server."""

logger = logging.getLogger(__name__)


class EmbeddedError(HostError):
    """An embedded server could not be started. `detail` is the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """What is started. `pid_file` has the pid in its first line, and `mark` is a part of its command line.

    `stop_signals` are tried in turn; the last one is also what it gets when this process dies.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    pid_file: Path
    mark: str
    stop_signals: tuple[signal.Signals, ...]
    uid: int = -1
    gid: int = -1

    @property
    def log(self) -> Path:
        """Return the file that takes the server's output."""
        return self.folder / "log"


@asynccontextmanager
async def served(server: Server, answers: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
    """Run the server until the block is left. It has answered when the block is entered.

    Raises EmbeddedError, with the end of the log, if it ends or does not answer in `READY_WITHIN`.
    """
    await end_leftover(server)
    rotate(server.log)
    child = Child(await start(server, answers))
    keeper = asyncio.create_task(_keep(server, answers, child), name=f"keep {server.name}")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        await stop(child.process, server.stop_signals)


@dataclass(slots=True)
class Child:
    """The process that is the server now: another one after each death."""

    process: Process


async def _keep(server: Server, answers: Callable[[], Awaitable[bool]], child: Child) -> None:
    """Start the server again, for ever, when it dies. Leaves it running when cancelled."""
    while True:
        code = await child.process.wait()
        logger.error("%s ended with %s and is started again\n%s", server.name, code, tail(server.log))
        while child.process.returncode is not None:
            await asyncio.sleep(1)
            try:
                child.process = await start(server, answers)
            except EmbeddedError as error:
                logger.error("%s\n%s", error, error.detail)


async def start(server: Server, answers: Callable[[], Awaitable[bool]]) -> Process:
    """Return the running server once it answers. Raises EmbeddedError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_WITHIN
    process = await _spawn(server)
    try:
        while not await answers():
            if process.returncode is not None:
                # The children of a killed postmaster need a moment to notice; until then no new one starts.
                if "is still in use" not in tail(server.log, 1000) or loop.time() > deadline:
                    raise EmbeddedError(
                        f"{server.name} did not start (exit code {process.returncode}); its log is {server.log}.",
                        tail(server.log),
                    )
                await asyncio.sleep(0.5)
                process = await _spawn(server)
            if loop.time() > deadline:
                raise EmbeddedError(
                    f"{server.name} did not answer within {READY_WITHIN:.0f} s; its log is {server.log}.",
                    tail(server.log),
                )
            await asyncio.sleep(0.02)
    except BaseException:
        await stop(process, server.stop_signals)
        raise
    return process


async def _spawn(server: Server) -> Process:
    with os.fdopen(os.open(server.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
        return await asyncio.create_subprocess_exec(
            *launcher(server.command, server.stop_signals[-1], server.uid, server.gid),
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            env=ENVIRONMENT,
            cwd=server.folder,
            # The terminal's Ctrl-C is for us alone: we stop the servers after their users.
            start_new_session=True,
        )


def launcher(command: tuple[str, ...], death_signal: int, uid: int, gid: int) -> tuple[str, ...]:
    """Return the command line that becomes `command` as another user, ending with this process."""
    values = (os.getpid(), int(death_signal), uid, gid)
    return (sys.executable, "-I", "-S", str(Path(launch.__file__)), *map(str, values), *command)


async def output_of(command: tuple[str, ...], folder: Path, uid: int = -1, gid: int = -1) -> tuple[int, str]:
    """Run a short command as the account; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *launcher(command, signal.SIGKILL, uid, gid),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env=ENVIRONMENT,
        cwd=folder,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        await stop(process, ())
        raise
    return process.returncode or 0, output.decode(errors="replace").strip()


async def stop(process: Process, signals: tuple[signal.Signals, ...]) -> None:
    """End the process: each signal for `STOP_WITHIN` seconds, then SIGKILL."""
    for number in signals:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def end_leftover(server: Server) -> None:
    """End the server that a killed process of ours left behind (macOS has no signal at a parent's death).

    A pid file whose number now belongs to another program is removed: Postgres would refuse to start.
    """
    pid = _read_pid(server.pid_file)
    if pid is None or not _lives(pid):
        return
    if server.mark not in await _command_line(pid):
        server.pid_file.unlink()
        return
    for number in (*server.stop_signals, signal.SIGKILL):
        logger.warning("%s of an earlier start still runs as process %s: %s", server.name, pid, number.name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        for _ in range(int(STOP_WITHIN / 0.05)):
            if not _lives(pid) or server.mark not in await _command_line(pid):
                return
            await asyncio.sleep(0.05)
    raise EmbeddedError(f"{server.name} of an earlier start (process {pid}) does not end: kill it by hand.")


def _read_pid(file: Path) -> int | None:
    try:
        first = file.read_text(errors="replace").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdecimal() and 1 < int(first) < 2**31 else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _command_line(pid: int) -> str:
    if platform.system() == "Linux":
        return _proc_command_line(pid)
    process = await asyncio.create_subprocess_exec(
        "ps", "-ww", "-o", "command=", "-p", str(pid), stdin=DEVNULL, stdout=PIPE
    )
    output, _ = await process.communicate()
    return output.decode(errors="replace")


def _proc_command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def rotate(log: Path) -> None:
    """Set a long log aside."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_name("log.1"))


def tail(log: Path, size: int = 3000) -> str:
    """Return the end of the log, whole lines, at most `size` bytes."""
    try:
        with log.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return text.partition("\n")[2] if length > size else text
