-- What donors are to be told by mail, noted in the transaction of what there is to tell: ids alone. The address stands in
-- the webhook event that told it, sealed there; a receipt's row names that event for whatever is told later. Rows stay,
-- so that each thing is told once, ever.
CREATE TABLE donor_notices (
    key          text        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('receipt', 'refund')),
    ticket_id    uuid        NOT NULL,
    donation_id  uuid        NOT NULL,
    told_by      text,
    refund_id    text,
    state        text        NOT NULL CHECK (state IN ('waiting', 'written', 'dropped')),
    attempts     integer     NOT NULL DEFAULT 0,
    next_attempt timestamptz NOT NULL DEFAULT now(),
    error        text,
    created      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX donor_notices_waiting ON donor_notices (next_attempt) WHERE state = 'waiting';

-- Who wants no mail that they need not get, by a keyed hash of their address.
CREATE TABLE unsubscribed (
    address_hash text        PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now()
);
