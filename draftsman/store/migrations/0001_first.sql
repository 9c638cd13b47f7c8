-- Repositories as GitHub knows them: the id survives renames.
CREATE TABLE repositories (
    id              BIGINT PRIMARY KEY,
    full_name       TEXT NOT NULL,
    clone_url       TEXT NOT NULL,
    default_branch  TEXT NOT NULL,
    private         BOOLEAN NOT NULL,
    installation_id BIGINT,
    updated_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX repositories_by_name ON repositories (lower(full_name));

-- The execution plan's table, whose columns hold what is in force, and what editing needs: which fields a person
-- set, what was inferred last for every field, the digest of the generated Dockerfile that an edited one was made
-- from, and a version that grows with each change that can be seen.
CREATE TABLE repo_profiles (
    id                   UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    repo                 TEXT NOT NULL UNIQUE,
    dockerfile           TEXT,
    generated_dockerfile TEXT,
    dockerfile_hash      TEXT,
    dependency_manager   TEXT NOT NULL,
    setup_command        TEXT NOT NULL,
    validation_fast      TEXT[] NOT NULL,
    validation_full      TEXT[] NOT NULL,
    explicit_fields      TEXT[] NOT NULL DEFAULT '{}',
    dockerfile_mode      TEXT NOT NULL DEFAULT 'auto' CHECK (dockerfile_mode IN ('auto', 'path', 'generate')),
    dockerfile_target    TEXT,
    build_args           JSONB NOT NULL DEFAULT '{}',
    inferred             JSONB,
    edited_from          TEXT,
    version              BIGINT NOT NULL DEFAULT 1,
    created_at           TIMESTAMPTZ DEFAULT now(),
    updated_at           TIMESTAMPTZ DEFAULT now()
);

-- Every delivery that was accepted, with its exact body (bytes: JSONB refuses NUL characters) and what came of it.
CREATE TABLE deliveries (
    guid            TEXT PRIMARY KEY,
    event           TEXT NOT NULL,
    action          TEXT,
    repository_id   BIGINT,
    installation_id BIGINT,
    body            BYTEA NOT NULL,
    decision        TEXT NOT NULL,
    received_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX deliveries_by_time ON deliveries (received_at);

-- A run: one commit of one repository, however many events, branches and pull requests name it.
CREATE TABLE runs (
    id            UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    head_sha      TEXT NOT NULL CHECK (head_sha ~ '^([0-9a-f]{40}|[0-9a-f]{64})$'),
    subject       TEXT NOT NULL DEFAULT 'head',
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (repository_id, head_sha, subject)
);
CREATE INDEX runs_by_time ON runs (created_at DESC);

CREATE TABLE run_refs (
    run_id     UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('branch', 'pull_request')),
    name       TEXT NOT NULL,
    delivery   TEXT REFERENCES deliveries (guid) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, kind, name)
);

-- An attempt: one execution of a run, with the lease of the worker that executes it.
-- `epoch` grows with each claim, so that a worker that lost its lease can change nothing any more.
-- `losses` counts the claims whose lease ran out: a worker that stops and gives its attempt back lost nothing.
-- `version` grows with each change that a check run may show.
CREATE TABLE attempts (
    id            UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    run_id        UUID NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number        INT NOT NULL,
    trust         TEXT NOT NULL CHECK (trust IN ('trusted', 'untrusted')),
    priority      INT NOT NULL DEFAULT 0,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'preparing', 'building', 'running', 'finished')),
    conclusion    TEXT CHECK (conclusion IN ('success', 'failure', 'neutral', 'cancelled', 'timed_out', 'skipped',
                                             'action_required', 'error')),
    title         TEXT,
    detail        TEXT,
    epoch         INT NOT NULL DEFAULT 0,
    losses        INT NOT NULL DEFAULT 0,
    lease_owner   TEXT,
    lease_expires TIMESTAMPTZ,
    version       BIGINT NOT NULL DEFAULT 1,
    plan          JSONB,
    image         JSONB,
    timings       JSONB NOT NULL DEFAULT '{}',
    exit_code     INT,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    started_at    TIMESTAMPTZ,
    finished_at   TIMESTAMPTZ,
    UNIQUE (run_id, number),
    CHECK ((state = 'finished') = (conclusion IS NOT NULL))
);
CREATE UNIQUE INDEX attempts_one_unfinished ON attempts (run_id) WHERE state <> 'finished';
CREATE INDEX attempts_queued ON attempts (priority DESC, created_at) WHERE state = 'queued';
CREATE INDEX attempts_active ON attempts (lease_expires) WHERE state IN ('preparing', 'building', 'running');

-- Attempts whose newest version GitHub does not show yet. A table of its own: a reporter that locked rows of
-- `attempts` would make a claim pass over them.
CREATE TABLE unreported (
    attempt_id UUID PRIMARY KEY REFERENCES attempts (id) ON DELETE CASCADE,
    version    BIGINT NOT NULL
);
CREATE FUNCTION note_unreported() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unreported (attempt_id, version) VALUES (NEW.id, NEW.version)
    ON CONFLICT (attempt_id) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END $$;
CREATE TRIGGER attempts_unreported AFTER INSERT OR UPDATE OF version ON attempts
    FOR EACH ROW EXECUTE FUNCTION note_unreported();

-- A hint for whoever watches (reporter, pages): the poll is the guarantee.
CREATE FUNCTION notify_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('draftsman_attempts', NEW.id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER attempts_notify AFTER INSERT OR UPDATE OF version ON attempts
    FOR EACH ROW EXECUTE FUNCTION notify_attempt();

CREATE TABLE steps (
    attempt_id UUID NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    position   INT NOT NULL,
    id         TEXT NOT NULL,
    tier       TEXT NOT NULL CHECK (tier IN ('setup', 'fast', 'full')),
    command    TEXT NOT NULL,
    state      TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'finished')),
    exit_code  INT,
    seconds    DOUBLE PRECISION,
    PRIMARY KEY (attempt_id, id)
);

CREATE TABLE findings (
    attempt_id  UUID NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    position    INT NOT NULL,
    tier        TEXT NOT NULL CHECK (tier IN ('setup', 'fast', 'full')),
    path        TEXT NOT NULL,
    line        INT NOT NULL,
    end_line    INT,
    column_     INT,
    level       TEXT NOT NULL CHECK (level IN ('notice', 'warning', 'failure')),
    title       TEXT NOT NULL,
    message     TEXT NOT NULL,
    tool        TEXT NOT NULL,
    PRIMARY KEY (attempt_id, position)
);

-- The log in compressed chunks (zlib), each of one section, in order.
CREATE TABLE log_chunks (
    attempt_id UUID NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    position   INT NOT NULL,
    section    TEXT NOT NULL,
    at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    size       INT NOT NULL,
    content    BYTEA NOT NULL,
    PRIMARY KEY (attempt_id, position)
);

-- Images that this instance built: a record for people; the engine says what is really there.
CREATE TABLE images (
    tag           TEXT NOT NULL,
    engine        TEXT NOT NULL,
    key           TEXT NOT NULL,
    repo          TEXT NOT NULL,
    dockerfile    TEXT NOT NULL,
    build_seconds DOUBLE PRECISION NOT NULL,
    built_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    used_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tag, engine)
);

-- Builds that failed by the fault of what they were made from: not tried again until that changes or somebody asks.
CREATE TABLE image_failures (
    engine    TEXT NOT NULL,
    key       TEXT NOT NULL,
    repo      TEXT NOT NULL,
    sentence  TEXT NOT NULL,
    detail    TEXT NOT NULL,
    failed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (engine, key)
);

-- When somebody last asked for a repository's images to be built anew. Whatever is older than that is.
CREATE TABLE image_rebuilds (
    repo     TEXT PRIMARY KEY,
    asked_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- What GitHub was last told about each tier of an attempt.
CREATE TABLE check_runs (
    attempt_id       UUID NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    tier             TEXT NOT NULL CHECK (tier IN ('fast', 'full')),
    github_id        BIGINT,
    digest           TEXT,
    annotations_sent INT NOT NULL DEFAULT 0,
    reported_version BIGINT NOT NULL DEFAULT 0,
    creating         BOOLEAN NOT NULL DEFAULT false,
    failures         INT NOT NULL DEFAULT 0,
    retry_at         TIMESTAMPTZ,
    last_error       TEXT,
    PRIMARY KEY (attempt_id, tier)
);

-- Who did what, when and why. Written in the statement that does it.
CREATE TABLE audit_events (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    run_id     UUID,
    attempt_id UUID,
    delivery   TEXT,
    detail     JSONB NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_by_run ON audit_events (run_id, id);
