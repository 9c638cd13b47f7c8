-- As for attempts. By itself: who starts a run locks both tables, in this order and not in the other.
ALTER TABLE run_refs ADD COLUMN repository_id BIGINT;
CREATE FUNCTION note_ref_repository() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.repository_id := (SELECT r.repository_id FROM runs r WHERE r.id = NEW.run_id);
    RETURN NEW;
END $$;
CREATE TRIGGER run_refs_repository BEFORE INSERT ON run_refs FOR EACH ROW EXECUTE FUNCTION note_ref_repository();
