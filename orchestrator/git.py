"""Runs git so that a hostile repository can do nothing: no hooks, no prompts, no configuration of the host."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from draftsman.domain.errors import HostError

_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    # A server that sends less than 1 kB/s for a minute is taken for gone.
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.http.allow": "always",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "true",
    # Faults of old histories that many real repositories carry and that git itself reads without harm.
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
}
# Packs are mapped into memory: by default in pieces that a limit of memory has no room for.
_SMALL_WINDOWS = {"core.packedGitWindowSize": "32m", "core.packedGitLimit": "256m"}
_CHUNK = 256 * 1024
_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", *_PROXIES)


class GitError(HostError):
    """git ended with an error. `detail` is the end of what it said."""


def _environment(config: Mapping[str, str]) -> dict[str, str]:
    """Return git's environment. Configuration goes by variables, so that a token never stands in a command line."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if "SSL_CERT_FILE" in environment:
        environment.setdefault("GIT_SSL_CAINFO", environment["SSL_CERT_FILE"])
    environment |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "LC_ALL": "C",
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for position, (key, value) in enumerate(config.items()):
        environment |= {f"GIT_CONFIG_KEY_{position}": key, f"GIT_CONFIG_VALUE_{position}": value}
    return environment


def token_config(url: str, token: str) -> dict[str, str]:
    """Return the configuration that sends an installation token to this URL and to no other."""
    return {f"http.{url}.extraHeader": f"Authorization: {basic_header(token)}"}


def basic_header(token: str) -> str:
    """Return the value of the Authorization header for an installation token."""
    return f"Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"


def _command(arguments: Sequence[str], memory_bytes: int | None) -> tuple[str, ...]:
    """Return the command line. A limit of memory is the shell's, where it has one (not on macOS)."""
    if memory_bytes is None:
        return ("git", *arguments)
    return ("sh", "-c", 'ulimit -v "$0" 2>/dev/null; exec git "$@"', str(memory_bytes // 1024), *arguments)


@asynccontextmanager
async def _process(
    arguments: Sequence[str],
    *,
    cwd: Path | None,
    config: Mapping[str, str],
    stdin: int,
    memory_bytes: int | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(arguments, memory_bytes),
            cwd=cwd,
            env=_environment(_CONFIG | dict(config)),
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if cwd is None or cwd.is_dir():
            raise
        raise GitError(f"git {arguments[0]} could not start, since {cwd} was removed meanwhile.") from error
    try:
        yield process
    finally:
        if process.returncode is None:
            # The whole group: git's own children (git-remote-https) hold the pipes, and would outlive it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            # asyncio waits for the end of its pipes, and sees none behind output that nobody reads.
            await asyncio.gather(*(_drain(stream) for stream in (process.stdout, process.stderr) if stream))
            await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK):
        pass


async def git(
    *arguments: str,
    cwd: Path | None = None,
    config: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = 60,
) -> bytes:
    """Return what `git ARGUMENTS` printed. Raises GitError where it failed or took longer than `timeout` seconds."""
    return (await git_ended(*arguments, cwd=cwd, config=config, stdin=stdin, timeout=timeout))[1]


async def git_ended(
    *arguments: str,
    cwd: Path | None = None,
    config: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = 60,
    allowed: Collection[int] = (0,),
    memory_bytes: int | None = None,
) -> tuple[int, bytes]:
    """Return the exit code and what `git ARGUMENTS` printed. Raises GitError as `git` does.

    `allowed` are the exit codes that are no failure; with `memory_bytes` it gets no more address space than that.
    """
    stdin_kind = asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE
    settings = dict(config or {}) | ({} if memory_bytes is None else _SMALL_WINDOWS)
    async with _process(arguments, cwd=cwd, config=settings, stdin=stdin_kind, memory_bytes=memory_bytes) as process:
        try:
            async with asyncio.timeout(timeout):
                output, said = await process.communicate(stdin)
        except TimeoutError as error:
            raise GitError(f"git {arguments[0]} took longer than {timeout:g} s.") from error
    code = process.returncode or 0
    if code not in allowed:
        tail = said.decode("utf-8", "replace").strip()[-2000:]
        raise GitError(f"git {arguments[0]} failed (exit {code}).", tail)
    return code, output


async def git_stream(
    *arguments: str, cwd: Path, chunk: int = _CHUNK, stdin: int = asyncio.subprocess.DEVNULL
) -> AsyncGenerator[bytes, None]:
    """Yield what `git ARGUMENTS` prints, as it comes. Raises GitError at its end where it failed.

    `stdin` is the descriptor of a file that git reads.
    """
    async with _process(arguments, cwd=cwd, config={}, stdin=stdin) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = asyncio.create_task(process.stderr.read())
        try:
            while part := await process.stdout.read(chunk):
                yield part
            tail = (await said).decode("utf-8", "replace").strip()[-2000:]
        finally:
            said.cancel()
            await asyncio.gather(said, return_exceptions=True)
        await process.wait()
    if process.returncode:
        raise GitError(f"git {arguments[0]} failed (exit {process.returncode}).", tail)
