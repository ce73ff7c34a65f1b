-- Checkouts at Stripe that a donor may still pay. When a ticket is unpublished, suspended or erased, the same transaction
-- gives its checkouts the state `expiring`; then they are expired at Stripe, and the row is deleted.
CREATE TABLE open_checkouts (
    session_id      text        PRIMARY KEY,
    ticket_id       uuid        NOT NULL,
    donation_id     uuid        NOT NULL,
    expires_at      timestamptz NOT NULL,
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'expiring')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    error           text
);

CREATE INDEX open_checkouts_of_ticket ON open_checkouts (ticket_id);
CREATE INDEX open_checkouts_expiring ON open_checkouts (next_attempt_at) WHERE state = 'expiring';
CREATE INDEX open_checkouts_over ON open_checkouts (expires_at);

-- Those that were opened before this step. At Stripe a checkout is open for at most 24 hours.
INSERT INTO open_checkouts (session_id, ticket_id, donation_id, expires_at, state)
SELECT DISTINCT ON (data ->> 'session_id')
       data ->> 'session_id', ticket, (data ->> 'donation_id')::uuid, to_timestamp((data ->> 'expires_at')::bigint),
       CASE WHEN (SELECT topic FROM events
                   WHERE events.ticket = opened.ticket AND topic IN ('published', 'unpublished', 'erased')
                   ORDER BY position DESC LIMIT 1) IN ('unpublished', 'erased')
            THEN 'expiring' ELSE 'open' END
  FROM (SELECT ticket, convert_from(state, 'UTF8')::json AS data
          FROM events WHERE topic = 'checkout_opened' AND recorded_at > now() - interval '25 hours') AS opened;
