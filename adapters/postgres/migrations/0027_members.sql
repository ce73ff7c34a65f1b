-- The members of workspaces and those who are invited, written in the transactions of the events: a changed role or an
-- ended membership counts from the next request on. `contact_hashes` has the hash of each address.
CREATE TABLE members (
    member_id  uuid PRIMARY KEY,
    workspace  text        NOT NULL,
    role       text        NOT NULL,
    has_joined boolean     NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL
);

CREATE INDEX members_of_workspace ON members (workspace, member_id);

-- The sessions of people who work in workspaces: each acts as one member, or as none while its address is only invited.
CREATE TABLE member_sessions (
    id              uuid PRIMARY KEY,
    digest          text        NOT NULL UNIQUE,
    contact_indexes text[]      NOT NULL,
    member_id       uuid,
    agent           text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL
);

CREATE INDEX member_sessions_of_address ON member_sessions USING gin (contact_indexes);

-- Whom a login code is for: the holder of a ticket, or a member of a workspace.
ALTER TABLE access_requests ADD COLUMN audience text NOT NULL DEFAULT 'holder';
