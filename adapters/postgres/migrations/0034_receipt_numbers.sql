-- The numbers of receipts, written in the transactions of the events that give them: no number is given twice, and no
-- donation has two.
CREATE TABLE receipt_numbers (
    workspace   text    NOT NULL,
    year        integer NOT NULL,
    number      integer NOT NULL,
    ticket_id   uuid    NOT NULL,
    donation_id uuid    NOT NULL,
    issued_at   timestamptz NOT NULL,
    PRIMARY KEY (workspace, year, number),
    UNIQUE (ticket_id, donation_id)
);
