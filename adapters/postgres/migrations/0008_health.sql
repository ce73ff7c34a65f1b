-- What the watchdog noted of the database's health: each start of the service, and each time that it came back.
CREATE TABLE health_checks (
    id           uuid        PRIMARY KEY,
    checked_at   timestamptz NOT NULL DEFAULT now(),
    outcome      text        NOT NULL CHECK (outcome IN ('started', 'back')),
    away_seconds real,
    error        text,
    failures     integer     NOT NULL DEFAULT 0
);

CREATE INDEX health_checks_by_age ON health_checks (checked_at);
