-- The engine of the claim that took the attempt last, by its id; NULL before there was one. Until `kept_until`, an attempt
-- whose job goes on there is taken by workers of that engine alone.
ALTER TABLE attempts ADD COLUMN engine TEXT;
ALTER TABLE attempts ADD COLUMN kept_until TIMESTAMPTZ;
