-- An event that cannot be read before Stripe was asked for an object is held, and `wants` names the object. Once an
-- event's ticket is known its body is sealed with that ticket's key, so that erasing the ticket erases the body too.
ALTER TABLE stripe_inbox ADD COLUMN wants text, ADD COLUMN ticket uuid;

CREATE INDEX stripe_inbox_wanting ON stripe_inbox (next_at) WHERE state = 'held' AND wants IS NOT NULL;
