"""Pushes images to a registry and pulls them from it, by the engine. What both mean is in `sharing.py`.

An image is called `<registry>/<its name here>` there, and is pulled by the digest that its push gave: whatever the
registry says that a tag is, what comes is what was pushed. Neither that name nor the digest stays on the engine: all
images of ours have names of ours, by which upkeep knows them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from draftsman.domain.alert import Alert
from draftsman.domain.errors import DraftsmanError, EngineError
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.images.key import RUNNER_PREFIX
from orchestrator.images.labels import inspect
from orchestrator.json_lines import JsonLines

REST_SECONDS = 300.0
"""For so long a registry that did not do as it was asked is left alone: a run waits for it once, not each run."""

_QUIET_SECONDS = 60.0
"""The engine tells its progress every now and then: after a minute without a word nothing comes any more."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SAID_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_NEVER_THERE = f"{RUNNER_PREFIX}/looked/for:none"
_ABSENT = ("manifest unknown", "name unknown", "not found", "does not exist")
"""What registries, and engines for them, say of an image that is not there."""


class RegistryError(DraftsmanError):
    """A registry did not give or take an image. `is_absent` says that it has none of that digest."""

    usual_alert: ClassVar[Alert | None] = Alert.REGISTRY_AWAY

    def __init__(self, message: str, *, is_absent: bool = False) -> None:
        super().__init__(message)
        self.is_absent = is_absent


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to a registry."""

    user: str
    password: str = field(repr=False)


class Registry:
    """A registry at `address`: HOST[:PORT], and the path below which the images lie."""

    def __init__(
        self,
        address: str,
        credentials: Credentials | None = None,
        *,
        quiet_seconds: float = _QUIET_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._credentials = credentials
        self._quiet_seconds = quiet_seconds
        self._clock = clock
        self._rests_until = float("-inf")

    @property
    def rests(self) -> bool:
        """Return whether it is left alone for now."""
        return self._clock() < self._rests_until

    def let_rest(self) -> None:
        """Leave it alone for `REST_SECONDS`."""
        self._rests_until = self._clock() + REST_SECONDS

    async def look(self, engine: Engine) -> None:
        """Return where it lets the engine ask for an image. Raises RegistryError where it does not, or is away."""
        headers = {"X-Registry-Auth": _login(self.address, self._credentials)}
        try:
            async with (
                asyncio.timeout(self._quiet_seconds),
                engine.stream("GET", f"distribution/{self.address}/{_NEVER_THERE}/json", headers=headers) as answer,
            ):
                await answer.read()
        except EngineRefusedError as error:
            failure = self._failure(error.message)
            if not failure.is_absent:
                raise failure from error
        except TimeoutError as error:
            raise RegistryError(f"{self.address} does not answer.") from error

    async def push(self, engine: Engine, tag: str, *, seconds: float) -> str:
        """Push the engine's image of this tag, within so many seconds, and return its digest.

        Raises RegistryError where the registry does not take it, EngineError where the engine fails.
        """
        name, _, version = tag.rpartition(":")
        there = f"{self.address}/{name}"
        await engine.call("POST", f"images/{tag}/tag", params={"repo": there, "tag": version})
        try:
            told = await self._told(engine, f"images/{there}/push", {"tag": version}, seconds)
        finally:
            await asyncio.shield(_forget(engine, f"{there}:{version}"))
        digest = _digest_in(told)
        if digest is None:
            raise RegistryError(f"{self.address} took {tag} and did not say by which digest.")
        return digest

    async def pull(self, engine: Engine, tag: str, digest: str, *, seconds: float) -> str:
        """Pull the image of this digest that was pushed as `tag`, within so many seconds, and return the engine's id.

        It has no name on the engine yet. Raises as `push`.
        """
        if not _DIGEST.fullmatch(digest):
            raise RegistryError(f"{digest[:80]!r} is no digest.")
        there = f"{self.address}/{tag.rpartition(':')[0]}@{digest}"
        await self._told(engine, "images/create", {"fromImage": there}, seconds)
        image = await inspect(engine, there)
        if image is None:
            raise EngineError(
                f"The image {there} vanished from the Docker engine right after its pull; run this again."
            )
        return str(image["Id"])

    async def forget_digest(self, engine: Engine, tag: str, digest: str) -> None:
        """Have the engine forget the name by which `pull` got an image: it stays where it has another one."""
        await _forget(engine, f"{self.address}/{tag.rpartition(':')[0]}@{digest}")

    async def _told(self, engine: Engine, path: str, params: dict[str, str], seconds: float) -> list[dict[str, Any]]:
        """Return what the engine told on the way. Raises RegistryError where it did not end well."""
        loop = asyncio.get_running_loop()
        lines, found = JsonLines(), []
        headers = {"X-Registry-Auth": _login(self.address, self._credentials)}
        try:
            async with (
                asyncio.timeout(seconds),
                asyncio.timeout(self._quiet_seconds) as quiet,
                engine.stream("POST", path, params=params, headers=headers) as answer,
            ):
                async for chunk in answer.iter_any():
                    quiet.reschedule(loop.time() + self._quiet_seconds)
                    for message in lines.feed(chunk):
                        if "error" in message:
                            raise self._failure(str(message["error"]))
                        found.append(message)
        except EngineRefusedError as error:
            raise self._failure(error.message) from error
        except TimeoutError as error:
            raise RegistryError(f"{self.address} does not answer, or is too slow.") from error
        return found

    def _failure(self, message: str) -> RegistryError:
        is_absent = any(sign in message.lower() for sign in _ABSENT)
        return RegistryError(f"{self.address}: {message.strip()[:500]}", is_absent=is_absent)


def _login(address: str, credentials: Credentials | None) -> str:
    """Return the header by which the engine logs in. It has to be there, also where it says nothing."""
    said: dict[str, str] = {}
    if credentials is not None:
        host = address.partition("/")[0]
        said = {"username": credentials.user, "password": credentials.password, "serveraddress": host}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def _digest_in(told: list[dict[str, Any]]) -> str | None:
    """Return the digest that the end of a push tells: as a value of its own, or in words."""
    for message in reversed(told):
        aux = message.get("aux")
        digest = str(aux.get("Digest", "")) if isinstance(aux, dict) else ""
        if _DIGEST.fullmatch(digest):
            return digest
        if said := _SAID_DIGEST.search(str(message.get("status", ""))):
            return said[1]
    return None


async def _forget(engine: Engine, name: str) -> None:
    await engine.delete(f"images/{name}", params={"noprune": "1"})
