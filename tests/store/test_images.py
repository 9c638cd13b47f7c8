"""What is remembered of builds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draftsman.domain.errors import BuildError
from draftsman.domain.outcome import ImageUsed
from draftsman.store import images
from draftsman.store.database import Pool
from orchestrator.images.records import Pushed
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
    first = await images.ask_rebuild(pool, "Acme/Widgets", by="alice")
    second = await images.ask_rebuild(pool, "acme/widgets", by="alice")
    assert first < second == await records.rebuild_asked_at("ACME/widgets")
    assert await records.rebuild_asked_at("acme/other") is None


async def test_builds_go_on_without_the_database(pool: Pool[Any]) -> None:
    records = StoredRecords(pool, "engine")
    pool.terminate()
    await records.keep_failure("key", "acme/widgets", BuildError("x"))
    await records.forget_failure("key")
    assert await records.failure("key") is None
    assert await records.rebuild_asked_at("acme/widgets") is None
    await records.keep_pushed("acme/widgets", "key", Pushed("sha256:0", datetime.now(UTC)))
    await records.forget_pushed("acme/widgets", "key", "sha256:0")
    await records.keep_base_key("acme/widgets", "base-0", "linux/amd64", "key")
    assert await records.pushed("acme/widgets", "key") is None
    assert await records.base_key("acme/widgets", "base-0", "linux/amd64") is None


async def test_the_newest_image_that_was_pushed_is_known_by_its_digest(pool: Pool[Any]) -> None:
    records = StoredRecords(pool, "engine-1", registry="r.example.com/team")
    elsewhere = StoredRecords(pool, "engine-2", registry="r.example.com/team")
    other = StoredRecords(pool, "engine-1", registry="other.example.com")
    assert await records.pushed("acme/widgets", "k") is None
    first = Pushed(f"sha256:{'a' * 64}", datetime(2026, 11, 1, tzinfo=UTC))
    second = Pushed(f"sha256:{'b' * 64}", datetime(2026, 11, 2, tzinfo=UTC))
    await records.keep_pushed("Acme/Widgets", "k", second)
    await records.keep_pushed("acme/widgets", "k", first)  # somebody pushed what he built before that
    assert await elsewhere.pushed("acme/widgets", "k") == second
    assert await other.pushed("acme/widgets", "k") is None
    assert await records.pushed("acme/gadgets", "k") is None
    await records.forget_pushed("acme/widgets", "k", first.digest)
    assert await records.pushed("acme/widgets", "k") == second
    await elsewhere.forget_pushed("Acme/widgets", "k", second.digest)
    assert await records.pushed("acme/widgets", "k") is None


async def test_the_base_branchs_image_is_known_by_dockerfile_and_platform(pool: Pool[Any]) -> None:
    records = StoredRecords(pool, "engine-1", registry="r.example.com")
    await records.keep_base_key("Acme/Widgets", "base-0", "linux/amd64", "k1")
    await records.keep_base_key("acme/widgets", "base-0", "linux/amd64", "k2")
    assert await records.base_key("acme/Widgets", "base-0", "linux/amd64") == "k2"
    assert await records.base_key("acme/widgets", "base-0", "linux/arm64") is None
    assert await records.base_key("acme/widgets", "base-1", "linux/amd64") is None


async def test_a_failure_is_one_engines_with_a_registry_too(pool: Pool[Any]) -> None:
    one, other = (StoredRecords(pool, engine, registry="r.example.com") for engine in ("engine-1", "engine-2"))
    await one.keep_failure("key", "acme/widgets", BuildError("killed for want of memory"))
    assert await one.failure("key") is not None
    assert await other.failure("key") is None


async def test_an_image_that_another_engine_renewed_is_due_as_late_as_there(pool: Pool[Any]) -> None:
    used = ImageUsed("t:1", "k", cached=False, build_seconds=12.0)
    await images.keep(pool, used, engine="E1", repo="acme/widgets", dockerfile="FROM a\n")
    await pool.execute("UPDATE images SET built_at = now() - interval '7 days'")
    then = datetime.now(UTC) - timedelta(hours=1)
    await images.renewed(pool, "t:1", engine="E1", built_at=then)
    [row] = await pool.fetch("SELECT built_at, build_seconds FROM images")
    assert (row["built_at"], row["build_seconds"]) == (then, 12.0)
    await images.renewed(pool, "t:1", engine="E1", build_seconds=8.0)
    [row] = await pool.fetch("SELECT built_at, build_seconds FROM images")
    assert (row["built_at"] > then, row["build_seconds"]) == (True, 8.0)
