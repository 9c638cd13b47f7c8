"""A store that was used for a year, made by the database itself: so many runs that ended, and so many in line."""

from __future__ import annotations

from typing import Any

from draftsman.store.database import Pool

REPOSITORIES = 200
"""The first has a sixth of all runs, the last ones a few."""
BUSIEST, QUIETEST = 1, REPOSITORIES
DAYS = 300

_FINISHED = (
    """
    INSERT INTO repositories (id, full_name, clone_url, default_branch, private, installation_id)
    SELECT n, 'acme/repository-' || n, 'https://github.com/acme/repository-' || n || '.git', 'main', false, 1 + n % 20
    FROM generate_series(1, {repositories}) n
    """,
    """
    INSERT INTO runs (id, repository_id, head_sha, created_at)
    SELECT md5('run ' || n)::uuid, 1 + floor({repositories} * power(random(), 3)),
           md5('commit ' || n) || substr(md5(n::text), 1, 8),
           now() - {days} * interval '1 day' * (1 - n::float / {runs})
    FROM generate_series(1, {runs}) n
    """,
    # Of ten repositories one has a policy, half of these need labels, and some of them others than workers have.
    """
    INSERT INTO policies (repo, runs_on)
    SELECT 'acme/repository-' || n, CASE n % 40 WHEN 5 THEN '{{linux,big}}' WHEN 15 THEN '{{gpu}}' END::text[]
    FROM generate_series(5, {repositories}, 10) n
    """,
    # One of 50 ran twice.
    """
    INSERT INTO attempts (id, run_id, number, trust, state, conclusion, title, epoch, version, plan, created_at,
                          started_at, finished_at, run_at, log_removed_at)
    SELECT gen_random_uuid(), id, number, 'trusted', 'finished',
           CASE WHEN abs(hashtext(id::text)) % 5 = 0 THEN 'failure' ELSE 'success' END,
           'checks ended', 1, 8, '{{"profile": {{"fast": ["ruff check ."], "full": ["pytest"]}}}}', created_at,
           created_at + interval '5 s', created_at + interval '3 min', created_at,
           CASE WHEN created_at < now() - interval '29 days' THEN created_at + interval '30 days' END
    FROM runs, generate_series(1, 2) number WHERE number = 1 OR abs(hashtext(id::text)) % 50 = 0
    """,
    # The first two dozen, and none since.
    """
    UPDATE attempts SET conclusion = 'error' WHERE number = 1
    AND run_id IN (SELECT id FROM runs ORDER BY created_at LIMIT 24)
    """,
    # Of five runs two are pushes of the default branch, which none of them leaves; the others are pull requests.
    """
    INSERT INTO run_refs (run_id, kind, name, created_at, named_at, is_current, base_branch, base_sha, repository_id)
    SELECT id, CASE WHEN push THEN 'branch' ELSE 'pull_request' END,
           CASE WHEN push THEN 'main' ELSE (abs(hashtext(id::text)) % 10000)::text END, created_at, created_at, push,
           CASE WHEN NOT push THEN 'main' END, CASE WHEN NOT push THEN md5(id::text) END, repository_id
    FROM (SELECT *, abs(hashtext(head_sha)) % 5 < 2 AS push FROM runs) r
    """,
    """
    INSERT INTO deliveries (guid, event, repository_id, installation_id, body, decision, received_at)
    SELECT 'past-' || n, 'push', 1 + n % {repositories}, 1, '{{}}', 'run it',
           now() - interval '29 days' * (1 - n::float / {runs})
    FROM generate_series(1, {runs}) n
    """,
    """
    INSERT INTO audit_events (at, actor, action, run_id, attempt_id, detail)
    SELECT a.created_at + n * interval '1 s', 'worker w', 'attempt.running', a.run_id, a.id, '{{}}'
    FROM attempts a, generate_series(1, 3) n
    """,
    """
    INSERT INTO tasks (kind, lane, detail, state, created_at, ended_at)
    SELECT 'follow', (1 + n % {repositories}) || ':branch:main', jsonb_build_object('repository_id', 1 + n % 200),
           'done', at, at
    FROM (SELECT n, now() - interval '29 days' * (1 - n::float / {runs}) AS at FROM generate_series(1, {runs}) n) t
    """,
    """
    INSERT INTO log_chunks (attempt_id, position, section, size, content, at)
    SELECT id, n, 'fast-1', 64, decode(repeat('61', 64), 'hex'), created_at FROM attempts, generate_series(1, 3) n
    WHERE log_removed_at IS NULL
    """,
    """
    INSERT INTO check_runs (attempt_id, tier, github_id, digest, reported_version)
    SELECT id, tier, 1, 'completed:success:', 8 FROM attempts, unnest('{{fast,full}}'::text[]) tier
    """,
)
"""Rows as they end up. Their triggers are left out: nobody has to be told."""

_QUEUED = (
    """
    INSERT INTO runs (id, repository_id, head_sha, created_at)
    SELECT md5('queued ' || n)::uuid, 1 + floor({repositories} * power(random(), 3)),
           md5('queued commit ' || n) || substr(md5(n::text), 1, 8), now() - n * interval '1 s'
    FROM generate_series(1, {queued}) n
    """,
    """
    INSERT INTO run_refs (run_id, kind, name, is_current)
    SELECT md5('queued ' || n)::uuid, 'branch', 'topic-' || n, true FROM generate_series(1, {queued}) n
    """,
    """
    INSERT INTO attempts (run_id, number, trust, state, created_at)
    SELECT r.id, 1, 'trusted', 'queued', r.created_at
    FROM generate_series(1, {queued}) n JOIN runs r ON r.id = md5('queued ' || n)::uuid
    """,
    # GitHub shows them all as queued.
    """
    INSERT INTO check_runs (attempt_id, tier, github_id, digest, reported_version)
    SELECT attempt_id, tier, 1, 'queued::', version FROM unreported, unnest('{{fast,full}}'::text[]) tier
    """,
    "DELETE FROM unreported",
    """
    INSERT INTO audit_events (actor, action, run_id, attempt_id)
    SELECT 'delivery', 'attempt.created', run_id, id FROM attempts WHERE state = 'queued'
    """,
)


async def fill(pool: Pool[Any], *, runs: int, queued: int) -> None:
    """Fill an empty database with `runs` finished runs and `queued` ones, and let Postgres know what is in it."""
    numbers = {"runs": runs, "queued": queued, "repositories": REPOSITORIES, "days": DAYS}
    async with pool.acquire() as connection:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("SET session_replication_role = replica")
        for statement in _FINISHED:
            await connection.execute(statement.format_map(numbers), timeout=1800)
        await connection.execute("SET session_replication_role = origin")
        for statement in _QUEUED:
            await connection.execute(statement.format_map(numbers), timeout=1800)
        await connection.execute("VACUUM ANALYZE", timeout=1800)
        await connection.execute("RESET synchronous_commit")
