-- The state of each part of the service in each minute of the last day. A row without a state belongs to a process that is
-- still measuring, or that ended meanwhile.
CREATE TABLE health_samples (
    at       timestamptz NOT NULL,
    part     text        COLLATE "C" NOT NULL,
    state    text        COLLATE "C" CHECK (state IN ('off', 'works', 'slow', 'fails')),
    measures jsonb,
    PRIMARY KEY (at, part)
) WITH (fillfactor = 70);

-- When `storyledger backup` last ended well. It has one row at most.
CREATE TABLE last_backup (
    only_row bool        PRIMARY KEY DEFAULT true CHECK (only_row),
    taken_at timestamptz NOT NULL
);
