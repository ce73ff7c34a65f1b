-- Which master keys the tickets' keys are wrapped by: told apart by their names at every start, and worked through when
-- the master key is rotated. A destroyed key is wrapped by none.
CREATE INDEX ticket_keys_by_wrapping ON ticket_keys (wrapped_by, ticket) WHERE wrapped <> ''::bytea;

-- Keys of the service's own for what no ticket's key can seal, wrapped like the tickets'.
CREATE TABLE service_keys (
    name       text PRIMARY KEY,
    wrapped    bytea NOT NULL,
    wrapped_by text  NOT NULL
);

-- Who asked what under which key is personal, and so is the digest of what was asked: rows are found by a keyed hash of
-- all three, and an answer about a ticket is sealed with that ticket's key. What the old columns hold is a day's worth
-- of memory in clear, and goes.
DELETE FROM idempotency_keys;
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey, DROP COLUMN caller, DROP COLUMN path,
    DROP COLUMN key, DROP COLUMN body_digest;
ALTER TABLE idempotency_keys ADD COLUMN asked bytea PRIMARY KEY, ADD COLUMN body bytea NOT NULL, ADD COLUMN ticket uuid;

-- What is not ours to apply says nothing to us, so nothing of it is kept but that it came.
UPDATE stripe_inbox SET body = '', waits_for = '{}' WHERE state = 'ignored';

-- What is not applied yet of a ticket whose person is erased: their money is still to come, without them.
CREATE INDEX stripe_inbox_unapplied ON stripe_inbox (ticket)
    WHERE ticket IS NOT NULL AND state IN ('received', 'held', 'dead');

-- After how many days without anybody doing anything a workspace's tickets are erased; never, where there is no row.
CREATE TABLE workspace_retention (
    workspace text        PRIMARY KEY,
    days      integer     NOT NULL CHECK (days BETWEEN 1 AND 36500),
    set_at    timestamptz NOT NULL DEFAULT now()
);
