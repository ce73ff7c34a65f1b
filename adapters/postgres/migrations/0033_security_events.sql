-- What looks like misuse, for each workspace. Repeats of one kind about one subject within an hour are one row with a count.
-- A subject is the id of a member, a key or a ticket, or empty; addresses are sealed.
CREATE TABLE security_events (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace       text        NOT NULL,
    -- Concerns the installation, and is shown to its administrators alone.
    of_installation boolean     NOT NULL,
    kind            text        NOT NULL,
    subject         text        NOT NULL,
    hour            timestamptz NOT NULL,
    count           integer     NOT NULL DEFAULT 1,
    first_at        timestamptz NOT NULL DEFAULT now(),
    last_at         timestamptz NOT NULL DEFAULT now(),
    address         bytea,
    seen_at         timestamptz,
    seen_by         text,
    UNIQUE (workspace, hour, of_installation, kind, subject)
);

CREATE INDEX security_events_of_workspace ON security_events (workspace, first_at, id);
CREATE INDEX security_events_by_time ON security_events (last_at);
