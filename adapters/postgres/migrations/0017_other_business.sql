-- Without a ticket and a donation, a link says that the object belongs to other business on the same Stripe account.
ALTER TABLE stripe_links ALTER COLUMN ticket_id DROP NOT NULL, ALTER COLUMN donation_id DROP NOT NULL;
ALTER TABLE stripe_links ADD CHECK ((ticket_id IS NULL) = (donation_id IS NULL));

-- A checkout that we opened belongs to its donation before any event about it arrives.
INSERT INTO stripe_links (object_id, ticket_id, donation_id)
SELECT DISTINCT ON (data ->> 'session_id') data ->> 'session_id', ticket, (data ->> 'donation_id')::uuid
  FROM (SELECT ticket, convert_from(state, 'UTF8')::json AS data FROM events WHERE topic = 'checkout_opened') AS opened
    ON CONFLICT (object_id) DO UPDATE SET ticket_id = EXCLUDED.ticket_id, donation_id = EXCLUDED.donation_id;

-- `ask_about` is the object that Stripe is asked for if the event is held for long, until it was asked. `accepted_by` is
-- who said that the event counts although its payment belongs to no checkout, or is larger than was asked for.
ALTER TABLE stripe_inbox ADD COLUMN ask_about text, ADD COLUMN accepted_by text;
CREATE INDEX stripe_inbox_to_ask ON stripe_inbox (received_at) WHERE ask_about IS NOT NULL;

-- Events that were held before are judged again.
UPDATE stripe_inbox SET state = 'received', waits_for = '{}', next_attempt_at = now()
 WHERE state = 'held' AND pending_object_id IS NULL;
