"""Old rows in bulk: what a year of use leaves in the store, made by the database itself."""

from __future__ import annotations

from typing import Any

from draftsman.store.database import Pool

REPOSITORY = 7


async def fill(
    pool: Pool[Any], *, runs: int, days: int = 400, chunks: int = 1, audit: int = 2, content: int = 100
) -> None:
    """As many finished runs of one branch, the newest `days` old and each a minute before the next; none is current."""
    await pool.execute(
        "INSERT INTO repositories (id, full_name, clone_url, default_branch, private) "
        f"VALUES ({REPOSITORY}, 'acme/widgets', 'https://x/y.git', 'main', false) ON CONFLICT DO NOTHING"
    )
    at = f"now() - interval '{days} days' - n * interval '1 minute'"
    await pool.execute(
        "INSERT INTO runs (repository_id, head_sha, created_at) "
        f"SELECT {REPOSITORY}, md5(n::text) || lpad(to_hex(n), 8, '0'), {at} FROM generate_series(1, $1::int) n",
        runs,
    )
    await pool.execute("ALTER TABLE attempts DISABLE TRIGGER USER")
    await pool.execute(
        "INSERT INTO attempts (run_id, number, trust, state, conclusion, created_at, finished_at) "
        "SELECT id, 1, 'trusted', 'finished', 'success', created_at, created_at FROM runs"
    )
    await pool.execute("ALTER TABLE attempts ENABLE TRIGGER USER")
    await pool.execute(
        "INSERT INTO run_refs (run_id, kind, name, created_at, is_current) "
        "SELECT id, 'branch', 'main', created_at, false FROM runs"
    )
    await pool.execute(
        "INSERT INTO log_chunks (attempt_id, position, section, size, content) "
        "SELECT a.id, n, 'fast-1', $2::int, decode(repeat('61', $2::int), 'hex') "
        "FROM attempts a, generate_series(1, $1::int) n",
        chunks,
        content,
    )
    await pool.execute(
        "INSERT INTO audit_events (at, actor, action, run_id, attempt_id) "
        "SELECT finished_at, 'delivery', 'attempt.created', run_id, id FROM attempts, generate_series(1, $1::int)",
        audit,
    )


async def deliveries(pool: Pool[Any], number: int, *, days: int = 40) -> None:
    """As many deliveries, each of them this old."""
    await pool.execute(
        "INSERT INTO deliveries (guid, event, body, decision, received_at) "
        "SELECT 'old-' || n, 'push', '{}', 'nothing', now() - make_interval(days => $2) "
        "FROM generate_series(1, $1::int) n",
        number,
        days,
    )
