-- Sealed bytes cannot be compressed, so PostgreSQL does not try it.
ALTER TABLE stripe_inbox ALTER COLUMN body SET STORAGE EXTERNAL;

-- A body that a ticket's key seals is in no epoch, so it needs no look-up either.
CREATE OR REPLACE TRIGGER stripe_inbox_note_epoch BEFORE INSERT OR UPDATE OF body ON stripe_inbox
FOR EACH ROW WHEN (
    NEW.epoch IS DISTINCT FROM CASE WHEN NEW.ticket_id IS NULL THEN nullif(substring(NEW.body FROM 1 FOR 8), '') END
) EXECUTE FUNCTION note_epoch_of_body();

-- Whether an event is held at all is asked for each batch of events.
CREATE INDEX stripe_inbox_held_by_time ON stripe_inbox (received_at) WHERE state = 'held';

-- The bodies that are dropped when they are old enough, and the events that mails to donors still need.
CREATE INDEX stripe_inbox_applied_bodies ON stripe_inbox (received_at) WHERE state = 'applied' AND body <> '';
CREATE INDEX donor_emails_by_address ON donor_emails (address_event_id) WHERE address_event_id IS NOT NULL;
