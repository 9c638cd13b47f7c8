-- When an event last said that the ref names the commit: what GitHub answers a moment later may be older than that.
ALTER TABLE run_refs ADD COLUMN named_at TIMESTAMPTZ NOT NULL DEFAULT now();
-- Deliveries are removed by age.
CREATE INDEX run_refs_by_delivery ON run_refs (delivery) WHERE delivery IS NOT NULL;

-- The base branch of the pull request that an attempt was seen in; and that plans of earlier attempts count no more,
-- since the commit is seen against another base branch.
ALTER TABLE attempts ADD COLUMN seen_base TEXT;
ALTER TABLE attempts ADD COLUMN replan BOOLEAN NOT NULL DEFAULT false;
