-- Requests for a login code of one contact share a code while it is valid. `code_id` is the request for which the code was
-- made, and the code follows from it and the pepper. `asker` is the keyed hash of the address that asked.
ALTER TABLE access_requests DROP COLUMN code_digest;
ALTER TABLE access_requests
    ADD COLUMN code_id     uuid,
    ADD COLUMN code_digits smallint,
    ADD COLUMN asker       text,
    ADD COLUMN mailed      boolean NOT NULL DEFAULT false;

-- When a code that was sent to the contact opened a session.
ALTER TABLE contact_hashes ADD COLUMN verified_at timestamptz;

-- The mails that visitors caused to addresses that nobody had verified, for a day. Address and asker are keyed hashes.
CREATE TABLE unverified_mails (
    address_hash text        NOT NULL,
    asker        text,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX unverified_mails_of_address ON unverified_mails (address_hash, created_at);
CREATE INDEX unverified_mails_of_asker ON unverified_mails (asker, created_at) WHERE asker IS NOT NULL;
