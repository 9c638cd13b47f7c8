"""Plans a commit in a process of its own, which is killed when a hostile commit takes too long or too much memory.

Planning is pure Python over strangers' files, and no parser promises an end in time. In the worker's own process one
slow file would hold up the leases and logs of every other attempt, so the plan is made next door.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from draftsman.domain.errors import HostError, PlanError, SettingsError
from draftsman.domain.plan import Plan, ProfileOverrides, Tree
from orchestrator.planner_child import ANSWER, LENGTH, MEMORY_BYTES, READY, REQUEST, Answer, Request, to_bytes

DEADLINE_SECONDS = 20.0
_START_SECONDS = 60
_MAX_REQUEST_BYTES = 400 * 2**20
_MAX_ANSWER_BYTES = 16 * 2**20
_CHILD = "orchestrator.planner_child"


class _DiedError(Exception):
    """The child ended before it answered. `str()` says how."""


class Planner:
    """Makes plans in one child, started when it is first needed and used again while it behaves."""

    def __init__(self, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline = deadline_seconds
        self._lock = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None

    async def plan(
        self,
        tree: Tree,
        *,
        repo: str,
        overrides: ProfileOverrides,
        templates: Mapping[str, str],
        image_prefix: str = "",
        ca_bundle: bool = False,
    ) -> Plan:
        """Return what `make_plan` returns for the same arguments; plans wait for one another.

        Raises PlanError and SettingsError as `make_plan` does, PlanError also for a commit that takes longer than
        the deadline or too much memory, HostError where the child cannot be started or planning itself is at fault.
        """
        request = Request(
            paths=tuple(map(to_bytes, tree.paths)),
            contents=tuple((to_bytes(path), content) for path, content in tree.contents.items()),
            unread=tuple(map(to_bytes, tree.unread)),
            repo=repo,
            overrides=overrides,
            templates=dict(templates),
            image_prefix=image_prefix,
            ca_bundle=ca_bundle,
            seconds=self._deadline,
        )
        try:
            message = await asyncio.to_thread(REQUEST.dump_json, request)
        except PydanticSerializationError:
            raise PlanError("The profile, or the repository's name, holds text that is no Unicode.") from None
        if len(message) > _MAX_REQUEST_BYTES:
            raise PlanError("The paths and configuration files of this commit are too large to plan from.")
        async with self._lock:
            answer = await self._answer(message)
        return _read_answer(answer)

    async def warm(self) -> None:
        """Start the child now, so that the first plan need not wait for it. Raises HostError."""
        async with self._lock:
            if self._child is None:
                try:
                    await self._start()
                except BaseException:
                    await self._end()
                    raise

    async def close(self) -> None:
        """End the child. The next plan starts another."""
        async with self._lock:
            await self._end()

    async def _answer(self, message: bytes) -> Answer:
        """Return the child's answer; a child that was used before and died is replaced, once."""
        used = self._child is not None
        try:
            answer = await self._ask(message)
        except _DiedError as error:
            if not used:
                raise PlanError(
                    f"The process that planned this commit ended ({error}), probably for want of memory: "
                    "a configuration file is too large or too complicated."
                ) from None
            return await self._answer(message)
        if answer.fault in ("memory", "ours"):
            await self._end()
        return answer

    async def _ask(self, message: bytes) -> Answer:
        """Return the child's answer. Whatever goes wrong in between, no child is left that might answer later."""
        try:
            child = self._child or await self._start()
            async with asyncio.timeout(self._deadline):
                await _send(child, message)
                answer = await _receive(child)
            return ANSWER.validate_json(answer)
        except TimeoutError:
            await self._end()
            raise PlanError(
                f"Planning this commit took longer than {self._deadline:g} s and was stopped: "
                "a configuration file is too complicated."
            ) from None
        except ValidationError as error:
            await self._end()
            raise HostError(f"The planning process sent no plan: {error.title}", str(error)[:2000]) from error
        except BaseException:
            await self._end()
            raise

    async def _start(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from the current folder, which may be a repository
            "-m",
            _CHILD,
            cwd="/",
            env=_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._child = child
        try:
            async with asyncio.timeout(_START_SECONDS):
                ready = await _receive(child)
        except TimeoutError:
            raise HostError(f"The planning process was not ready after {_START_SECONDS} s.") from None
        except _DiedError as error:
            raise HostError(f"The planning process could not be started ({error}).", await _said(child)) from None
        if ready != READY:
            raise HostError("The planning process began with something else than its word.")
        return child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()


def _read_answer(answer: Answer) -> Plan:
    """Return the plan of an answer, or raise what the child would have."""
    match answer.fault:
        case "plan":
            raise PlanError(answer.sentence, answer.detail)
        case "settings":
            raise SettingsError(answer.sentence, answer.detail)
        case "memory":
            raise PlanError(
                f"Planning this commit took more than {MEMORY_BYTES // 2**20} MiB of memory and was stopped: "
                "a configuration file is too complicated."
            )
        case "ours":
            raise HostError(f"Planning met an error of Draftsman's own: {answer.sentence}", answer.detail)
    if answer.plan is None:
        raise HostError("The planning process sent neither a plan nor a reason.")
    return answer.plan


def _environment() -> dict[str, str]:
    """Return the child's environment: what Python needs to find the same code, and no secret of the worker's."""
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONPATH": str(Path(__file__).parents[1])}


async def _send(child: asyncio.subprocess.Process, message: bytes) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(LENGTH.pack(len(message)))
        child.stdin.write(message)
        await child.stdin.drain()
    except ConnectionError:
        raise _DiedError(await _end_of(child)) from None


async def _receive(child: asyncio.subprocess.Process) -> bytes:
    assert child.stdout is not None
    try:
        size = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))[0]
        if size > _MAX_ANSWER_BYTES:
            raise HostError(f"The planning process sent an answer of {size} bytes.")
        return await child.stdout.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        raise _DiedError(await _end_of(child)) from None


async def _end_of(child: asyncio.subprocess.Process) -> str:
    """Return how a child ended that closed its pipes."""
    code = await child.wait()
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


async def _said(child: asyncio.subprocess.Process) -> str:
    """Return the end of what a dead child wrote to stderr."""
    assert child.stderr is not None
    return (await child.stderr.read()).decode("utf-8", "replace").strip()[-2000:]
