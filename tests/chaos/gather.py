"""Collects what the oracle judges: from GitHub, the store, the log, the engine and the home folder."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from draftsman.cli.tools import build_settings
from draftsman.settings import load
from draftsman.store import attempts, database, logs
from draftsman.store.database import Pool
from orchestrator import engine as docker
from orchestrator.helper import Helper
from orchestrator.housekeeping.engine_upkeep import Ages, EngineUpkeep
from tests.chaos.facts import Answered, Attempted, Audited, Delivered, Facts, Shown, Wanted
from tests.chaos.ledger import Ledger
from tests.chaos.world import World
from tests.github import GitHubStandIn
from tests.scenario.conftest import EVENTS

_LINE = re.compile(rb"^line (\d+) of (\w+)\r?$", re.MULTILINE)
_QUIET_SECONDS = 5.0
"""How long nobody may ask for what is gone, once all is at rest."""


async def gather(world: World, *, patience: float) -> tuple[Facts, int]:
    """Return everything that was found, and how many things upkeep had to remove.

    Call it once all is at rest. What runs left is waited for so many seconds, then upkeep is called.
    """
    asked = len(world.github.requests)
    await asyncio.sleep(_QUIET_SECONDS)
    left, removed = await _left(world, patience)
    pool = await database.connect(world.postgres.url, size=2)
    try:
        attempted = await _attempts(pool, world.ledger.wanted)
        audit = await _audit(pool)
        known = {row["guid"] for row in await pool.fetch("SELECT guid FROM deliveries")}
    finally:
        pool.terminate()
    github = world.github
    paths = [request.path for request in github.requests[asked:]]
    return Facts(
        wanted=tuple(world.ledger.wanted.values()),
        delivered=_delivered(github, known),
        shown=_shown(github, world.ledger.gone),
        attempts=attempted,
        audit=audit,
        answered=_answered(github, world.ledger),
        left=tuple(left),
        open=tuple(await world.unfinished()),
        refused=tuple(dict.fromkeys(filter(_is_ours, map(str, github.violations)))),
        asked_of_gone=tuple(
            repository.full_name
            for repository in world.ledger.gone.values()
            if any(f"/{repository.full_name}" in path for path in paths)
        ),
    ), removed


def _is_ours(violation: str) -> bool:
    """Return whether what GitHub refused is our fault: a JWT of a clock that is off is not, and is made anew."""
    return not any(claim in violation for claim in ("('iat')", "('exp')"))


def _delivered(github: GitHubStandIn, known: Collection[str]) -> tuple[Delivered, ...]:
    found: dict[str, Delivered] = {}
    for one in github.deliveries:
        if one.event in EVENTS:
            accepted = one.succeeded or (one.guid in found and found[one.guid].accepted)
            found[one.guid] = Delivered(one.guid, one.event, accepted, one.guid in known)
    return tuple(found.values())


def _shown(github: GitHubStandIn, gone: Collection[int]) -> tuple[Shown, ...]:
    """Return what GitHub shows where the App may change it: elsewhere a check run stays as it was."""
    return tuple(
        Shown(
            id=run.id,
            tier=run.name.removeprefix("Draftsman / "),
            sha=run.head_sha,
            # What says that somebody has to act gives way to another check run once somebody did.
            external_id=run.external_id + ("/asking" if run.conclusion == "action_required" else ""),
            status=run.status,
            conclusion=run.conclusion,
            title=run.title or "",
        )
        for run in github.check_runs()
        if run.repository_id not in gone
    )


def _answered(github: GitHubStandIn, ledger: Ledger) -> tuple[Answered, ...]:
    found = []
    for comment in ledger.commands:
        written = [one for one in github.comment_history(comment.repository) if one.by_app]
        replies = sum(one.body.rstrip().endswith(f":{comment.id} -->") for one in written)
        found.append(Answered(comment.body, replies, tuple(comment.reactions)))
    return tuple(found)


async def _attempts(pool: Pool[Any], wanted: Mapping[str, Wanted]) -> tuple[Attempted, ...]:
    rows = await pool.fetch(
        "SELECT a.id, a.run_id, r.head_sha, r.subject, a.number, a.state, a.conclusion, a.title, a.asked_by "
        "FROM attempts a JOIN runs r ON r.id = a.run_id ORDER BY a.created_at, a.number"
    )
    found = []
    for row in rows:
        counts = row["head_sha"] in wanted and wanted[row["head_sha"]].lines
        found.append(
            Attempted(
                id=str(row["id"]),
                run=str(row["run_id"]),
                sha=row["head_sha"],
                subject=row["subject"],
                number=row["number"],
                state=row["state"],
                conclusion=row["conclusion"],
                title=row["title"] or "",
                asked_by=row["asked_by"],
                lines=await _lines(pool, row["id"]) if counts else {},
            )
        )
    return tuple(found)


async def _lines(pool: Pool[Any], attempt_id: UUID) -> dict[str, tuple[int, ...]]:
    text = b"".join([chunk.content async for chunk in logs.read(pool, attempt_id)])
    found: dict[str, list[int]] = defaultdict(list)
    for number, tier in _LINE.findall(text):
        found[tier.decode()].append(int(number))
    return {tier: tuple(numbers) for tier, numbers in found.items()}


async def _audit(pool: Pool[Any]) -> tuple[Audited, ...]:
    rows = await pool.fetch(
        "SELECT actor, attempt_id, action, detail FROM audit_events WHERE attempt_id IS NOT NULL ORDER BY id"
    )
    return tuple(
        Audited(
            attempt=str(row["attempt_id"]),
            action=row["action"],
            epoch=row["detail"].get("epoch"),
            now=row["detail"].get("now"),
            actor=row["actor"],
        )
        for row in rows
    )


async def _left(world: World, patience: float) -> tuple[list[str], int]:
    """Return what is left on the engine, and how many things there and in the home folder are upkeep's to remove.

    Whoever ends a run removes what it used; where that one was killed, upkeep does, without waiting for the grace that
    it gives to what may be younger than the store's answer.
    """
    pool = await database.connect(world.postgres.url, size=1)
    try:
        instance = str(await attempts.instance_of(pool))
    finally:
        pool.terminate()
    until = time.monotonic() + patience
    while await _on_engine(world, instance) and time.monotonic() < until:
        await asyncio.sleep(1)
    settings = load(dict(world.environment))
    opened = await docker.connect(settings.docker_host)
    try:
        helper = Helper(opened, build_settings(settings))
        upkeep = EngineUpkeep(helper, instance, _nobody, Ages(), grace_seconds=0)
        mine = set(await _on_engine(world, instance))
        going = [one for one in await upkeep.leftovers() if one.name in mine]
        for one in going:
            await upkeep.remove(one)
    finally:
        await opened.close()
    # What a killed worker was packing goes by its age.
    scratch = list((world.home / "scratch").glob("*"))
    return list(await _on_engine(world, instance)), len(going) + len(scratch)


async def _nobody(_: Collection[str]) -> Mapping[str, int]:
    return {}


async def _on_engine(world: World, instance: str) -> Sequence[str]:
    """Return the names of the containers, volumes and networks that are jobs' of this instance."""
    mark = ("--filter", f"label=draftsman.instance={instance}")
    docker_ = world.engine.docker
    said = [
        await docker_("ps", "-a", *mark, "--format", "{{.Names}}"),
        await docker_("volume", "ls", *mark, "--filter", "label=draftsman.job", "--format", "{{.Name}}"),
        await docker_("network", "ls", *mark, "--format", "{{.Name}}"),
    ]
    return [name for part in said for name in part.split()]
