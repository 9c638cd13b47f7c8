-- Attempts that are made by themselves after one that failed by no fault of its author. `cause` is that of a finished
-- attempt (draftsman/domain/retry.py), NULL where another try would not help; `retry_of` is the number of the run's
-- attempt that is tried again, and `reason` the phrase that says why. Nobody takes one up before `not_before`.
ALTER TABLE attempts ADD COLUMN cause TEXT;
ALTER TABLE attempts ADD COLUMN retry_of INT;
ALTER TABLE attempts ADD COLUMN reason TEXT;
ALTER TABLE attempts ADD COLUMN not_before TIMESTAMPTZ;
-- One attempt is tried again once.
CREATE UNIQUE INDEX attempts_by_retry ON attempts (run_id, retry_of) WHERE retry_of IS NOT NULL;
