-- outside a transaction
-- `runs list` and its pages, and that of one repository, newest first; when a repository had its first run.
CREATE INDEX CONCURRENTLY IF NOT EXISTS runs_in_order ON runs (created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS runs_of_repository ON runs (repository_id, created_at DESC, id DESC);

-- `runs list --state`, by a state or by a conclusion, newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attempts_by_state ON attempts (state, run_at DESC, run_id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS attempts_by_conclusion ON attempts (conclusion, run_at DESC, run_id DESC)
    WHERE conclusion IS NOT NULL;

-- What a branch or pull request named, newest first: the last run of the base branch that says anything, what a
-- comment was about, what a ref lets go. Every repository has a `main`, so the name alone finds those of all others too.
CREATE INDEX CONCURRENTLY IF NOT EXISTS run_refs_of_repository
    ON run_refs (repository_id, kind, name, created_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS run_refs_current ON run_refs (repository_id, kind, name) WHERE is_current;

-- Whether a task of the same kind was wanted before, and how many lately.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_by_detail ON tasks USING gin (detail jsonb_path_ops);
