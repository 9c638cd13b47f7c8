-- What a repository's checkout holds beside its own files.
ALTER TABLE repo_profiles
    ADD COLUMN submodules BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN lfs        BOOLEAN NOT NULL DEFAULT false;
