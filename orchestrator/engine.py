"""A Docker engine, reached over its API. Thin: one call, one stream, and errors that say what to do.

Calls and streams have a client each, since followed logs hold a connection for as long as a job runs and
one client's pool ends at 100. Every stream closes its response on the way out: an engine goes on with a
build, and holds a followed log, for as long as the connection is open (aiodocker 0.27 leaves it open).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiodocker import Docker
from aiodocker.exceptions import DockerContextError, DockerError

from draftsman.domain.errors import EngineError
from orchestrator.outages import engine_cause

CALL_SECONDS = 60.0
"""How long the engine may take over a call that is no stream."""

_NO_CONNECTION = 900
"""What aiodocker gives as status when it cannot connect."""


class EngineRefusedError(EngineError):
    """The engine answered, and said no. `status` is that of HTTP, `message` the engine's own words.

    Only one that comes, goes, or has no room may answer otherwise the next time.
    """

    usual_cause = None

    def __init__(self, status: int, message: str) -> None:
        sentence = f"The Docker engine refused a request ({status}): {message}"
        super().__init__(sentence, cause=engine_cause(status, message))
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself. `cpus` counts its cores; `id` stays the same for one engine's disk."""

    id: str
    version: str
    api_version: tuple[int, ...]
    os: str
    architecture: str
    cpus: int
    memory_bytes: int
    buildkit: bool


class Engine:
    """An engine that answered. Make one with `connect`, and close it."""

    def __init__(self, calls: Docker, streams: Docker, facts: EngineFacts) -> None:
        self._calls = calls
        self._streams = streams
        self.facts = facts

    async def close(self) -> None:
        """Close all connections; builds and followed logs end with them."""
        await self._calls.close()
        await self._streams.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        seconds: float = CALL_SECONDS,
    ) -> Any:
        """Return the engine's answer: parsed JSON, or None where it is empty.

        Raises EngineRefusedError with the status, EngineError where nothing answers within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                return await _call(self._calls, method, path, params=params, body=body)
        except TimeoutError as error:
            raise EngineError(
                f"The Docker engine did not answer {method} {path.split('/')[0]} within {seconds:.0f} s. "
                "Restart it if it stays like this."
            ) from error

    async def delete(self, path: str, *, params: Mapping[str, str] | None = None) -> bool:
        """Delete a thing of the engine's. Returns whether it is gone; one that is in use, or going, is not yet."""
        try:
            await self.call("DELETE", path, params=params)
        except EngineRefusedError as error:
            if error.status == 409:
                return False
            if error.status != 404:
                raise
        return True

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Open a response to be read as it comes; it is closed at the end, also when cancelled.

        Raises EngineRefusedError, or EngineError when the connection is lost, or what `data` itself raises. No
        time limit of its own.
        """
        body = _Body(data) if isinstance(data, AsyncIterator) else None
        try:
            response = await self._streams._do_query(
                path,
                method,
                params=dict(params or {}),
                data=data if body is None else body.chunks(),
                headers=dict(headers or {}),
                timeout=None,
            )
        except DockerError as error:
            if body is not None and body.error is not None:
                raise body.error from None
            raise translate(error) from error
        try:
            yield response.content
        except aiohttp.ClientError as error:
            raise EngineError(f"The connection to the Docker engine broke ({error}). Is it still running?") from error
        finally:
            response.close()


class _Body:
    """Sends an iterator's chunks, and remembers why it failed: the client says only that it could not write."""

    def __init__(self, data: AsyncIterator[bytes]) -> None:
        self._data = data
        self.error: Exception | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._data:
                yield chunk
        except Exception as error:
            self.error = error
            raise


async def connect(docker_host: str | None = None) -> Engine:
    """Return an engine that answered: at `docker_host` (unix:// or tcp://), else where `docker` itself looks.

    Raises EngineError with a sentence that says what to do.
    """
    calls = _client(docker_host)
    streams = _client(docker_host)
    try:
        async with asyncio.timeout(CALL_SECONDS):
            version = await _call(calls, "GET", "version", versioned=False)
            facts = read_facts(version, await _call(calls, "GET", "info"))
    except BaseException as error:
        await calls.close()
        await streams.close()
        if isinstance(error, TimeoutError):
            raise EngineError(
                f"The Docker engine at {calls.docker_host} accepts connections but does not answer: restart it."
            ) from error
        raise
    return Engine(calls, streams, facts)


def read_facts(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """Return what the answers to `GET /version` and `GET /info` tell.

    BuildKit is behind `version=2` of the build endpoint from API 1.39 on, on Linux, whatever the engine's
    own default builder is; engines that only speak Docker's API (Podman) name another component. Before Docker 28 it
    does not get the context that it is sent where containerd keeps the images (moby issue 47717).
    """
    api_version = tuple(int(part) for part in str(version["ApiVersion"]).split("."))
    components = {str(component.get("Name", "")) for component in version.get("Components") or ()}
    system = str(version.get("Os", info.get("OSType", "linux")))
    return EngineFacts(
        id=str(info.get("ID", "")),
        version=str(version.get("Version", "")),
        api_version=api_version,
        os=system,
        architecture=str(version.get("Arch", "")),
        cpus=int(info.get("NCPU") or 1),
        memory_bytes=int(info.get("MemTotal") or 0),
        buildkit=api_version >= ((1, 48) if _is_containerds(info) else (1, 39))
        and system == "linux"
        and (not components or "Engine" in components),
    )


def _is_containerds(info: Mapping[str, Any]) -> bool:
    """Return whether containerd keeps the engine's images, as it does by default in newer engines."""
    return ["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or ())


def translate(error: DockerError) -> EngineError:
    """Return our error for aiodocker's."""
    if error.status == _NO_CONNECTION:
        return EngineError(
            f"No Docker engine answers ({error.message}). Start Docker, or set DOCKER_HOST to where it listens."
        )
    return EngineRefusedError(error.status, str(error.message).strip())


def _client(docker_host: str | None) -> Docker:
    try:
        return Docker(docker_host)
    except (AssertionError, ValueError, DockerContextError) as error:
        raise EngineError(
            "No Docker engine was found"
            + (f" at {docker_host!r} ({error})" if docker_host else "")
            + ". Start Docker, or set DOCKER_HOST to its socket (unix:///var/run/docker.sock) or address (tcp://host:port)."
        ) from error


async def _call(
    client: Docker,
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Any = None,
    versioned: bool = True,
) -> Any:
    try:
        response = await client._do_query(
            path,
            method,
            params=dict(params or {}),
            data=None if body is None else json.dumps(body),
            versioned_api=versioned,
        )
    except DockerError as error:
        raise translate(error) from error
    try:
        answer = await response.read()
    except aiohttp.ClientError as error:
        raise EngineError(f"The connection to the Docker engine broke ({error}). Is it still running?") from error
    finally:
        response.close()
    if not answer.strip() or response.content_type != "application/json":
        return None
    return json.loads(answer)
