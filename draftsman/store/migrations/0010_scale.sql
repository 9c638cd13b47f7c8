-- What a run's list and its refs are looked up by stands beside them, so that one index each finds it in order, however
-- many runs there were. Both never change, and triggers fill them in: workers of an earlier version know neither.
ALTER TABLE attempts ADD COLUMN run_at TIMESTAMPTZ;
CREATE FUNCTION note_run_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.run_at := (SELECT r.created_at FROM runs r WHERE r.id = NEW.run_id);
    RETURN NEW;
END $$;
CREATE TRIGGER attempts_run_at BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION note_run_at();
-- The few that somebody may write to now; all others come with the next migration, and nobody waits for them.
UPDATE attempts a SET run_at = r.created_at FROM runs r WHERE r.id = a.run_id AND a.state <> 'finished';
