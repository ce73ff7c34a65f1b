-- Who created an API key, as the history names actors; NULL for keys that are older than this column.
ALTER TABLE api_keys ADD COLUMN created_by text;

CREATE INDEX api_keys_of_workspace ON api_keys (workspace, id);
