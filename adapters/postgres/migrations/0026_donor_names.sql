-- The keyed hashes of the words of donors' names, by which staff find a gift. The names themselves are sealed.
CREATE TABLE donor_names (
    donation_id uuid NOT NULL,
    hash        text NOT NULL,
    ticket_id   uuid NOT NULL,
    PRIMARY KEY (donation_id, hash)
);

CREATE INDEX donor_names_by_hash ON donor_names (hash, donation_id);
CREATE INDEX donor_names_by_ticket ON donor_names (ticket_id);

-- The position of the history up to which names are hashed, for each secret that hashes them.
CREATE TABLE donor_name_progress (
    secret   text PRIMARY KEY,
    position bigint NOT NULL
);
