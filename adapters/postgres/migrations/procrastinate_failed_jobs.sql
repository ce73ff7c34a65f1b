-- Jobs that failed for good are listed. The name of this step puts it after the queue's own schema.
CREATE INDEX procrastinate_jobs_failed ON procrastinate_jobs (id) WHERE status = 'failed';
