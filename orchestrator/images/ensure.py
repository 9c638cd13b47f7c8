"""The image that an attempt runs in: there already, or built once, however many attempts want it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from draftsman.domain.errors import BuildError, EngineError, HostError
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import Plan
from orchestrator.dockerfiles.choice import (
    CA_FILE,
    NOT_TRUSTED,
    Choice,
    base_tag_suffix,
    choose,
    generated_instead,
    takes_tree,
)
from orchestrator.dockerfiles.copied_files import read_sources, select
from orchestrator.dockerfiles.dockerignore import Ignored, dockerignore_of, read_patterns
from orchestrator.dockerfiles.rules import check_build_args, check_dockerfile
from orchestrator.engine import Engine
from orchestrator.images.build import Build, BuildSettings, build_arguments, build_image
from orchestrator.images.builder import Output
from orchestrator.images.failure import is_unreachable, no_fault
from orchestrator.images.key import image_key, image_name, image_tag
from orchestrator.images.labels import Built, find_built, remove, retire
from orchestrator.images.programs import missing_programs, needed_programs
from orchestrator.images.records import BuildRecords, KeptFailure, NoRecords
from orchestrator.images.registry import Registry
from orchestrator.images.runner_layer import RunnerLayer, read_runner_layer
from orchestrator.images.sharing import Sharing
from orchestrator.tree_objects import LINK, Commit, Entry, digest

_TRIED_AGAIN_AFTER = timedelta(hours=6)
"""An image that serves since it could not be renewed is not tried again at every run."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image that is wanted: for which plan, of which commit (None: nothing of a tree is there to be copied).

    `on_base` says that the commit is the base branch's newest, `rebuild` that it must be built anew.
    """

    repo: str
    plan: Plan
    commit: Commit | None = None
    trusted: bool = True
    on_base: bool = False
    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """An image that is there, and the plan with what became of it on the way: another Dockerfile, more warnings."""

    image: ImageUsed
    plan: Plan


@dataclass(frozen=True, slots=True)
class Shop:
    """What images are made with. `lock` is held for repository and key while building, `entered_building` told before.

    By the `registry` other engines' images are had, and they have ours.
    """

    engine: Engine
    settings: BuildSettings
    lock: Callable[[str, str], AbstractAsyncContextManager[None]]
    entered_building: Callable[[], Awaitable[None]]
    output: Output
    records: BuildRecords = field(default_factory=NoRecords)
    registry: Registry | None = None
    layer: RunnerLayer = field(default_factory=read_runner_layer)

    @property
    def platform(self) -> str:
        """Return what the engine's images are made for."""
        return f"{self.engine.facts.os}/{self.engine.facts.architecture}"

    async def say(self, sentence: str) -> None:
        """Write a line into the log."""
        await self.output(f"{sentence}\n".encode())


async def ensure_image(shop: Shop, wanted: Wanted) -> Ready:
    """Return the image for the plan, built now where the engine does not have it.

    Raises BuildError where the Dockerfile is at fault, HostError where we are.
    """
    plan = wanted.plan
    from_tree = takes_tree(plan)
    name, suffix = image_name(wanted.repo), base_tag_suffix(plan.profile)
    pointer = f"{name}:{suffix}"
    base = await _base(shop, wanted.repo, pointer) if from_tree and not wanted.trusted else None
    choice = choose(trusted=wanted.trusted, takes_tree=from_tree, base_has_image=base is not None)
    if choice is Choice.OF_BASE and base is not None:
        return await _of_base(shop, plan, base, pointer)
    if choice is Choice.GENERATED:
        wanted = replace(wanted, plan=generated_instead(plan, NOT_TRUSTED))
    ready = await _planned(shop, wanted)
    if wanted.on_base and wanted.trusted and takes_tree(ready.plan):
        await shop.engine.call("POST", f"images/{ready.image.tag}/tag", params={"repo": name, "tag": suffix})
        if shop.registry is not None:
            await shop.records.keep_base_key(wanted.repo, suffix, shop.platform, ready.image.key)
    return ready


async def _base(shop: Shop, repo: str, pointer: str) -> Built | None:
    """Return the image that the base branch was last checked in, on whichever engine, with the pointer as a name."""
    name, _, suffix = pointer.rpartition(":")
    key = None if shop.registry is None else await shop.records.base_key(repo, suffix, shop.platform)
    if key is not None:
        tag = image_tag(repo, key)
        built = await _sharing(shop).newest(await find_built(shop.engine, tag), repo, tag, key)
        if built is not None and built.key == key:
            await shop.engine.call("POST", f"images/{tag}/tag", params={"repo": name, "tag": suffix})
    return await find_built(shop.engine, pointer)


def _sharing(shop: Shop) -> Sharing:
    return Sharing(shop.engine, shop.registry, shop.records, shop.say, shop.settings.timeout_seconds)


async def _of_base(shop: Shop, plan: Plan, base: Built, pointer: str) -> Ready:
    warning = f"The image is that of the base branch: {NOT_TRUSTED}."
    await shop.say(warning)
    image = ImageUsed(tag=pointer, key=base.key, cached=True, build_seconds=0.0)
    return Ready(image, replace(plan, warnings=(*plan.warnings, *base.notes, warning)))


async def _planned(shop: Shop, wanted: Wanted) -> Ready:
    """Return the image of the plan; where an inferred Dockerfile is not fit, that of the generated one."""
    plan = wanted.plan
    if not plan.inferred_dockerfile or plan.fallback is None:
        return await _image(shop, wanted)
    try:
        return await _image(shop, wanted)
    except EngineError:
        raise
    except (BuildError, HostError) as error:
        instead = generated_instead(plan, f"it was inferred, and is not fit for checks ({error})")
        await shop.say(f"{instead.warnings[-1]}\n{error.detail}".rstrip())
    return await _image(shop, replace(wanted, plan=instead))


async def _image(shop: Shop, wanted: Wanted) -> Ready:
    """Return the image of exactly this plan."""
    plan = wanted.plan
    check_build_args(dict(plan.profile.build_args))
    check_dockerfile(plan.dockerfile, build_arguments(shop.engine.facts, shop.settings, plan))
    files = await visible(plan, wanted.commit)
    tag, key = name_image(
        shop.layer, wanted.repo, plan, shop.settings, platform=shop.platform, context_digest=digest(files)
    )
    asked = datetime.now(UTC) if wanted.rebuild else await shop.records.rebuild_asked_at(wanted.repo)
    sharing = _sharing(shop)
    found = await _look(shop, sharing, wanted.repo, tag, key, asked)
    if found.serves:
        await shop.say(f"Image {tag} is there already")
        if wanted.trusted and await sharing.lacks(found.built, wanted.repo, key):
            async with shop.lock(wanted.repo, key):
                await sharing.offer(wanted.repo, tag, key)
        return _cached(plan, tag, key, found)
    await shop.entered_building()
    while True:
        async with shop.lock(wanted.repo, key):
            built = await find_built(shop.engine, tag)
            if await sharing.newer(built, wanted.repo, key) is None:
                again = await _judged(shop, built, wanted.repo, key, asked)
                if not again.serves:
                    fresh = again.stale or again.asked
                    build = Build(wanted.repo, key, plan, shop.settings, wanted.commit, files, fresh, again.asked)
                    ready = await _build(shop, build, tag, again)
                    if wanted.trusted:
                        await sharing.offer(wanted.repo, tag, key)
                    return ready
                await shop.say(f"Image {tag} was built by another run meanwhile")
                return _cached(plan, tag, key, again)
        # Another engine built it meanwhile. It is pulled without the lock: no engine need wait for another one's pull.
        again = await _look(shop, sharing, wanted.repo, tag, key, asked)
        if again.serves:
            return _cached(plan, tag, key, again)


@dataclass(frozen=True, slots=True)
class _Found:
    """What is there for a key: the image, and whether it `serves` as it is.

    What is built instead is built from fresh bases where the image is `stale`, or where somebody `asked` for it.
    """

    built: Built | None
    serves: bool
    stale: bool
    asked: bool
    warnings: tuple[str, ...] = ()


async def _look(shop: Shop, sharing: Sharing, repo: str, tag: str, key: str, asked: datetime | None) -> _Found:
    """Return what is there for the key, here or in the registry. Raises as `_judged`."""
    built = await sharing.newest(await find_built(shop.engine, tag), repo, tag, key)
    return await _judged(shop, built, repo, key, asked)


async def _judged(shop: Shop, built: Built | None, repo: str, key: str, asked: datetime | None) -> _Found:
    """Return whether the image serves. Raises BuildError where its build failed before, and nothing changed."""
    if built is not None and built.key != key:
        built = None
    since = datetime.min.replace(tzinfo=UTC) if built is None or built.built_at is None else built.built_at
    # The label of an earlier version's image holds whole seconds.
    is_asked = asked is not None and since < asked.replace(microsecond=0)
    failure = await shop.records.failure(key)
    if failure is not None and asked is not None and failure.failed_at < asked:
        failure = None
    if failure is not None and (built is None or is_asked):
        raise failure.error(repo)
    if built is None or is_asked:
        return _Found(built, serves=False, stale=False, asked=is_asked)
    return _judge(shop.settings, built, since, failure)


def _judge(settings: BuildSettings, built: Built, since: datetime, failure: KeptFailure | None) -> _Found:
    """Return whether an image serves by its age, and by when it could last not be renewed."""
    now = datetime.now(UTC)
    if now - since <= timedelta(seconds=settings.max_age_seconds):
        return _Found(built, serves=True, stale=False, asked=False)
    if failure is None or now - failure.failed_at > _TRIED_AGAIN_AFTER:
        return _Found(built, serves=False, stale=True, asked=False)
    return _Found(built, serves=True, stale=True, asked=False, warnings=(_old(since, failure.sentence),))


def _old(since: datetime, why: str) -> str:
    return f"The image is from {since:%Y-%m-%d} and could not be renewed: {why}"


def _cached(plan: Plan, tag: str, key: str, found: _Found) -> Ready:
    notes = found.built.notes if found.built else ()
    image = ImageUsed(tag=tag, key=key, cached=True, build_seconds=0.0)
    return Ready(image, replace(plan, warnings=(*plan.warnings, *notes, *found.warnings)))


async def _build(shop: Shop, build: Build, tag: str, found: _Found) -> Ready:
    """Build the image. One that is only old goes on to serve where it cannot be renewed."""
    begin = time.monotonic()
    plan, key, old = build.plan, build.key, found.built
    try:
        notes = await build_image(shop.engine, shop.layer, build, shop.output)
        await _check_programs(shop, build, tag)
    except (BuildError, HostError) as error:
        is_host = is_unreachable(error)
        if isinstance(error, BuildError) and not is_host:
            await shop.records.keep_failure(key, build.repo, error)
        if old is None or old.built_at is None or (found.asked and not is_host):
            if isinstance(error, BuildError) and (blameless := no_fault(error)) is not None:
                raise blameless from error
            raise
        name, _, suffix = tag.rpartition(":")
        await shop.engine.call("POST", f"images/{old.id}/tag", params={"repo": name, "tag": suffix})
        warning = _old(old.built_at, str(error))
        await shop.say(f"{warning}\n{error.detail}".rstrip())
        return _cached(plan, tag, key, replace(found, warnings=(warning,)))
    await shop.records.forget_failure(key)
    if old is not None:
        await retire(shop.engine, old, tag)
    image = ImageUsed(tag=tag, key=key, cached=False, build_seconds=round(time.monotonic() - begin, 3))
    return Ready(image, replace(plan, warnings=(*plan.warnings, *notes)))


async def _check_programs(shop: Shop, build: Build, tag: str) -> None:
    """Raise BuildError where the image lacks what the plan calls; it then has no name any more."""
    missing = await missing_programs(shop.engine, tag, needed_programs(build.plan))
    if missing:
        await remove(shop.engine, tag)
        raise BuildError(
            f"The image of {build.called} has no {' and no '.join(f'`{name}`' for name in missing)}, which the checks "
            "call. Install it in the Dockerfile, name another stage as the profile's dockerfile_target, or have a "
            "Dockerfile generated (dockerfile_mode: generate)."
        )


async def visible(plan: Plan, commit: Commit | None) -> dict[str, Entry]:
    """Return the files of the commit that the Dockerfile can see. Raises BuildError for a wrong .dockerignore."""
    sources = read_sources(plan.dockerfile, given=(CA_FILE,))
    if not sources or commit is None:
        return {}
    entries = await commit.entries()
    name = dockerignore_of(plan.profile.dockerfile or "Dockerfile", entries)
    text = "" if name is None else await commit.text(entries[name])
    ignored = Ignored(read_patterns(text, file=name or ""))
    links = [path for path, entry in entries.items() if entry.mode == LINK]
    chosen = await asyncio.to_thread(select, sources, entries, links, ignored)
    return {path: entries[path] for path in chosen}


def name_image(
    layer: RunnerLayer, repo: str, plan: Plan, settings: BuildSettings, *, platform: str, context_digest: str
) -> tuple[str, str]:
    """Return the tag and the key of the image for this plan.

    `platform` is the engine's (`linux/amd64`), `context_digest` stands for what a build can see of the tree.
    """
    profile = plan.profile
    is_own = profile.dockerfile is not None
    key = image_key(
        dockerfile=plan.dockerfile,
        layer_version=layer.version,
        ca_bundle=settings.ca_bundle,
        build_args=dict(profile.build_args) if is_own else {},
        target=profile.dockerfile_target if is_own else None,
        platform=platform,
        context_digest=context_digest,
        path=profile.dockerfile,
        image_prefix=settings.image_prefix,
        programs=needed_programs(plan),
    )
    return image_tag(repo, key), key
