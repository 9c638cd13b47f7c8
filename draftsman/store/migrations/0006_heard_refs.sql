-- When an event last said that the ref names the commit: an answer to a question that is older ends nothing of it.
ALTER TABLE run_refs ADD COLUMN heard_at TIMESTAMPTZ NOT NULL DEFAULT now();
