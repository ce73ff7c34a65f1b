-- The history: every event there is, in the one order in which all of them happened.
-- Positions have no gaps, and each hash covers its event and the hash before it.

CREATE TABLE events (
    position    bigint      PRIMARY KEY,
    stream      uuid        NOT NULL,
    version     integer     NOT NULL,
    topic       text        NOT NULL,
    ticket      uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    state       bytea       NOT NULL,
    hash        bytea       NOT NULL,
    UNIQUE (stream, version)
);

CREATE INDEX events_of_ticket ON events (ticket, position);

CREATE VIEW readable_events AS
SELECT position, recorded_at, ticket, stream, version, topic, convert_from(state, 'UTF8')::json AS data FROM events;

CREATE FUNCTION refuse_rewriting_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_history();

-- The only way into the history. Each element of the arrays is one event; events of one group are recorded all or none,
-- and a group that meets a version which is taken already is left out: its positions come back NULL. A group whose
-- events are all there with the same bytes was recorded before its caller heard of it: it gets its old positions.
-- The lock makes commit order and position order the same, so that a reader who follows positions misses none.
--
-- A link of the chain covers the hash before it and everything about its event; fixed-length parts first and the topic's
-- length before it, so that no two different events have the same bytes.
CREATE FUNCTION append_events(
    groups integer[], streams uuid[], versions integer[], topics text[], tickets uuid[], states bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    first     bigint;
    position_ bigint;
    hash_     bytea;
    now_      timestamptz;
    hashes    bytea[] := '{}';
    taken     integer[];
    event     record;
BEGIN
    PERFORM pg_advisory_xact_lock(7305808869229538);
    SELECT e.position, e.hash, greatest(clock_timestamp(), e.recorded_at) INTO first, hash_, now_
      FROM events e ORDER BY e.position DESC LIMIT 1;
    IF NOT FOUND THEN
        first := 0;
        hash_ := decode(repeat('00', 32), 'hex');
        now_ := clock_timestamp();
    END IF;
    position_ := first;

    FOR event IN SELECT * FROM unnest(streams, versions, topics, tickets, states) AS e (s, v, t, k, b) LOOP
        position_ := position_ + 1;
        hash_ := sha256(
            hash_ || int8send(position_) || uuid_send(event.s) || int4send(event.v) || uuid_send(event.k)
            || timestamptz_send(now_) || int4send(octet_length(event.t)) || convert_to(event.t, 'UTF8') || event.b
        );
        hashes := hashes || hash_;
    END LOOP;

    BEGIN
        INSERT INTO events (position, stream, version, topic, ticket, recorded_at, state, hash)
        SELECT first + e.o, e.s, e.v, e.t, e.k, now_, e.b, e.h
          FROM unnest(streams, versions, topics, tickets, states, hashes) WITH ORDINALITY AS e (s, v, t, k, b, h, o);
    EXCEPTION WHEN unique_violation THEN
        -- Somebody was quicker, or this is the second time: leave out the groups concerned and record the others.
        SELECT array_agg(DISTINCT n.g) INTO taken
          FROM (SELECT u.g, u.s, u.v, row_number() OVER (PARTITION BY u.s, u.v ORDER BY u.o) AS nth
                  FROM unnest(groups, streams, versions) WITH ORDINALITY AS u (g, s, v, o)) AS n
         WHERE n.nth > 1 OR EXISTS (SELECT FROM events e WHERE e.stream = n.s AND e.version = n.v);
        RETURN append_without(taken, groups, streams, versions, topics, tickets, states);
    END;
    PERFORM pg_notify('events', position_::text);
    RETURN array(SELECT generate_series(first + 1, position_));
END
$$;

-- `append_events` for the groups that are not `taken`; of a taken one the positions it has already, if they are its own.
CREATE FUNCTION append_without(
    taken integer[], groups integer[], streams uuid[], versions integer[], topics text[], tickets uuid[], states bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    appended bigint[] := '{}';
    before   bigint;
BEGIN
    SELECT coalesce(max(position), 0) INTO before FROM events;
    IF EXISTS (SELECT FROM unnest(groups) AS g WHERE g <> ALL (taken)) THEN
        SELECT append_events(
            array_agg(e.g ORDER BY e.o), array_agg(e.s ORDER BY e.o), array_agg(e.v ORDER BY e.o),
            array_agg(e.t ORDER BY e.o), array_agg(e.k ORDER BY e.o), array_agg(e.b ORDER BY e.o)
        ) INTO appended
          FROM unnest(groups, streams, versions, topics, tickets, states) WITH ORDINALITY AS e (g, s, v, t, k, b, o)
         WHERE e.g <> ALL (taken);
    END IF;
    RETURN array(
        SELECT CASE WHEN e.g = ANY (taken)
               THEN (SELECT known.position FROM events known
                      WHERE known.stream = e.s AND known.version = e.v AND known.topic = e.t AND known.state = e.b
                        AND known.position <= before)
               ELSE appended[count(*) FILTER (WHERE e.g <> ALL (taken)) OVER (ORDER BY e.o)] END
          FROM unnest(groups, streams, versions, topics, states) WITH ORDINALITY AS e (g, s, v, t, b, o)
         ORDER BY e.o
    );
END
$$;

-- The key that seals a ticket's personal texts, itself sealed by the master key. Erasing a person is destroying it.
CREATE TABLE ticket_keys (
    ticket     uuid        PRIMARY KEY,
    wrapped    bytea       NOT NULL,
    wrapped_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
