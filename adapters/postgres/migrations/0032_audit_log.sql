-- Beside an entry of the access log: the workspace that it concerns, the member who acted, and the sealed network address
-- that the request came from. Addresses are forgotten after a time; the entries, which are proved, have none.
CREATE TABLE access_log_details (
    position    bigint      PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    workspace   text        NOT NULL,
    member_id   uuid,
    address     bytea
);

CREATE INDEX access_log_of_workspace ON access_log_details (workspace, recorded_at, position);
CREATE INDEX access_log_of_member ON access_log_details (workspace, member_id, recorded_at, position)
 WHERE member_id IS NOT NULL;
CREATE INDEX access_log_with_address ON access_log_details (recorded_at) WHERE address IS NOT NULL;

-- Append entries with their details; an entry without a workspace has none.
CREATE FUNCTION append_access_log(
    actors text[], operations text[], objects text[], outcomes text[], request_ids text[],
    workspaces text[], members uuid[], addresses bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last_ bigint;
BEGIN
    -- The lock of the access log, which the other function takes as well.
    PERFORM pg_advisory_xact_lock(7305808869229543);
    SELECT coalesce(max(l.position), 0) INTO last_ FROM access_log l;
    PERFORM append_access_log(actors, operations, objects, outcomes, request_ids);
    INSERT INTO access_log_details
    SELECT l.position, l.recorded_at, d.workspace, d.member_id, d.address
      FROM unnest(workspaces, members, addresses) WITH ORDINALITY AS d (workspace, member_id, address, number)
      JOIN access_log l ON l.position = last_ + d.number
     WHERE d.workspace IS NOT NULL;
END
$$;
