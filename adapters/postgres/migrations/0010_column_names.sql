-- One name for one thing in every table of the service. The columns of `events` keep their names.
ALTER TABLE ticket_keys RENAME COLUMN ticket TO ticket_id;

ALTER TABLE stripe_inbox RENAME COLUMN at TO stripe_created;
ALTER TABLE stripe_inbox RENAME COLUMN next_at TO next_attempt_at;
ALTER TABLE stripe_inbox RENAME COLUMN wants TO pending_object_id;
ALTER TABLE stripe_inbox RENAME COLUMN ticket TO ticket_id;
ALTER INDEX stripe_inbox_wanting RENAME TO stripe_inbox_pending_retrievals;

ALTER TABLE idempotency_keys RENAME COLUMN started_at TO created_at;
ALTER TABLE idempotency_keys RENAME COLUMN asked TO request_hash;
ALTER TABLE idempotency_keys RENAME COLUMN body TO body_hash;
ALTER TABLE idempotency_keys RENAME COLUMN ticket TO ticket_id;

ALTER TABLE step_progress RENAME COLUMN ticket TO ticket_id;
ALTER TABLE step_progress RENAME COLUMN recording TO recording_id;

ALTER TABLE outbox RENAME COLUMN next_attempt TO next_attempt_at;
ALTER TABLE outbox RENAME COLUMN created TO created_at;

ALTER TABLE donor_notices RENAME TO donor_emails;
ALTER TABLE donor_emails RENAME COLUMN told_by TO address_event_id;
ALTER TABLE donor_emails RENAME COLUMN next_attempt TO next_attempt_at;
ALTER TABLE donor_emails RENAME COLUMN created TO created_at;
ALTER INDEX donor_notices_pkey RENAME TO donor_emails_pkey;
ALTER INDEX donor_notices_waiting RENAME TO donor_emails_waiting;

ALTER TABLE unsubscribed RENAME COLUMN at TO created_at;

ALTER TABLE knowledge_chunks RENAME COLUMN source TO source_id;

ALTER TABLE proof_checkpoints RENAME COLUMN key TO key_id;
ALTER TABLE proof_checkpoints RENAME COLUMN made_at TO created_at;

ALTER TABLE access_sessions RENAME COLUMN created TO created_at;

-- Requests for a login code become a leased queue like the others. A request whose contact is gone was answered.
ALTER TABLE access_requests RENAME COLUMN created TO created_at;
ALTER TABLE access_requests RENAME COLUMN tries TO code_attempts;
ALTER TABLE access_requests
    ADD COLUMN state           text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'answered', 'dead')),
    ADD COLUMN attempts        integer     NOT NULL DEFAULT 0,
    ADD COLUMN next_attempt_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN error           text;
UPDATE access_requests SET state = 'answered' WHERE sealed = '';
DROP INDEX access_requests_waiting;
CREATE INDEX access_requests_waiting ON access_requests (next_attempt_at) WHERE state = 'waiting';

ALTER TABLE access_log RENAME COLUMN at TO recorded_at;

-- As before, with the new name of the column. A link covers the hash before it and the whole entry, each text after its
-- length, so that no two entries have the same bytes.
CREATE OR REPLACE FUNCTION append_access_log(
    actors text[], operations text[], objects text[], outcomes text[], request_ids text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last_ bigint;
    hash_ bytea;
    now_  timestamptz;
    entry record;
BEGIN
    PERFORM pg_advisory_xact_lock(7305808869229543);
    SELECT l.position, l.hash, greatest(clock_timestamp(), l.recorded_at) INTO last_, hash_, now_
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
