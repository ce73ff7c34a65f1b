-- Recordings that arrive in parts. `length` is the size of the whole recording, and `received` of what has arrived.
-- `metadata` is what the client said about the recording, sealed with the ticket's key.
CREATE TABLE uploads (
    id         uuid        PRIMARY KEY,
    ticket_id  uuid        NOT NULL,
    metadata   text        NOT NULL,
    length     bigint      NOT NULL CHECK (length > 0),
    received   bigint      NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND length),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX uploads_of_ticket ON uploads (ticket_id, created_at);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);

-- Each part is sealed in the storage under `name`, and begins at `first_byte` of the recording.
CREATE TABLE upload_parts (
    upload_id  uuid   NOT NULL REFERENCES uploads ON DELETE CASCADE,
    first_byte bigint NOT NULL,
    name       uuid   NOT NULL,
    PRIMARY KEY (upload_id, first_byte)
);
