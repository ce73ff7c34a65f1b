-- The files of epoch keys: a row is written before its file, and names nothing secret.
CREATE TABLE epoch_keys (
    name         bytea       PRIMARY KEY,
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz
);

-- The epochs that rows may be sealed in; the newest is the current one. An epoch's row is deleted before its key is
-- destroyed, and the references below refuse that while any row still needs the key.
CREATE TABLE epochs (
    name       bytea       PRIMARY KEY REFERENCES epoch_keys,
    number     bigint      NOT NULL UNIQUE GENERATED ALWAYS AS IDENTITY,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- The epoch in whose key a value is sealed, which its first bytes name; NULL if it is sealed in none. A process that
-- still seals with a key that was destroyed meanwhile is refused, and succeeds when it tries again.
CREATE FUNCTION epoch_of(sealed bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    key    bytea;
    in_use bytea;
BEGIN
    SELECT k.name, e.name INTO key, in_use
      FROM epoch_keys k LEFT JOIN epochs e USING (name) WHERE k.name = substring(sealed FROM 1 FOR 8);
    IF key IS NOT NULL AND in_use IS NULL THEN
        RAISE EXCEPTION 'the epoch key was replaced' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN key;
END
$$;

CREATE FUNCTION note_epoch_of_wrapped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := epoch_of(NEW.wrapped);
    RETURN NEW;
END
$$;

CREATE FUNCTION note_epoch_of_body() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := epoch_of(NEW.body);
    RETURN NEW;
END
$$;

CREATE FUNCTION note_epoch_of_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.epoch := epoch_of(NEW.sealed);
    RETURN NEW;
END
$$;

ALTER TABLE ticket_keys ADD COLUMN epoch bytea REFERENCES epochs;
ALTER TABLE service_keys ADD COLUMN epoch bytea REFERENCES epochs;
ALTER TABLE stripe_inbox ADD COLUMN epoch bytea REFERENCES epochs;
ALTER TABLE outbox ADD COLUMN epoch bytea REFERENCES epochs;
ALTER TABLE access_requests ADD COLUMN epoch bytea REFERENCES epochs;

CREATE INDEX ticket_keys_by_epoch ON ticket_keys (epoch) WHERE epoch IS NOT NULL;
CREATE INDEX stripe_inbox_by_epoch ON stripe_inbox (epoch) WHERE epoch IS NOT NULL;
CREATE INDEX outbox_by_epoch ON outbox (epoch) WHERE epoch IS NOT NULL;
CREATE INDEX access_requests_by_epoch ON access_requests (epoch) WHERE epoch IS NOT NULL;

CREATE TRIGGER ticket_keys_note_epoch BEFORE INSERT OR UPDATE OF wrapped ON ticket_keys
FOR EACH ROW EXECUTE FUNCTION note_epoch_of_wrapped();

CREATE TRIGGER service_keys_note_epoch BEFORE INSERT OR UPDATE OF wrapped ON service_keys
FOR EACH ROW EXECUTE FUNCTION note_epoch_of_wrapped();

CREATE TRIGGER stripe_inbox_note_epoch BEFORE INSERT OR UPDATE OF body ON stripe_inbox
FOR EACH ROW EXECUTE FUNCTION note_epoch_of_body();

CREATE TRIGGER outbox_note_epoch BEFORE INSERT OR UPDATE OF sealed ON outbox
FOR EACH ROW EXECUTE FUNCTION note_epoch_of_sealed();

CREATE TRIGGER access_requests_note_epoch BEFORE INSERT OR UPDATE OF sealed ON access_requests
FOR EACH ROW EXECUTE FUNCTION note_epoch_of_sealed();
