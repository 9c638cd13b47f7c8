"""What is remembered of builds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from draftsman.domain.errors import BuildError
from draftsman.store import images
from draftsman.store.database import Pool
from orchestrator.images.stored_records import StoredRecords

pytestmark = pytest.mark.services


async def test_a_failure_is_kept_for_its_key_and_engine_until_it_is_forgotten(pool: Pool[Any]) -> None:
    mine, other = StoredRecords(pool, "engine-1"), StoredRecords(pool, "engine-2")
    await mine.keep_failure("key", "Acme/Widgets", BuildError("did not build\0", "why"))
    await mine.keep_failure("key", "Acme/Widgets", BuildError("did not build", "why again"))
    kept = await mine.failure("key")
    assert kept is not None
    assert (kept.sentence, kept.detail) == ("did not build", "why again")
    assert abs((datetime.now(UTC) - kept.failed_at).total_seconds()) < 60
    assert await other.failure("key") is None
    assert await mine.failure("other") is None
    await mine.forget_failure("key")
    assert await mine.failure("key") is None


async def test_the_last_question_for_a_rebuild_counts_whatever_the_case(pool: Pool[Any]) -> None:
    records = StoredRecords(pool, "engine")
    assert await records.rebuild_asked_at("acme/widgets") is None
    first = await images.ask_rebuild(pool, "Acme/Widgets")
    second = await images.ask_rebuild(pool, "acme/widgets")
    assert first < second == await records.rebuild_asked_at("ACME/widgets")
    assert await records.rebuild_asked_at("acme/other") is None


async def test_builds_go_on_without_the_database(pool: Pool[Any]) -> None:
    records = StoredRecords(pool, "engine")
    pool.terminate()
    await records.keep_failure("key", "acme/widgets", BuildError("x"))
    await records.forget_failure("key")
    assert await records.failure("key") is None
    assert await records.rebuild_asked_at("acme/widgets") is None
