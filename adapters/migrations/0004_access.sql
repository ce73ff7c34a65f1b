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
