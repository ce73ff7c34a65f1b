-- The refunds of all gifts in which a gift was refused are listed among the failed jobs.
CREATE INDEX refund_run_gifts_refused ON refund_run_gifts (run_id) WHERE outcome = 'refused';
