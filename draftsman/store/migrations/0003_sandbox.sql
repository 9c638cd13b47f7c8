-- The log: which stream wrote what when (`marks`, see draftsman/store/logs.py), how many bytes of the job's own output
-- there are up to a chunk's end (so that another worker can go on where this one was), and how many bytes were cut
-- where a chunk stands for what is gone.
ALTER TABLE log_chunks ADD COLUMN marks BYTEA;
ALTER TABLE log_chunks ADD COLUMN job_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_chunks ADD COLUMN cut_bytes BIGINT NOT NULL DEFAULT 0;

-- Who wants an attempt that is under way to end, as a phrase (`by alice`); and what the job itself wrote for people.
ALTER TABLE attempts ADD COLUMN cancel_asked TEXT;
ALTER TABLE attempts ADD COLUMN summary TEXT NOT NULL DEFAULT '';
-- Of which claim the job is that the log and the steps tell of: a job of another one is not gone on with.
ALTER TABLE attempts ADD COLUMN job_epoch INT;

ALTER TABLE steps ADD COLUMN may_fail BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE repo_profiles ADD COLUMN allow_failure TEXT[] NOT NULL DEFAULT '{}';
ALTER TABLE repo_profiles ADD COLUMN artifacts TEXT[] NOT NULL DEFAULT '{}';
ALTER TABLE repo_profiles ADD COLUMN limits JSONB NOT NULL DEFAULT '{}';

-- Files that a job left. One that was too large to be kept has no content.
CREATE TABLE artifacts (
    attempt_id UUID NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    position   INT NOT NULL,
    path       TEXT NOT NULL,
    size       BIGINT,
    content    BYTEA,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (attempt_id, position)
);
CREATE INDEX artifacts_by_time ON artifacts (created_at);
CREATE INDEX attempts_by_end ON attempts (finished_at) WHERE state = 'finished';

-- What this database's workers call themselves on an engine that others use as well: whose a container is.
CREATE TABLE instance (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    id  UUID NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO instance DEFAULT VALUES;
