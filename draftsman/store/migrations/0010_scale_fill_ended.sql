-- Those that ended, to which nobody writes any more.
UPDATE attempts a SET run_at = r.created_at FROM runs r WHERE r.id = a.run_id AND a.run_at IS NULL;
