-- What was used of the daily quotas. The owner is a ticket, a workspace, or the keyed hash of a visitor's address.
CREATE TABLE quota_use (
    day           date    NOT NULL,
    owner         text    NOT NULL,
    recordings    integer NOT NULL,
    documents     integer NOT NULL,
    bytes         bigint  NOT NULL,
    audio_seconds integer NOT NULL,
    PRIMARY KEY (day, owner)
);
