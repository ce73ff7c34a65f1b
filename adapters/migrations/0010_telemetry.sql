-- Mails that a person must look at are counted whenever somebody measures, however many were sent.
CREATE INDEX outbox_dead ON outbox (created) WHERE state = 'dead';
