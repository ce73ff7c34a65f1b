-- Mails on their way out, written in the transaction of what they tell. Address and words are sealed, with the ticket's
-- key where there is a ticket, and gone once the mail is out; the row stays, so that a key sends one mail, ever.
CREATE TABLE outbox (
    id           uuid        PRIMARY KEY,
    key          text        NOT NULL UNIQUE,
    kind         text        NOT NULL,
    ticket_id    uuid,
    sealed       bytea       NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts     integer     NOT NULL DEFAULT 0,
    next_attempt timestamptz NOT NULL DEFAULT now(),
    error        text,
    created      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX outbox_waiting ON outbox (next_attempt) WHERE state = 'waiting';
CREATE INDEX outbox_of_ticket ON outbox (ticket_id) WHERE ticket_id IS NOT NULL;

-- Somebody says that tickets are theirs, and asks for a code at their contact. The contact is sealed until the request is
-- answered, and gone from then on; what is left can be found by keyed hashes alone. Whether a code was made shows here
-- only: whoever asks is told the same.
CREATE TABLE access_requests (
    id              uuid        PRIMARY KEY,
    contact_indexes text[]      NOT NULL,
    sealed          bytea       NOT NULL,
    code_digest     text,
    tries           integer     NOT NULL DEFAULT 0,
    used_at         timestamptz,
    created         timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX access_requests_waiting ON access_requests (created) WHERE sealed <> '';
CREATE INDEX access_requests_of_contact ON access_requests ((contact_indexes[1]), created);
CREATE INDEX access_requests_by_age ON access_requests (created);

-- A verified contact, for some hours.
CREATE TABLE access_sessions (
    id              uuid        PRIMARY KEY,
    digest          text        NOT NULL UNIQUE,
    contact_indexes text[]      NOT NULL,
    created         timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL
);

CREATE INDEX access_sessions_by_age ON access_sessions (expires_at);

-- The key that was made to take this one's place.
ALTER TABLE api_keys ADD COLUMN replaced_by uuid REFERENCES api_keys (id);

-- What administrators did and what was denied, beside the history and chained like it: each hash covers its entry and the
-- hash before. It holds ids, never people or secrets. A lock of its own, so that it costs the history nothing.
CREATE TABLE access_log (
    position   bigint      PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor      text        NOT NULL,
    operation  text        NOT NULL,
    object     text        NOT NULL,
    outcome    text        NOT NULL,
    request_id text        NOT NULL,
    hash       bytea       NOT NULL
);

CREATE FUNCTION refuse_rewriting_access_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the access log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER access_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_access_log();

-- The only way into the access log. Each element of the arrays is one entry. A link covers the hash before it and all of
-- its entry, each text after its length, so that no two entries have the same bytes.
CREATE FUNCTION append_access_log(
    actors text[], operations text[], objects text[], outcomes text[], request_ids text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last_ bigint;
    hash_ bytea;
    now_  timestamptz;
    entry record;
BEGIN
    PERFORM pg_advisory_xact_lock(7305808869229543);
    SELECT l.position, l.hash, greatest(clock_timestamp(), l.at) INTO last_, hash_, now_
      FROM access_log l ORDER BY l.position DESC LIMIT 1;
    IF NOT FOUND THEN
        last_ := 0;
        hash_ := decode(repeat('00', 32), 'hex');
        now_ := clock_timestamp();
    END IF;
    FOR entry IN SELECT * FROM unnest(actors, operations, objects, outcomes, request_ids) AS e (a, p, o, r, i) LOOP
        last_ := last_ + 1;
        hash_ := sha256(
            hash_ || int8send(last_) || timestamptz_send(now_)
            || int4send(octet_length(entry.a)) || convert_to(entry.a, 'UTF8')
            || int4send(octet_length(entry.p)) || convert_to(entry.p, 'UTF8')
            || int4send(octet_length(entry.o)) || convert_to(entry.o, 'UTF8')
            || int4send(octet_length(entry.r)) || convert_to(entry.r, 'UTF8')
            || int4send(octet_length(entry.i)) || convert_to(entry.i, 'UTF8')
        );
        INSERT INTO access_log VALUES (last_, now_, entry.a, entry.p, entry.o, entry.r, entry.i, hash_);
    END LOOP;
END
$$;
