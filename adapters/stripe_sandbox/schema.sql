CREATE SCHEMA IF NOT EXISTS sandbox;
CREATE TABLE IF NOT EXISTS sandbox.objects (
    id         text PRIMARY KEY,
    seq        bigint GENERATED ALWAYS AS IDENTITY,
    kind       text NOT NULL,
    session_id text NOT NULL,
    created    bigint NOT NULL,
    body       json NOT NULL,
    hidden     json NOT NULL DEFAULT '{}',
    step       text,
    step_at    double precision
);
CREATE INDEX IF NOT EXISTS objects_of_kind ON sandbox.objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_of_session ON sandbox.objects (session_id, seq);
CREATE INDEX IF NOT EXISTS objects_with_step ON sandbox.objects (step_at) WHERE step IS NOT NULL;
CREATE TABLE IF NOT EXISTS sandbox.events (
    id         text PRIMARY KEY,
    seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    session_id text NOT NULL,
    type       text NOT NULL,
    created    bigint NOT NULL,
    body       json NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_session ON sandbox.events (session_id, seq);
CREATE TABLE IF NOT EXISTS sandbox.deliveries (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     text NOT NULL REFERENCES sandbox.events,
    due          timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts     integer NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    status       integer
);
CREATE INDEX IF NOT EXISTS deliveries_owed ON sandbox.deliveries (due, seq) WHERE delivered_at IS NULL;
CREATE INDEX IF NOT EXISTS deliveries_of_event ON sandbox.deliveries (event_id);
CREATE TABLE IF NOT EXISTS sandbox.answers (
    key         text PRIMARY KEY,
    fingerprint text NOT NULL,
    body        json
);
CREATE TABLE IF NOT EXISTS sandbox.habits (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    repeats  integer NOT NULL DEFAULT 0,
    shuffled boolean NOT NULL DEFAULT false
);
INSERT INTO sandbox.habits DEFAULT VALUES ON CONFLICT DO NOTHING;
