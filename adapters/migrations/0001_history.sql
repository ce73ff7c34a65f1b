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

-- What one link of the chain covers; fixed-length parts first and the topic's length before it, so that no two
-- different events have the same bytes.
CREATE FUNCTION chain_hash(
    previous bytea, position_ bigint, stream_ uuid, version_ integer, ticket_ uuid, recorded_at_ timestamptz,
    topic_ text, state_ bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(
        previous || int8send(position_) || uuid_send(stream_) || int4send(version_) || uuid_send(ticket_)
        || timestamptz_send(recorded_at_) || int4send(octet_length(topic_)) || convert_to(topic_, 'UTF8') || state_
    )
$$;

-- The only way into the history. Each element of the arrays is one event; events of one group are recorded all or none,
-- and a group that meets a version which is taken already is left out: its positions come back NULL. A group whose
-- events are all there with the same bytes was recorded before its caller heard of it: it gets its old positions.
-- The lock makes commit order and position order the same, so that a reader who follows positions misses none.
CREATE FUNCTION append_events(
    groups integer[], streams uuid[], versions integer[], topics text[], tickets uuid[], states bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    head_position bigint;
    head_hash     bytea;
    now_          timestamptz;
    first         bigint;
    taken         integer[];
    hashes        bytea[] := '{}';
    positions     bigint[] := '{}';
    kept          integer[] := '{}';
    i             integer;
BEGIN
    PERFORM pg_advisory_xact_lock(7305808869229538);
    SELECT e.position, e.hash, greatest(clock_timestamp(), e.recorded_at)
      INTO head_position, head_hash, now_
      FROM events e ORDER BY e.position DESC LIMIT 1;
    IF NOT FOUND THEN
        head_position := 0;
        head_hash := decode(repeat('00', 32), 'hex');
        now_ := clock_timestamp();
    END IF;
    first := head_position;

    SELECT coalesce(array_agg(DISTINCT n.g), '{}') INTO taken
      FROM unnest(groups, streams, versions) AS n (g, s, v)
     WHERE EXISTS (SELECT FROM events e WHERE e.stream = n.s AND e.version = n.v);
    IF array_length(streams, 1) > 1 THEN
        SELECT taken || coalesce(array_agg(DISTINCT later.g), '{}') INTO taken
          FROM (SELECT n.g, row_number() OVER (PARTITION BY n.s, n.v ORDER BY n.o) AS nth
                  FROM unnest(groups, streams, versions) WITH ORDINALITY AS n (g, s, v, o)) AS later
         WHERE later.nth > 1;
    END IF;

    FOR i IN 1 .. coalesce(array_length(streams, 1), 0) LOOP
        IF groups[i] = ANY (taken) THEN
            positions := positions || (
                SELECT e.position FROM events e
                 WHERE e.stream = streams[i] AND e.version = versions[i] AND e.topic = topics[i] AND e.state = states[i]
                   AND e.position <= first
            );
        ELSE
            head_position := head_position + 1;
            head_hash := chain_hash(
                head_hash, head_position, streams[i], versions[i], tickets[i], now_, topics[i], states[i]
            );
            hashes := hashes || head_hash;
            positions := positions || head_position;
            kept := kept || i;
        END IF;
    END LOOP;

    IF head_position > first THEN
        INSERT INTO events (position, stream, version, topic, ticket, recorded_at, state, hash)
        SELECT positions[k.i], streams[k.i], versions[k.i], topics[k.i], tickets[k.i], now_, states[k.i], k.h
          FROM unnest(kept, hashes) AS k (i, h);
        PERFORM pg_notify('events', head_position::text);
    END IF;
    RETURN positions;
END
$$;

-- The key that seals a ticket's personal texts, itself sealed by the master key. Erasing a person is destroying it.
CREATE TABLE ticket_keys (
    ticket     uuid        PRIMARY KEY,
    wrapped    bytea       NOT NULL,
    wrapped_by text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
