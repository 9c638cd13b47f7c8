-- What an earlier version finds by it, it finds by `attempts_in_order`.
DROP INDEX IF EXISTS attempts_in_line;
