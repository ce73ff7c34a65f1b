-- The stream of the donation whose key sealed an applied event's body together with the ticket's key. NULL where the
-- ticket's key alone did.
ALTER TABLE stripe_inbox ADD COLUMN donation_stream uuid;

-- The keyed hashes of donors' addresses, which events hold sealed. They are made from the history, as those of the names
-- are, so both begin anew.
CREATE TABLE donor_addresses (
    donation_id uuid NOT NULL,
    hash        text NOT NULL,
    PRIMARY KEY (donation_id, hash)
);

CREATE INDEX donor_addresses_by_hash ON donor_addresses (hash, donation_id);

DELETE FROM donor_name_progress;

-- For how many days after a gift a workspace keeps the name of a donor who asks to be forgotten; not at all, where there
-- is no row.
CREATE TABLE donor_retention (
    workspace text        PRIMARY KEY,
    days      integer     NOT NULL CHECK (days BETWEEN 1 AND 36500),
    set_at    timestamptz NOT NULL DEFAULT now()
);

-- Donors who asked to be forgotten, while their names are kept. The rows are written and deleted with the events.
CREATE TABLE donors_to_forget (
    donation_id uuid        PRIMARY KEY,
    ticket_id   uuid        NOT NULL,
    forget_at   timestamptz NOT NULL
);

CREATE INDEX donors_to_forget_by_time ON donors_to_forget (forget_at);
