"""One build of one image: the context goes in, readable progress comes out.

BuildKit where the engine has it, the classic builder elsewhere; the log says which. Leaving the build by
an error, a time limit or a cancellation closes the connection, and that ends the build in the engine.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from draftsman.domain.errors import BuildError, DraftsmanError, HostError
from draftsman.domain.retry import Cause
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.images import buildkit
from orchestrator.images.base_images import pull_failure
from orchestrator.images.failure import line_of
from orchestrator.json_lines import JsonLines
from orchestrator.outages import disk_cause

LOG_BYTES = 32 * 2**20
"""How much of a build's output is passed on; the rest is left out, and the log says so."""

_TAIL_BYTES = 8 * 1024
_METADATA = re.compile(r"^\[internal\] load metadata for (\S+)$|^\[[^\]]*\] FROM (\S+?)(?:@sha256:\S+)?$")
_INSTRUCTION = re.compile(r"^\[[^\]]*\] (.+)$", re.DOTALL)
_EXIT_CODE = re.compile(r"(?:exit code: |non-zero code: )(\d+)")
_OURS = ("no space left on device", "connection refused", "error during connect", "input/output error")
"""What failures of the engine or its disk say, as against those of the Dockerfile. Checked where no
instruction ran to an exit code of its own."""

Output = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is built. `text` is that of the Dockerfile at the path `dockerfile` of the context, for its line numbers.

    `fresh` uses nothing of earlier builds; `memory_bytes` is what one process of the build may take, and with the
    classic builder all of them together.
    """

    tag: str
    text: str
    dockerfile: str = "Dockerfile"
    called: str = "the Dockerfile"
    labels: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    fresh: bool = False
    memory_bytes: int | None = None


async def build(
    engine: Engine,
    recipe: Recipe,
    context: bytes | AsyncIterator[bytes],
    *,
    timeout_seconds: float,
    output: Output,
) -> None:
    """Build the tar `context` into the image `recipe.tag`; `output` gets the progress in plain lines.

    Raises BuildError where the Dockerfile is at fault or takes longer than `timeout_seconds`, HostError where the
    engine or a registry is.
    """
    log: _Log = _BuildKitLog(recipe) if engine.facts.buildkit else _ClassicLog(recipe)
    params = _parameters(recipe, use_buildkit=engine.facts.buildkit)
    await output(f"Building {recipe.tag} with {log.name}\n".encode())
    try:
        async with asyncio.timeout(timeout_seconds):
            await _follow(engine, params, context, log, _capped(output))
    except TimeoutError as error:
        raise BuildError(
            f"The image took longer than {timeout_seconds:.0f} s to build, the limit set by "
            "DRAFTSMAN_BUILD_TIMEOUT_SECONDS.",
            log.tail(),
        ) from error


def _parameters(recipe: Recipe, *, use_buildkit: bool) -> dict[str, str]:
    params = {
        "t": recipe.tag,
        "dockerfile": recipe.dockerfile,
        "labels": json.dumps(dict(recipe.labels)),
        "buildargs": json.dumps(dict(recipe.build_args)),
        "rm": "1",
        "forcerm": "1",
        "pull": "0",
        "nocache": "1" if recipe.fresh else "0",
        "version": "2" if use_buildkit else "1",
    }
    if recipe.target:
        params["target"] = recipe.target
    if recipe.memory_bytes and use_buildkit:
        # BuildKit takes no memory limit for a whole build (tried on 26.1), but one for the data of each process.
        limit = {"Name": "data", "Soft": recipe.memory_bytes, "Hard": recipe.memory_bytes}
        params["ulimits"] = json.dumps([limit])
    elif recipe.memory_bytes:
        params |= {"memory": str(recipe.memory_bytes), "memswap": str(recipe.memory_bytes)}
    return params


class _Log(Protocol):
    name: str

    def feed(self, message: Mapping[str, Any]) -> bytes: ...
    def tail(self) -> str: ...
    def error(self, message: str) -> DraftsmanError: ...


async def _follow(
    engine: Engine, params: Mapping[str, str], context: bytes | AsyncIterator[bytes], log: _Log, output: Output
) -> None:
    headers = {"Content-Type": "application/x-tar"}
    lines = JsonLines()
    failure: str | None = None
    try:
        async with engine.stream("POST", "build", params=params, data=context, headers=headers) as answer:
            async for chunk in answer.iter_any():
                text = b""
                for message in lines.feed(chunk):
                    text += log.feed(message)
                    failure = failure or _failure(message)
                if text:
                    await output(text)
    except EngineRefusedError as error:
        raise log.error(error.message) from error
    if failure is not None:
        raise log.error(failure)


def _failure(message: Mapping[str, Any]) -> str | None:
    detail = message.get("errorDetail")
    if isinstance(detail, dict) and detail.get("message"):
        return str(detail["message"])
    return str(message["error"]) if message.get("error") else None


def _capped(output: Output) -> Output:
    left = LOG_BYTES

    async def pass_on(text: bytes) -> None:
        nonlocal left
        if left <= 0:
            return
        left -= len(text)
        await output(text if left > 0 else text[:left] + b"\n(the rest of the build's output is left out)\n")

    return pass_on


def failed_build(instruction: str, message: str, tail: str, recipe: Recipe) -> DraftsmanError:
    """Return the error of a build that failed at `instruction` (empty: before any), told in `message`."""
    code = _EXIT_CODE.search(message)
    if code is None and any(sign in message.lower() for sign in _OURS):
        cause = disk_cause(message) or Cause.ENGINE
        return HostError(f"The engine could not build the image: {message}", tail, cause=cause)
    line = line_of(recipe.text, instruction) if instruction else None
    short = instruction if len(instruction) <= 120 else f"{instruction[:119]}…"
    where = f"`{short}`" if line is None else f"line {line} of {recipe.called}, `{short}`,"
    if code is not None and instruction:
        killed = " (killed, probably for want of memory)" if code[1] == "137" else ""
        sentence = f"The image did not build: {where} exited {code[1]}{killed}."
    elif instruction:
        sentence = f"The image did not build: {where} failed: {message}"
    else:
        sentence = f"The image did not build: {message}"
    return BuildError(sentence, "\n".join(part for part in (instruction, tail.strip()) if part))


@dataclass(slots=True)
class _BuildKitLog:
    recipe: Recipe
    name: str = "BuildKit"
    _progress: buildkit.BuildLog = field(default_factory=buildkit.BuildLog)
    _tail: bytes = b""

    def feed(self, message: Mapping[str, Any]) -> bytes:
        if message.get("id") != "moby.buildkit.trace":
            return b""
        try:
            vertexes, logs = buildkit.decode(base64.b64decode(str(message.get("aux", ""))))
        except (ValueError, binascii.Error) as error:
            raise HostError(f"The engine sent build progress that cannot be read ({error}).") from error
        text = self._progress.feed(vertexes, logs)
        self._tail = (self._tail + text)[-_TAIL_BYTES:]
        return text

    def tail(self) -> str:
        return self._tail.decode("utf-8", "replace")

    def error(self, message: str) -> DraftsmanError:
        failed = self._progress.failed
        if failed is None:
            return failed_build("", message, "", self.recipe)
        origin = _METADATA.match(failed.name)
        if origin:
            return pull_failure(origin.group(1) or origin.group(2), failed.error)
        instruction = _INSTRUCTION.match(failed.name)
        tail = self._progress.tail(failed).decode("utf-8", "replace")
        said = instruction.group(1) if instruction else failed.name
        return failed_build(said, failed.error, tail, self.recipe)


@dataclass(slots=True)
class _ClassicLog:
    recipe: Recipe
    name: str = "the classic builder"
    _instruction: str = ""
    _tail: bytes = b""

    def feed(self, message: Mapping[str, Any]) -> bytes:
        text = str(message.get("stream") or "").encode()
        step = re.match(rb"Step \d+/\d+ : (.+)", text)
        if step:
            self._instruction = step.group(1).decode("utf-8", "replace").strip()
            self._tail = b""
        elif not text.lstrip().startswith(b"--->"):
            self._tail = (self._tail + text)[-_TAIL_BYTES:]
        return text

    def tail(self) -> str:
        return self._tail.decode("utf-8", "replace")

    def error(self, message: str) -> DraftsmanError:
        instruction, _, rest = self._instruction.partition(" ")
        if instruction.upper() == "FROM":
            return pull_failure(rest.split()[0], message)
        return failed_build(self._instruction, message, self.tail(), self.recipe)
