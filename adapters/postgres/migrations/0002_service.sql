-- What the service itself keeps beside the history: doors, work and read models.

CREATE TABLE stripe_inbox (
    event_id    text        PRIMARY KEY,
    type        text        NOT NULL,
    at          bigint      NOT NULL,
    body        bytea       NOT NULL,
    state       text        NOT NULL DEFAULT 'received'
                CHECK (state IN ('received', 'applied', 'ignored', 'held', 'dead')),
    waits_for   text[]      NOT NULL DEFAULT '{}',
    attempts    integer     NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    error       text,
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX stripe_inbox_waiting ON stripe_inbox (next_at) WHERE state = 'received';
CREATE INDEX stripe_inbox_held ON stripe_inbox USING gin (waits_for) WHERE state = 'held';
CREATE INDEX stripe_inbox_dead ON stripe_inbox (received_at) WHERE state = 'dead';

-- Which donation an object at Stripe belongs to, learned from whichever fact tells it first.
CREATE TABLE stripe_links (
    object_id   text PRIMARY KEY,
    ticket_id   uuid NOT NULL,
    donation_id uuid NOT NULL
);

CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY,
    role         text        NOT NULL CHECK (role IN ('client', 'admin', 'auditor')),
    workspace    text        NOT NULL,
    scopes       text[]      NOT NULL,
    digest       text        NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

CREATE TABLE idempotency_keys (
    caller      text        NOT NULL,
    path        text        NOT NULL,
    key         text        NOT NULL,
    body_digest text        NOT NULL,
    seed        bytea       NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    answer      bytea,
    PRIMARY KEY (caller, path, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (started_at);

-- How far the work on a ticket's recording is; overwritten as it goes, and no part of the history.
CREATE TABLE step_progress (
    ticket    uuid PRIMARY KEY,
    recording uuid NOT NULL,
    step      text NOT NULL,
    done      real NOT NULL
);

-- Where each read model stands. A build is one set of its tables, in a schema of its own; readers see the live one
-- through the views of the schema `read`.
CREATE SCHEMA read;

CREATE TABLE projections (
    name     text    NOT NULL,
    build    integer NOT NULL,
    version  integer NOT NULL,
    live     boolean NOT NULL DEFAULT false,
    trial    boolean NOT NULL DEFAULT false,
    position bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (name, build)
);

CREATE UNIQUE INDEX one_live_build ON projections (name) WHERE live;
