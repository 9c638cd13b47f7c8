-- outside a transaction
-- Attempts whose logs are still there, by their ends: what is removed by age is found without looking at all others.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attempts_with_log ON attempts (finished_at)
    WHERE state = 'finished' AND log_removed_at IS NULL;

-- The audit trail by time, and what a delivery led to.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_events_by_time ON audit_events (at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_events_by_delivery ON audit_events (delivery)
    WHERE delivery IS NOT NULL;

-- What a ref named, in order of time: which run of a branch says something last, and what a ref named at a moment.
CREATE INDEX CONCURRENTLY IF NOT EXISTS run_refs_by_time ON run_refs (kind, name, created_at);
