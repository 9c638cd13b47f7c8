-- Whose turn it is. `repository_id` is the run's (a partial index cannot reach into another table), `queued_at` is when
-- the attempt came to be queued, last. Both are kept by a trigger: workers of an earlier version know neither.
-- Attempts that had finished before this keep NULL.
ALTER TABLE attempts ADD COLUMN repository_id BIGINT;
ALTER TABLE attempts ADD COLUMN queued_at TIMESTAMPTZ;
CREATE FUNCTION note_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.repository_id := (SELECT r.repository_id FROM runs r WHERE r.id = NEW.run_id);
        IF NEW.state = 'queued' THEN NEW.queued_at := now(); END IF;
    ELSIF NEW.state = 'queued' AND OLD.state <> 'queued' THEN
        NEW.queued_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attempts_queued_at BEFORE INSERT OR UPDATE OF state ON attempts
    FOR EACH ROW EXECUTE FUNCTION note_queued();
UPDATE attempts a SET repository_id = r.repository_id, queued_at = CASE WHEN a.state = 'queued' THEN a.created_at END
FROM runs r WHERE r.id = a.run_id AND a.state <> 'finished';
-- With what says whether one may start, so that the first of a repository are found without reading the others.
CREATE INDEX attempts_in_line ON attempts (repository_id, priority DESC, created_at, id)
    INCLUDE (trust, run_id, not_before) WHERE state = 'queued';

-- When an attempt of a repository was claimed last. A table of its own: a claim that wrote to `repositories` would wait
-- for events that hold a row of it, while they wait for the claim. For the same reason nothing here refers to it.
CREATE TABLE claim_turns (
    repository_id BIGINT PRIMARY KEY,
    claimed_at    TIMESTAMPTZ NOT NULL
);

-- Workers as they said last that they are. `busy` counts the slots in use. A drain lasts until somebody ends it. While its
-- engine is away, a worker takes nothing.
CREATE TABLE workers (
    name           TEXT PRIMARY KEY,
    host           TEXT NOT NULL,
    version        TEXT NOT NULL,
    slots          INT NOT NULL,
    per_repository INT NOT NULL,
    busy           INT NOT NULL DEFAULT 0,
    engine         TEXT,
    away_since     TIMESTAMPTZ,
    started_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    seen_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    stopped_at     TIMESTAMPTZ,
    drained_at     TIMESTAMPTZ,
    drained_by     TEXT,
    drain_reason   TEXT
);

-- What takes no attempt until somebody resumes it: a repository, as OWNER/NAME in lower case, or `*`, all of them.
CREATE TABLE pauses (
    repo      TEXT PRIMARY KEY,
    paused_by TEXT NOT NULL,
    reason    TEXT NOT NULL DEFAULT '',
    since     TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What GitHub shows as the reason why a queued attempt waits, in one word or two (`paused`, empty: none in particular),
-- and since when; NULL before it was told, `-` where it shows nothing of the attempt.
ALTER TABLE attempts ADD COLUMN wait_told TEXT;
ALTER TABLE attempts ADD COLUMN wait_told_at TIMESTAMPTZ;
