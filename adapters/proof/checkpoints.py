"""Signed checkpoints: made of the tree, kept beside it, given out to be kept elsewhere."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyring import derived_key
from adapters.postgres.database import Database
from adapters.proof import tiles, tree
from adapters.proof.checker import SIGNATURE_LINE, Checkpoint, Key, checkpoint_of, under_any_name

# So long a log may be named that its notes still fit into a QR code of 300 bytes.
LONGEST_ORIGIN = 64
# While events come in there is a checkpoint at least so often.
EVERY_SECONDS = 10.0


def origin_of(url: str) -> str:
    """A log is named after where its service is reached, without the scheme (C2SP tlog-checkpoint)."""
    parts = urlsplit(url)
    name = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
    return name if len(name.encode()) <= LONGEST_ORIGIN else f"log-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


class Signer:
    """Signs in the name of the log; knows the keys it replaced, so that their signatures still count."""

    def __init__(self, secrets: tuple[str, ...], origin: str) -> None:
        """`secrets` are of any length, the one that signs first."""
        privates = [Ed25519PrivateKey.from_private_bytes(derived_key(secret, "checkpoints")) for secret in secrets]
        self.origin = origin
        self._publics = [private.public_key().public_bytes_raw() for private in privates]
        self._private = privates[0]

    @property
    def keys(self) -> list[Key]:
        """The log's public keys under its present name, the one that signs first."""
        return [Key(self.origin, public) for public in self._publics]

    def read(self, note: str) -> Checkpoint:
        """The checkpoint in a note that one of our keys signed, whatever the log was called then; Refused otherwise."""
        return checkpoint_of(note, under_any_name(note, self.keys))[0]

    def sign(self, text: str) -> str:
        """The text, which ends with a newline, as a signed note (C2SP signed-note)."""
        key = self.keys[0]
        signature = base64.b64encode(key.id + self._private.sign(text.encode())).decode()
        return f"{text}\n{SIGNATURE_LINE}{key.name} {signature}\n"

    def checkpoint(self, size: int, root: bytes) -> str:
        return self.sign(Checkpoint(self.origin, size, root).text)


def sign_tree(connection: Connection[TupleRow], signer: Signer, every: float = EVERY_SECONDS) -> bool:
    """Sign the tree as it is and keep the checkpoint, unless there is one of it, or one not `every` seconds old.

    However many processes do so, one checkpoint is made.
    """
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        tiles.lock(cursor)
        size = tiles.size(cursor)
        key = signer.keys[0].id.hex()
        cursor.execute(
            "SELECT size, now() - created_at < make_interval(secs => %s) FROM proof_checkpoints WHERE key_id = %s"
            " ORDER BY size DESC LIMIT 1",
            (every, key),
            prepare=True,
        )
        latest = cursor.fetchone()
        if size == 0 or (latest is not None and (latest[0] >= size or latest[1])):
            return False
        note = signer.checkpoint(size, tree.root(tiles.Tiles(cursor).node, size))
        cursor.execute(
            "INSERT INTO proof_checkpoints (size, key_id, note) VALUES (%s, %s, %s)", (size, key, note), prepare=True
        )
        return True


def latest(cursor: Cursor[TupleRow]) -> str | None:
    """The newest checkpoint that is kept, as a signed note."""
    cursor.execute("SELECT note FROM proof_checkpoints ORDER BY size DESC, created_at DESC LIMIT 1", prepare=True)
    row = cursor.fetchone()
    return row[0] if row else None


class Checkpoints:
    """The kept checkpoints, for who prints or serves them."""

    def __init__(self, database: Database, signer: Signer) -> None:
        self._database = database
        self.signer = signer

    def latest(self) -> str | None:
        """The newest checkpoint as a signed note; None while nothing has happened."""
        with self._database.reading() as cursor:
            return latest(cursor)

    def continuing(self, size: int) -> tuple[str, list[str]] | None:
        """The newest checkpoint and what proves it to continue the log of `size` events: its path in base64.

        None while the newest is not so large.
        """
        with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
            note = latest(cursor)
            if note is None or (newest := self.signer.read(note)).size < size:
                return None
            path = tree.consistency(tiles.Tiles(cursor).node, size, newest.size)
        return note, [base64.b64encode(node).decode() for node in path]
