-- The events due the longest are read in the order of this index, however many others wait.
DROP INDEX stripe_inbox_waiting;
CREATE INDEX stripe_inbox_waiting ON stripe_inbox (next_attempt_at, event_id) WHERE state = 'received';
