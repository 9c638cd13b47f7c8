-- Globs of the files whose change an event is checked for, and of those that it is not.
ALTER TABLE repo_profiles ADD COLUMN paths TEXT[] NOT NULL DEFAULT '{}';
ALTER TABLE repo_profiles ADD COLUMN paths_ignore TEXT[] NOT NULL DEFAULT '{}';
