"""Builds images anew before they are too old, so that no person's run waits for it.

Those of the default branches' last runs, while runs still use them; one at a time. An image that cannot be renewed goes
on to serve, as it does for a run.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from draftsman.domain.errors import DraftsmanError
from draftsman.store import attempts, images, refs
from draftsman.store.database import Pool
from draftsman.store.images import StaleImage
from orchestrator.images.build import BuildSettings
from orchestrator.images.ensure import Shop, Wanted, ensure_image
from orchestrator.images.labels import find_built
from orchestrator.source import Mirrors
from orchestrator.tree_objects import Commit

log = logging.getLogger(__name__)

AHEAD = timedelta(days=1)
"""How long before its time an image is renewed; less than half of its time, where that is short."""

USED_WITHIN = timedelta(days=14)
_NO_RUN = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of one image. `why_not` is empty where it was built anew, or would be."""

    repo: str
    tag: str
    seconds: float = 0.0
    why_not: str = ""


def early(settings: BuildSettings) -> BuildSettings:
    """Return the settings with which an image counts as too old when it is time to renew it."""
    ahead = min(AHEAD.total_seconds(), settings.max_age_seconds / 2)
    return replace(settings, max_age_seconds=settings.max_age_seconds - ahead)


async def renew(
    pool: Pool[Any],
    shop: Shop,
    mirrors: Mirrors,
    *,
    dry_run: bool = False,
    idle: Callable[[], Awaitable[None]] | None = None,
) -> list[Renewal]:
    """Renew what is due on the shop's engine, and return what became of each. `idle` is waited for before each build.

    Raises what the database and the engine raise while they are away.
    """
    shop = replace(shop, settings=early(shop.settings))
    now, engine = datetime.now(UTC), shop.engine.facts.id
    oldest = now - timedelta(seconds=shop.settings.max_age_seconds)
    done = []
    for one in await images.stale(pool, engine=engine, built_before=oldest, used_after=now - USED_WITHIN):
        if idle is not None and not dry_run:
            await idle()
        # Only now: a push may have come while that was waited for.
        wanted = await _wanted(pool, one, mirrors)
        if wanted is None:
            continue
        if dry_run:
            done.append(Renewal(one.repo, one.tag))
            continue
        done.append(await _renew(pool, shop, one, wanted))
    return done


async def _wanted(pool: Pool[Any], one: StaleImage, mirrors: Mirrors) -> Wanted | None:
    """Return the image as the default branch's last run wanted it, None where that run had another one."""
    last = await refs.last_of_branch(pool, one.repository_id, one.default_branch, except_run=_NO_RUN)
    if last is None:
        return None
    attempt, image = await attempts.get(pool, last), await attempts.image_of(pool, last)
    plan = await attempts.plan_of(pool, last)
    if attempt is None or plan is None or image is None or image.tag != one.tag:
        return None
    mirror = mirrors.of(f"github:{one.repository_id}")
    return Wanted(one.repo, plan, Commit(mirror.folder, attempt.run.head_sha), on_base=True)


async def _renew(pool: Pool[Any], shop: Shop, one: StaleImage, wanted: Wanted) -> Renewal:
    try:
        ready = await ensure_image(shop, wanted)
    except DraftsmanError as error:
        return Renewal(one.repo, one.tag, why_not=str(error))
    if ready.image.cached:
        said = ready.plan.warnings[len(wanted.plan.warnings) :]
        if said:
            return Renewal(one.repo, one.tag, why_not=said[-1])
        built = await find_built(shop.engine, ready.image.tag)
        if built is not None:
            await images.renewed(pool, ready.image.tag, engine=shop.engine.facts.id, built_at=built.built_at)
        return Renewal(one.repo, one.tag, why_not="another run, or another engine, has built it meanwhile")
    seconds = ready.image.build_seconds
    await images.renewed(pool, ready.image.tag, engine=shop.engine.facts.id, build_seconds=seconds)
    log.info("image %s of %s was built anew in %.0f s", ready.image.tag, one.repo, seconds)
    return Renewal(one.repo, ready.image.tag, seconds)
