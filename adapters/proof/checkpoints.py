"""Signed checkpoints of the tree, stored in the database, and published outside it."""

import base64
import hashlib
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.encryption.keyring import derived_key
from adapters.postgres.database import Database
from adapters.proof import tiles, tree
from adapters.proof.checker import (
    SIGNATURE_LINE,
    AccessLogHead,
    Checkpoint,
    Key,
    Refused,
    checkpoint_of,
    keys_under_signed_names,
    leaf_hash,
)
from adapters.proof.published import PublishedCheckpoints, newer_than
from adapters.proof.tiles import BrokenProofError

# With a longer name a note would not fit into a QR code of 400 bytes.
LONGEST_ORIGIN = 64
# While events or entries of the access log are recorded, a checkpoint is signed at least this often.
EVERY_SECONDS = 10.0
# The signer compares the history with the first checkpoints of so many days; `audit verify` with those of all days.
COMPARED_DAYS = 3


def origin_of(url: str) -> str:
    """Return the log's name: the service's address without the scheme (C2SP tlog-checkpoint)."""
    parts = urlsplit(url)
    name = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
    return name if len(name.encode()) <= LONGEST_ORIGIN else f"log-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


class Signer:
    """Signs with the log's newest key, and accepts signatures of the keys before it."""

    def __init__(self, secrets: tuple[str, ...], origin: str) -> None:
        """`secrets` have any length; the first one signs."""
        privates = [Ed25519PrivateKey.from_private_bytes(derived_key(secret, "checkpoints")) for secret in secrets]
        self.origin = origin
        self._publics = [private.public_key().public_bytes_raw() for private in privates]
        self._private = privates[0]

    @property
    def keys(self) -> list[Key]:
        """Return the log's public keys under its current name, the signing one first."""
        return [Key(self.origin, public) for public in self._publics]

    def read(self, note: str) -> Checkpoint:
        """Return the checkpoint of a note that one of these keys signed under any name; Refused otherwise."""
        return checkpoint_of(note, keys_under_signed_names(note, self.keys))[0]

    def sign(self, text: str) -> str:
        """Return the text, which ends with a newline, as a signed note (C2SP signed-note)."""
        key = self.keys[0]
        signature = base64.b64encode(key.id + self._private.sign(text.encode())).decode()
        return f"{text}\n{SIGNATURE_LINE}{key.name} {signature}\n"

    def checkpoint(self, size: int, root: bytes, access_log: AccessLogHead | None = None) -> str:
        return self.sign(Checkpoint(self.origin, size, root, access_log).text)


class RewrittenHistoryError(BrokenProofError):
    """The history does not continue the one that was signed before, so it is not signed."""


def sign_tree(
    connection: Connection[TupleRow], signer: Signer, published: PublishedCheckpoints, every: float = EVERY_SECONDS
) -> bool:
    """Sign the tree and the access log's head, publish and store the checkpoint; return True if one was made.

    Nothing is signed if neither has grown, or if the last checkpoint is younger than `every` seconds. Of several
    processes only one makes a checkpoint. RewrittenHistoryError if they do not continue what was published last.
    """
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        tiles.lock(cursor)
        size, log = tiles.size(cursor), access_log_head(cursor)
        cursor.execute("SELECT coalesce(max(position), 0) FROM events", prepare=True)
        [(events,)] = cursor.fetchall()
        if events < size:
            raise RewrittenHistoryError(f"the history has {events} events, but the tree has {size}")
        key = signer.keys[0].id.hex()
        cursor.execute(
            "SELECT size >= %s AND access_log_entries >= %s, now() - created_at < make_interval(secs => %s)"
            " FROM proof_checkpoints WHERE key_id = %s ORDER BY size DESC, access_log_entries DESC LIMIT 1",
            (size, log.entries, every, key),
            prepare=True,
        )
        latest = cursor.fetchone()
        if size == 0 or (latest is not None and any(latest)):
            return False
        size, log = continued_state(cursor, published)
        note = signer.checkpoint(size, tree.root(tiles.Tiles(cursor).node, size), log)
        # First outside: a checkpoint that is shown to anybody binds this signer, also after the database was altered.
        published.publish(note)
        cursor.execute(
            "INSERT INTO proof_checkpoints (size, access_log_entries, key_id, note) VALUES (%s, %s, %s, %s)",
            (size, log.entries, key, note),
            prepare=True,
        )
        return True


def continued_state(cursor: Cursor[TupleRow], published: PublishedCheckpoints) -> tuple[int, AccessLogHead]:
    """Return the tree's size and the access log's head, on a binary cursor.

    RewrittenHistoryError unless tree and access log begin with those that were published last, and on the last days.
    """
    # Read before the tree and the log, because another process may extend and publish them.
    dated = published.dated(COMPARED_DAYS)
    try:
        signed = published.newest()
    except Refused as refused:
        raise RewrittenHistoryError(f"the newest published checkpoint is not valid: {refused}") from None
    if key := newer_than(signed, dated):
        raise RewrittenHistoryError(f"the newest published checkpoint was set back: {key} is newer")
    size, log = tiles.size(cursor), access_log_head(cursor)
    for earlier in (*([signed] if signed is not None else []), *dated.values()):
        _require_continuation(cursor, earlier, size, log)
    return size, log


def sign_complete_tree(
    connection: Connection[TupleRow], signer: Signer, published: PublishedCheckpoints
) -> tuple[int, str]:
    """Add all recorded events to the tree, and return its size and a checkpoint of it, which is published first.

    RewrittenHistoryError if the history does not continue what was published before.
    """
    while tiles.grow(connection):
        pass
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        tiles.lock(cursor)
        size, log = continued_state(cursor, published)
        note = signer.checkpoint(size, tree.root(tiles.Tiles(cursor).node, size), log)
        # As with every checkpoint that somebody sees, what is signed later must continue it.
        published.publish(note)
        return size, note


def _require_continuation(cursor: Cursor[TupleRow], signed: Checkpoint, size: int, log: AccessLogHead) -> None:
    if signed.size > size:
        raise RewrittenHistoryError(f"the history has {size} events, but {signed.size} were signed")
    node = tiles.Tiles(cursor).node
    cursor.execute("SELECT hash FROM events WHERE position = %s", (signed.size,), prepare=True)
    link = cursor.fetchone()
    # The link covers all events up to it, and the tree may be older than they are.
    is_same_event = not signed.size or (link is not None and leaf_hash(link[0]) == node(0, signed.size - 1))
    if tree.root(node, signed.size) != signed.root or not is_same_event:
        raise RewrittenHistoryError(f"the first {signed.size} events are not those that were signed")
    if (head := signed.access_log) is None or head.entries == 0:
        return
    cursor.execute("SELECT hash FROM access_log WHERE position = %s", (head.entries,), prepare=True)
    if cursor.fetchone() != (head.link,):
        raise RewrittenHistoryError(
            f"the access log has {log.entries} entries, but does not continue the {head.entries} that were signed"
        )


def access_log_head(cursor: Cursor[TupleRow]) -> AccessLogHead:
    """Return the number of entries of the access log and its last link, on a binary cursor."""
    cursor.execute("SELECT position, hash FROM access_log ORDER BY position DESC LIMIT 1", prepare=True)
    return AccessLogHead(*(cursor.fetchone() or (0, bytes(32))))


def latest(cursor: Cursor[TupleRow]) -> str | None:
    """Return the newest stored checkpoint as a signed note, or None."""
    cursor.execute(
        "SELECT note FROM proof_checkpoints ORDER BY size DESC, access_log_entries DESC, created_at DESC LIMIT 1",
        prepare=True,
    )
    row = cursor.fetchone()
    return row[0] if row else None


def latest_valid(cursor: Cursor[TupleRow], signer: Signer) -> Checkpoint | None:
    """Return the newest stored checkpoint, or None if there is none or its signature is not one of the signer."""
    note = latest(cursor)
    try:
        return None if note is None else signer.read(note)
    except Refused:
        return None


class Checkpoints:
    """Reads the stored checkpoints."""

    def __init__(self, database: Database, signer: Signer) -> None:
        self._database = database
        self.signer = signer

    def latest(self) -> str | None:
        """Return the newest checkpoint as a signed note, or None while there is none."""
        return self._database.read(latest)

    def consistency_proof(self, size: int) -> tuple[str, list[str]] | None:
        """Return the newest checkpoint and the proof, in Base64, that it continues the log of `size` events.

        Return None if the newest checkpoint is smaller.
        """
        with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
            note = latest(cursor)
            if note is None or (newest := self.signer.read(note)).size < size:
                return None
            path = tree.consistency(tiles.Tiles(cursor).node, size, newest.size)
        return note, [base64.b64encode(node).decode() for node in path]
