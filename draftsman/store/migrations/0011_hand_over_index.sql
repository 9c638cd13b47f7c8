-- outside a transaction
-- The few whose job goes on, for workers of its engine.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attempts_kept ON attempts (engine, queued_at, id)
    WHERE state = 'queued' AND kept_until IS NOT NULL;

-- As `attempts_in_line`, with what says that one is kept: so the first of a repository are found without reading them.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attempts_in_order ON attempts (repository_id, priority DESC, created_at, id)
    INCLUDE (trust, run_id, not_before, kept_until) WHERE state = 'queued';
