-- Messages that could not be sent are listed by their age.
CREATE INDEX outbox_dead ON outbox (created_at, id) WHERE state = 'dead';
