"""Shares images between engines by a registry: what is built once is pulled everywhere else.

- Which image is the newest of its key, the records say, not the registry: a push gave a digest, the image's own label
  when it was built. A rebuilt one has the same tag and key.
- What is pulled is looked at: its labels must name this repository, this key and this time.
- Only a trusted run pushes. So all that lies in the registry was asked for by somebody who may write to its repository,
  and no stranger's pull request can fill it.
- A registry that is away, refuses, or lost an image fails no run: the image is built here, with a word in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from draftsman.domain.alert import Alert
from orchestrator.engine import Engine
from orchestrator.images.labels import Built, find_built, retire
from orchestrator.images.records import BuildRecords, Pushed
from orchestrator.images.registry import Registry, RegistryError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sharing:
    """One attempt's way to the images of other engines; without a `registry` there are none.

    `seconds` is how long a push or pull may take. What was tried once is not tried again for this attempt.
    """

    engine: Engine
    registry: Registry | None
    records: BuildRecords
    say: Callable[[str], Awaitable[None]]
    seconds: float
    _tried: set[str] = field(default_factory=set)

    async def newest(self, local: Built | None, repo: str, tag: str, key: str) -> Built | None:
        """Return the newest image of the key: this engine's, or the one that was pushed, which then has the tag here.

        Raises EngineError.
        """
        registry, pushed = self.registry, await self.newer(local, repo, key)
        if registry is None or pushed is None:
            return local
        self._tried.add(pushed.digest)
        try:
            pulled = await self._pull(registry, repo, tag, key, pushed)
        except RegistryError as error:
            await self._note(registry, f"Image {tag} was not pulled, it is built here where it is missing: {error}")
            if error.is_absent:
                await self.records.forget_pushed(repo, key, pushed.digest)
            else:
                registry.let_rest()
            return local
        await self.say(f"Image {tag} was pulled from {registry.address}, built on {pushed.built_at:%Y-%m-%d %H:%M} UTC")
        if local is not None and local.id != pulled.id:
            await retire(self.engine, local, tag)
        return pulled

    async def newer(self, local: Built | None, repo: str, key: str) -> Pushed | None:
        """Return the image that was pushed and is newer than this engine's, None where none is to be had."""
        if self.registry is None or self.registry.rests:
            return None
        pushed = await self.records.pushed(repo, key)
        if pushed is None or pushed.digest in self._tried:
            return None
        has_it = local is not None and local.built_at is not None and local.built_at >= pushed.built_at
        return None if has_it else pushed

    async def lacks(self, local: Built | None, repo: str, key: str) -> bool:
        """Return whether this engine's image is to be pushed: no newer one was, nor this one."""
        if self.registry is None or self.registry.rests or local is None or local.built_at is None:
            return False
        pushed = await self.records.pushed(repo, key)
        return pushed is None or pushed.built_at < local.built_at

    async def offer(self, repo: str, tag: str, key: str) -> None:
        """Push this engine's image of the key where that is lacking. One at a time. Raises EngineError."""
        registry, built = self.registry, await find_built(self.engine, tag)
        if registry is None or built is None or built.built_at is None or not await self.lacks(built, repo, key):
            return
        try:
            digest = await registry.push(self.engine, tag, seconds=self.seconds)
        except RegistryError as error:
            registry.let_rest()
            await self._note(registry, f"Image {tag} was not pushed, other engines build it themselves: {error}")
            return
        await self.records.keep_pushed(repo, key, Pushed(digest, built.built_at))
        await self.say(f"Image {tag} was pushed to {registry.address}")

    async def _pull(self, registry: Registry, repo: str, tag: str, key: str, pushed: Pushed) -> Built:
        identity = await registry.pull(self.engine, tag, pushed.digest, seconds=self.seconds)
        try:
            built = await find_built(self.engine, identity)
            is_meant = built is not None and (built.key, built.built_at) == (key, pushed.built_at)
            if built is None or not is_meant or built.repo.lower() != repo.lower():
                raise RegistryError(f"{registry.address} gave an image that is not this one.", is_absent=True)
            name, _, version = tag.rpartition(":")
            await self.engine.call("POST", f"images/{identity}/tag", params={"repo": name, "tag": version})
        finally:
            await registry.forget_digest(self.engine, tag, pushed.digest)
        return built

    async def _note(self, registry: Registry, sentence: str) -> None:
        log.warning("registry %s: %s", registry.address, sentence, extra=Alert.REGISTRY_AWAY.extra)
        await self.say(sentence)
