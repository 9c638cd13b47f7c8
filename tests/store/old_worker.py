"""What a version that knew migrations up to 0006 sends to the database, as it was written there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

KNOWN = "0006_renewal"
"""The newest migration that it carries."""

_START = """
    INSERT INTO runs (repository_id, head_sha, subject) VALUES ($1, $2, $3)
    ON CONFLICT (repository_id, head_sha, subject) DO UPDATE SET head_sha = excluded.head_sha RETURNING id
"""
_ATTACH = """
    INSERT INTO run_refs (run_id, kind, name, delivery, base_sha, base_branch) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (run_id, kind, name) DO UPDATE SET is_current = true, named_at = now()
"""
_INSERT = """
    INSERT INTO attempts
        (run_id, number, trust, replan, seen_base, state, conclusion, title, finished_at, is_unwanted)
    SELECT $1, coalesce(max(number), 0) + 1, $2, false, NULL, 'queued', NULL, NULL, NULL, false
    FROM attempts WHERE run_id = $1 RETURNING id
"""
_CLAIM = """
    WITH next AS (
        SELECT a.id FROM attempts a JOIN runs r ON r.id = a.run_id
        JOIN repositories p ON p.id = r.repository_id
        WHERE a.state = 'queued'
          AND (a.trust = 'trusted' OR EXISTS (SELECT FROM approvals c WHERE c.run_id = r.id))
          AND is_admitted(p.full_name, p.installation_id, $4, $5) AND $3 > (
            SELECT count(*) FROM attempts b JOIN runs s ON s.id = b.run_id
            WHERE s.repository_id = r.repository_id AND b.state IN ('preparing', 'building', 'running'))
        ORDER BY a.priority DESC, a.created_at LIMIT 1 FOR NO KEY UPDATE OF a SKIP LOCKED
    ), claimed AS (
        UPDATE attempts a SET state = 'preparing', epoch = epoch + 1, lease_owner = $1,
            lease_expires = now() + $2, started_at = coalesce(started_at, now()), version = version + 1
        FROM next WHERE a.id = next.id RETURNING a.id, a.run_id, a.epoch
    ), audited AS (
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'worker ' || $1, 'attempt.claimed', run_id, id, jsonb_build_object('epoch', epoch) FROM claimed
    )
    SELECT id FROM claimed
"""
_RENEW = "UPDATE attempts SET lease_expires = now() + $2 WHERE id = $1 AND epoch = 1 AND state = ANY($3) RETURNING id"
_ENTER = """
    WITH moved AS (
        UPDATE attempts SET state = $2, version = version + 1
        WHERE id = $1 AND epoch = 1 AND state = ANY($3) AND state <> $2 RETURNING id, run_id
    ), audited AS (
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'worker w0', 'attempt.' || $2, run_id, id, '{}' FROM moved
    )
    SELECT id FROM moved
"""
_LOG = """
    INSERT INTO log_chunks (attempt_id, position, section, size, content, marks, job_bytes)
    SELECT $1, 1, 'fast-1', 3, $2, NULL, 0 FROM attempts WHERE id = $1 AND epoch = 1 AND state <> 'finished'
    ON CONFLICT (attempt_id, position) DO NOTHING
"""
_FINISH = """
    WITH ended AS (
        UPDATE attempts SET state = 'finished', conclusion = 'success', title = 'passed', detail = '', timings = '{}',
            exit_code = 0, summary = '', finished_at = now(), lease_owner = NULL, lease_expires = NULL,
            version = version + 1
        WHERE id = $1 AND epoch = 1 AND state <> 'finished' RETURNING id, run_id
    ), audited AS (
        INSERT INTO audit_events (actor, action, run_id, attempt_id, detail)
        SELECT 'worker w0', 'attempt.finished', run_id, id, '{}' FROM ended
    )
    SELECT id FROM ended
"""
_REMOVE_LOGS = """
    WITH gone AS (DELETE FROM log_chunks WHERE ctid = ANY(ARRAY(SELECT ctid FROM log_chunks WHERE attempt_id IN (
        SELECT id FROM attempts WHERE state = 'finished' AND finished_at < now() - interval '30 days') LIMIT 500))
        RETURNING 1) SELECT count(*) FROM gone
"""
_ACTIVE = ["preparing", "building", "running"]


async def run_one(pool: Any, number: int) -> UUID:
    """Receive a push, take its attempt and bring it to its end. Raises AssertionError where anything is lost."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO deliveries (guid, event, action, repository_id, installation_id, body, decision, source) "
            "VALUES ($1, 'push', NULL, 7, 3, '{}', 'run', 'sent')",
            f"old-worker-{number}",
        )
        run_id = await connection.fetchval(_START, 7, f"{number:040x}", "head")
        await connection.execute(_ATTACH, run_id, "branch", "main", f"old-worker-{number}", None, None)
        attempt_id: UUID = await connection.fetchval(_INSERT, run_id, "trusted")
    claimed = await pool.fetchval(_CLAIM, "w0", timedelta(seconds=30), 2, ["acme"], [])
    assert claimed == attempt_id
    assert await pool.fetchval(_RENEW, claimed, timedelta(seconds=30), _ACTIVE) == claimed
    assert await pool.fetchval(_ENTER, claimed, "running", _ACTIVE) == claimed
    await pool.execute(_LOG, claimed, b"abc")
    assert await pool.fetchval(_FINISH, claimed) == claimed
    await pool.fetchval(_REMOVE_LOGS)
    return attempt_id
