-- Whose quotas an upload reserved, and on which day: they are given back if the upload ends without a recording.
ALTER TABLE uploads ADD COLUMN quota_day date, ADD COLUMN quota_owners text[];
