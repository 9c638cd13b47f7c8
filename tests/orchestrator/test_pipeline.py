"""Whole attempts on a real engine: which commit, plan and tiers they run, and what ends them before there is a job."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from draftsman.cli import tools
from draftsman.domain.outcome import Outcome
from draftsman.domain.plan import ProfileOverrides, Tier
from draftsman.domain.progress import ImageReady
from draftsman.domain.run import Conclusion, Naming, Ref, RefKind
from draftsman.settings import Settings
from orchestrator.cancellation import Cancellation
from orchestrator.order import KeptPlan, Tools
from orchestrator.pipeline import execute, release
from tests.orchestrator.local_repository import LocalRepository
from tests.orchestrator.sandbox_parts import Remembered, no_lock

pytestmark = pytest.mark.engine


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Tools]:
    settings = Settings(home=tmp_path / "home", job_network="none")
    async with tools.opened(settings, no_lock, instance=f"tests-{uuid.uuid4()}") as opened:
        yield opened


@pytest.fixture
def repository(tmp_path: Path) -> LocalRepository:
    return LocalRepository(tmp_path)


def profile(*, fast: tuple[str, ...] = ("true",), full: tuple[str, ...] = (), **more: Any) -> ProfileOverrides:
    return ProfileOverrides(setup="", fast=fast, full=full, dockerfile_mode="generate", **more)


async def run(kit: Tools, repository: LocalRepository, sha: str, **options: Any) -> tuple[Outcome, Remembered]:
    order = replace(repository.order(sha, **options), id=str(uuid.uuid4()))
    sink = Remembered()
    try:
        return await execute(order, kit, sink, Cancellation()), sink
    finally:
        await release(order.id, order.identity, kit)


async def test_what_runs_is_the_merge_and_findings_stand_on_the_head(kit: Tools, repository: LocalRepository) -> None:
    first = repository.commit({"a.py": "1\n2\n3\n"})
    base = repository.commit({"a.py": "new\n1\n2\n3\n", "base.txt": ""})
    repository.git("checkout", "-q", "-b", "feature", first)
    head = repository.commit({"a.py": "1\n2\n3\n4\n"})
    command = (
        'test -f base.txt && grep -n . a.py | sed "s/^\\([0-9]*\\):.*/a.py:\\1:1: E501 too long/"; '
        'echo "is $COMMIT_SHA"'
    )
    outcome, sink = await run(
        kit, repository, head, merge_into=base, base_sha=base, base_branch="main", overrides=profile(fast=(command,))
    )
    assert outcome.conclusion is Conclusion.SUCCESS, outcome
    assert [(found.path, found.line) for found in outcome.findings] == [("a.py", line) for line in (4, 1, 2, 3)], (
        "the line that was changed comes first, and the base's own is left out"
    )
    assert outcome.plan is not None
    assert f"tested as merged into main at {base[:7]}" in outcome.plan.evidence[0].rule
    merged = outcome.plan.evidence[0].rule.rpartition(" ")[2]
    assert f"is {merged}" in sink.text("fast-1")


async def test_a_rerun_of_the_other_tier_has_the_plan_that_was_kept(kit: Tools, repository: LocalRepository) -> None:
    sha = repository.commit({"README.md": ""})
    asked = profile(fast=("echo fast",), full=("echo full",))
    outcome, sink = await run(kit, repository, sha, overrides=asked, tiers=frozenset([Tier.FAST]))
    assert ([step.id for step in outcome.steps], sink.started) == (["fast-1"], ["fast-1"])
    assert outcome.plan is not None
    kept = KeptPlan(outcome.plan, 1)
    changed = profile(fast=("echo another",), full=("echo another",))
    again, _ = await run(kit, repository, sha, overrides=changed, tiers=frozenset([Tier.FULL]), kept=kept)
    assert [step.command for step in again.steps] == ["echo full"]
    assert again.image == replace(outcome.image, cached=True, build_seconds=0) if outcome.image else False
    assert again.plan is not None
    assert again.plan.evidence[0].value == "as attempt 1 planned it"
    anew, _ = await run(kit, repository, sha, overrides=changed, kept=kept, rebuild=True)
    assert [step.command for step in anew.steps] == ["echo another", "echo another"]
    none, _ = await run(kit, repository, sha, overrides=profile(), tiers=frozenset([Tier.FULL]))
    assert (none.conclusion, none.steps) == (Conclusion.NEUTRAL, ())


async def test_what_is_left_out_and_what_conflicts_ends_before_any_image(
    kit: Tools, repository: LocalRepository
) -> None:
    first = repository.commit({"a.py": "1\n"})
    base = repository.commit({"a.py": "2\n"})
    repository.git("checkout", "-q", "-b", "feature", first)
    docs = repository.commit({"docs.md": "x"}, "Words [skip ci]")
    pulled = (Naming(Ref(RefKind.PULL_REQUEST, "1"), base, "main"),)
    filtered, sink = await run(
        kit, repository, docs, overrides=profile(paths_ignore=("*.md",)), namings=pulled, filtered=True
    )
    assert filtered.conclusion is Conclusion.SKIPPED
    assert filtered.title == "no changed file matches the path filters: 1 changed, e.g. docs.md"
    assert filtered.plan is not None
    marked, quiet = await run(kit, repository, docs, overrides=profile(), skip_markers=("[skip ci]",))
    assert (marked.conclusion, marked.title) == (Conclusion.SKIPPED, "skipped: the commit message has [skip ci]")
    ours = repository.commit({"a.py": "3\n"})
    conflict, silent = await run(kit, repository, ours, overrides=profile(), merge_into=base, base_branch="main")
    assert (conflict.conclusion, conflict.title) == (Conclusion.FAILURE, f"conflicts with main at {base[:7]}")
    assert "`a.py`" in conflict.detail
    progress = [*sink.progress, *quiet.progress, *silent.progress]
    assert not [item for item in progress if isinstance(item, ImageReady)]
