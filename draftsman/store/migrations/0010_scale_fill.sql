-- Hardly anybody writes to refs that are there already.
UPDATE run_refs n SET repository_id = r.repository_id FROM runs r WHERE r.id = n.run_id AND n.repository_id IS NULL;
