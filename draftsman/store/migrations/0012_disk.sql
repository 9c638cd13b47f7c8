-- Since when the worker takes nothing, for its engine's disk is nearly full.
ALTER TABLE workers ADD COLUMN disk_short_since TIMESTAMPTZ;
