-- The keyed hashes by which tickets are found: of the words of a ticket's name and title, and of its labels. The arrays
-- are sorted, so that they do not show which hashes belong to one word. `version` is that of the stream at which they
-- were made, and `pepper` names the secret.
CREATE TABLE ticket_search (
    ticket_id uuid     NOT NULL,
    part      text     NOT NULL CHECK (part IN ('words', 'labels')),
    version   integer  NOT NULL,
    pepper    text     NOT NULL,
    hashes    bigint[] NOT NULL,
    PRIMARY KEY (ticket_id, part)
);

CREATE INDEX ticket_search_by_hash ON ticket_search USING gin (hashes);
CREATE INDEX ticket_search_by_pepper ON ticket_search (pepper, ticket_id);
