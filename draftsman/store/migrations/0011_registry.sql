-- The newest image of each repository and key that was pushed to a registry: by the digest that the push gave, so that
-- what is pulled is what was pushed. `repo` is OWNER/NAME in lower case.
CREATE TABLE pushed_images (
    registry  TEXT NOT NULL,
    repo      TEXT NOT NULL,
    key       TEXT NOT NULL,
    digest    TEXT NOT NULL,
    built_at  TIMESTAMPTZ NOT NULL,
    pushed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (registry, repo, key)
);
CREATE INDEX pushed_images_by_time ON pushed_images (pushed_at);

-- The key of the image that the base branch was last checked in, which pull requests from forks use, for each Dockerfile
-- (`suffix` stands for it) and platform.
CREATE TABLE base_images (
    repo     TEXT NOT NULL,
    suffix   TEXT NOT NULL,
    platform TEXT NOT NULL,
    key      TEXT NOT NULL,
    named_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (repo, suffix, platform)
);
CREATE INDEX base_images_by_time ON base_images (named_at);
