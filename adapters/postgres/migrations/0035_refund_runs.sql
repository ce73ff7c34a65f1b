-- The refunds of all gifts of a suspended ticket in one act: ids and amounts alone. `before` has what was left of the gifts
-- in each currency when that was asked for, in the minor unit. A worker has the run until `leased_until`.
CREATE TABLE refund_runs (
    run_id       uuid        PRIMARY KEY,
    ticket_id    uuid        NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    leased_until timestamptz NOT NULL DEFAULT now(),
    before       jsonb       NOT NULL
);

CREATE UNIQUE INDEX refund_runs_open ON refund_runs (ticket_id) WHERE ended_at IS NULL;
CREATE INDEX refund_runs_of_ticket ON refund_runs (ticket_id, requested_at DESC);

-- What became of each gift.
CREATE TABLE refund_run_gifts (
    run_id      uuid   NOT NULL REFERENCES refund_runs ON DELETE CASCADE,
    donation_id uuid   NOT NULL,
    outcome     text   NOT NULL,
    PRIMARY KEY (run_id, donation_id)
);
