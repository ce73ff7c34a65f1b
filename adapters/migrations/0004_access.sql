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
