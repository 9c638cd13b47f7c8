-- When the log of an attempt was removed with all that quotes it (NULL: it is there), and who had it removed, as a
-- phrase (NULL: its time was over).
ALTER TABLE attempts ADD COLUMN log_removed_at TIMESTAMPTZ;
ALTER TABLE attempts ADD COLUMN log_removed_by TEXT;

-- Whose delivery it was, so that people find it, and when its body was removed and by whom: the GUID stays known.
ALTER TABLE deliveries ADD COLUMN repo TEXT;
ALTER TABLE deliveries ADD COLUMN sender TEXT;
ALTER TABLE deliveries ADD COLUMN body_removed_at TIMESTAMPTZ;
ALTER TABLE deliveries ADD COLUMN body_removed_by TEXT;

-- When the repository had its first run, kept here before that run is removed by its age. NULL: it is there.
ALTER TABLE repositories ADD COLUMN first_run_at TIMESTAMPTZ;
