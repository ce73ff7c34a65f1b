-- A restored database may find the keys of its predecessor beside its own. They are destroyed then, but not at once: if
-- the predecessor still lives, it replaces its key before, and nothing of it is lost.
ALTER TABLE epoch_keys ADD COLUMN kept_until timestamptz;

-- The values that no epoch seals: those of versions before the first epoch, and damaged ones, which name an epoch whose key
-- did not open them.
CREATE INDEX ticket_keys_in_no_epoch ON ticket_keys (ticket_id) WHERE epoch IS NULL AND wrapped <> '';
CREATE INDEX service_keys_in_no_epoch ON service_keys (name) WHERE epoch IS NULL AND wrapped <> '';
CREATE INDEX stripe_inbox_in_no_epoch ON stripe_inbox (event_id) WHERE epoch IS NULL AND ticket_id IS NULL AND body <> '';
CREATE INDEX outbox_in_no_epoch ON outbox (id) WHERE epoch IS NULL AND ticket_id IS NULL AND sealed <> '';
CREATE INDEX access_requests_in_no_epoch ON access_requests (id) WHERE epoch IS NULL AND sealed <> '';

-- A writer that names the epoch of its value needs no look-up: that the epoch exists is what the reference ensures.
CREATE OR REPLACE TRIGGER ticket_keys_note_epoch BEFORE INSERT OR UPDATE OF wrapped ON ticket_keys
FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM substring(NEW.wrapped FROM 1 FOR 8)) EXECUTE FUNCTION note_epoch_of_wrapped();

CREATE OR REPLACE TRIGGER service_keys_note_epoch BEFORE INSERT OR UPDATE OF wrapped ON service_keys
FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM substring(NEW.wrapped FROM 1 FOR 8)) EXECUTE FUNCTION note_epoch_of_wrapped();

CREATE OR REPLACE TRIGGER stripe_inbox_note_epoch BEFORE INSERT OR UPDATE OF body ON stripe_inbox
FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM substring(NEW.body FROM 1 FOR 8)) EXECUTE FUNCTION note_epoch_of_body();

CREATE OR REPLACE TRIGGER outbox_note_epoch BEFORE INSERT OR UPDATE OF sealed ON outbox
FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM substring(NEW.sealed FROM 1 FOR 8)) EXECUTE FUNCTION note_epoch_of_sealed();

CREATE OR REPLACE TRIGGER access_requests_note_epoch BEFORE INSERT OR UPDATE OF sealed ON access_requests
FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM substring(NEW.sealed FROM 1 FOR 8)) EXECUTE FUNCTION note_epoch_of_sealed();
