-- Refs: what a change is seen against, and whether the ref still names the commit.
ALTER TABLE run_refs DROP CONSTRAINT run_refs_kind_check;
ALTER TABLE run_refs ADD CONSTRAINT run_refs_kind_check
    CHECK (kind IN ('branch', 'pull_request', 'merge_group', 'tag'));
ALTER TABLE run_refs ADD COLUMN base_sha TEXT;
ALTER TABLE run_refs ADD COLUMN base_branch TEXT;
ALTER TABLE run_refs ADD COLUMN is_current BOOLEAN NOT NULL DEFAULT true;
CREATE INDEX run_refs_by_name ON run_refs (kind, name) WHERE is_current;
CREATE INDEX runs_by_commit ON runs (head_sha);

-- Which tiers were asked for, whether plan and image are made anew, who asked (NULL: an event), and whether it was
-- ended because nothing named its commit any more: then a ref that names it again starts another attempt.
ALTER TABLE attempts ADD COLUMN tiers TEXT[] NOT NULL DEFAULT '{fast,full}';
ALTER TABLE attempts ADD COLUMN rebuild BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE attempts ADD COLUMN asked_by TEXT;
ALTER TABLE attempts ADD COLUMN is_unwanted BOOLEAN NOT NULL DEFAULT false;

-- That the commit of an untrusted run may be executed. The claim looks here, whichever event asks.
CREATE TABLE approvals (
    run_id      UUID PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    approved_by TEXT NOT NULL,
    reason      TEXT NOT NULL,
    approved_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Where the App is installed, and whether an administrator lets it be served.
CREATE TABLE installations (
    id           BIGINT PRIMARY KEY,
    account      TEXT NOT NULL,
    account_id   BIGINT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'refused')),
    is_suspended BOOLEAN NOT NULL DEFAULT false,
    is_removed   BOOLEAN NOT NULL DEFAULT false,
    decided_by   TEXT,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    decided_at   TIMESTAMPTZ
);
-- Whoever owns the App has approved themselves.
ALTER TABLE instance ADD COLUMN app_owner_id BIGINT;

ALTER TABLE repositories ADD COLUMN is_gone BOOLEAN NOT NULL DEFAULT false;

-- `allow` and `deny` hold owners and OWNER/NAMEs in lower case, `*` for everybody; `deny` wins, and with an empty
-- `allow` the approved installations count.
CREATE FUNCTION is_admitted(full_name TEXT, installation BIGINT, allow TEXT[], deny TEXT[]) RETURNS BOOLEAN
LANGUAGE sql STABLE AS $$
    SELECT NOT (ARRAY[lower(full_name), lower(split_part(full_name, '/', 1)), '*'] && deny)
       AND (ARRAY[lower(full_name), lower(split_part(full_name, '/', 1)), '*'] && allow
            OR (cardinality(allow) = 0
                AND EXISTS (SELECT FROM installations i WHERE i.id = installation AND i.state = 'approved')))
$$;

-- What an administrator set for a repository; NULL: the instance's own.
CREATE TABLE policies (
    repo                     TEXT PRIMARY KEY,
    approval                 TEXT CHECK (approval IN ('approve-first-time', 'approve-all', 'open', 'never')),
    trusted                  TEXT[],
    merge_testing            BOOLEAN,
    run_drafts               BOOLEAN,
    run_tags                 BOOLEAN,
    supersede                BOOLEAN,
    supersede_default_branch BOOLEAN,
    updated_at               TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- How a delivery came: sent by GitHub, fetched from its list, or made of what GitHub's repositories look like.
ALTER TABLE deliveries ADD COLUMN source TEXT NOT NULL DEFAULT 'sent' CHECK (source IN ('sent', 'listed', 'compared'));

-- What an event calls for beside its run, and needs GitHub for. Tasks of one lane are done one after another.
CREATE TABLE tasks (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       TEXT NOT NULL,
    lane       TEXT NOT NULL,
    detail     JSONB NOT NULL DEFAULT '{}',
    delivery   TEXT,
    tries      INT NOT NULL DEFAULT 0,
    due_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    error      TEXT,
    state      TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'given_up')),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    ended_at   TIMESTAMPTZ
);
CREATE INDEX tasks_open ON tasks (lane, id) WHERE state = 'open';
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE state <> 'open';
CREATE FUNCTION notify_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('draftsman_tasks', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_notify AFTER INSERT ON tasks FOR EACH STATEMENT EXECUTE FUNCTION notify_task();

-- How far GitHub's list of deliveries was read, and where it did not reach back to what was read before.
CREATE TABLE recovery (
    one              BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    last_delivery_id BIGINT,
    last_delivered_at TIMESTAMPTZ,
    read_at          TIMESTAMPTZ,
    gap_from         TIMESTAMPTZ,
    gap_until        TIMESTAMPTZ,
    compared_at      TIMESTAMPTZ,
    sync_asked_at    TIMESTAMPTZ
);
INSERT INTO recovery DEFAULT VALUES;
