-- A checkpoint covers the access log too, and is also signed when only that has grown.
ALTER TABLE proof_checkpoints ADD COLUMN access_log_entries bigint NOT NULL DEFAULT 0 CHECK (access_log_entries >= 0);
ALTER TABLE proof_checkpoints DROP CONSTRAINT proof_checkpoints_pkey;
ALTER TABLE proof_checkpoints ADD PRIMARY KEY (size, access_log_entries, key_id);
