-- The logos of workspaces, which are public and small: JPEGs that were encoded anew, at most 60 KB each.
CREATE TABLE workspace_logos (
    workspace text  NOT NULL,
    sha256    text  NOT NULL,
    image     bytea NOT NULL,
    PRIMARY KEY (workspace, sha256)
);
