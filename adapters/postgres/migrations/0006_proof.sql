-- The Merkle tree over the history, in tiles of up to 256 hashes: level 0 are leaf hashes, entry n of level l + 1 is the
-- hash over the complete tile n of level l. Its size is told by its last tile of level 0.
CREATE TABLE proof_tiles (
    level  smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    index  bigint   NOT NULL CHECK (index >= 0),
    hashes bytea    NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
    PRIMARY KEY (level, index)
);

-- Hashes cannot be compressed.
ALTER TABLE proof_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Signed checkpoints of the tree, each as the note that was given out; `key` is the id of the key that signed it.
CREATE TABLE proof_checkpoints (
    size    bigint      NOT NULL CHECK (size >= 0),
    key     text        NOT NULL,
    note    text        NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (size, key)
);

CREATE FUNCTION refuse_rewriting_proof() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'proof_tiles' THEN
        IF NEW.level = OLD.level AND NEW.index = OLD.index
           AND substr(NEW.hashes, 1, octet_length(OLD.hashes)) = OLD.hashes THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% only grows', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER tiles_only_grow BEFORE UPDATE OR DELETE ON proof_tiles
FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_proof();
CREATE TRIGGER tiles_are_kept BEFORE TRUNCATE ON proof_tiles
FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_proof();
CREATE TRIGGER checkpoints_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON proof_checkpoints
FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_proof();
