-- The language of the page on which a login code was asked for.
ALTER TABLE access_requests ADD COLUMN language text;

-- A session for one ticket alone, which a recovery sheet opened or the holder who has just changed the contact.
ALTER TABLE access_sessions ADD COLUMN ticket_id uuid;

-- The link on a ticket's recovery sheet, as a digest. It is deleted when it is used.
CREATE TABLE recovery_links (
    ticket_id  uuid PRIMARY KEY,
    digest     text        NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A holder's request for a new contact, until the code that was sent to it is typed. `contact_hash` is its keyed hash,
-- and the code follows from the id and the pepper.
CREATE TABLE contact_changes (
    id         uuid PRIMARY KEY,
    ticket_id  uuid        NOT NULL,
    contact_hash text      NOT NULL,
    attempts   smallint    NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX contact_changes_of_ticket ON contact_changes (ticket_id, created_at);
