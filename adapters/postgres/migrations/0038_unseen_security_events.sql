-- The number of security events that nobody has seen is on every page of those who run a workspace.
CREATE INDEX security_events_unseen ON security_events (workspace) WHERE seen_at IS NULL;
