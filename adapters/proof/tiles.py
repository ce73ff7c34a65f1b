"""The Merkle tree in PostgreSQL, in tiles of up to 256 hashes, so that any node needs one read and some hashing."""

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from hashlib import sha256

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.proof.checker import node_hash
from domain.errors import DomainError

PROOF_LOCK = 7305808869229542
HEIGHT = 8
TILE = 1 << HEIGHT
HASH_BYTES = 32
PAIR_BYTES = 2 * HASH_BYTES
BATCH_EVENTS = 10_000
CACHED_TILES = 256

TileIndex = tuple[int, int]  # a tile's level and its index in that level


class BrokenProofError(DomainError):
    """The history or its tree was altered; `audit verify` finds the place."""


def size(cursor: Cursor[TupleRow]) -> int:
    """Return the number of events in the tree."""
    cursor.execute(
        "SELECT index, octet_length(hashes) FROM proof_tiles WHERE level = 0 ORDER BY index DESC LIMIT 1", prepare=True
    )
    row = cursor.fetchone()
    return int(row[0] * TILE + row[1] // HASH_BYTES) if row else 0


def lock(cursor: Cursor[TupleRow]) -> None:
    """Lock the tree until the transaction ends, so that no other process extends or signs it."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (PROOF_LOCK,))


def grow(connection: Connection[TupleRow], most: int = BATCH_EVENTS) -> int:
    """Add up to `most` new events to the tree and return their number; BrokenProofError when an event is missing.

    Concurrent calls wait for each other.
    """
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        lock(cursor)
        tree_size = size(cursor)
        cursor.execute(
            "SELECT position, hash FROM events WHERE position > %s ORDER BY position LIMIT %s",
            (tree_size, most),
            prepare=True,
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        if rows[-1][0] != tree_size + len(rows):
            raise BrokenProofError(f"the event after {tree_size} is missing in the history")
        _extend(cursor, tree_size, leaf_hashes(link for _, link in rows))
        return len(rows)


def _extend(cursor: Cursor[TupleRow], tree_size: int, added: Sequence[bytes]) -> None:
    """Add leaf hashes. Level by level, the roots of completed tiles become entries of the level above."""
    open_tiles = _read(cursor, [(level, tree_size >> HEIGHT * level >> HEIGHT) for level in range(HEIGHT)])
    changed: dict[TileIndex, bytes] = {}
    level, entries = 0, list(added)
    while entries:
        index, filled = divmod(tree_size >> HEIGHT * level, TILE)
        before = open_tiles.get((level, index), b"") if filled else b""
        if len(before) != filled * HASH_BYTES:
            raise BrokenProofError(f"the tree over the first {tree_size} events is incomplete")
        hashes = before + b"".join(entries)
        entries = []
        for tile in cut(hashes, TILE * HASH_BYTES):
            changed[level, index] = tile
            if len(tile) == TILE * HASH_BYTES:
                entries.append(tile_root(tile))
            index += 1
        level += 1
    cursor.execute(
        "INSERT INTO proof_tiles (level, index, hashes)"
        " SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[])"
        " ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes",
        ([level for level, _ in changed], [index for _, index in changed], list(changed.values())),
        prepare=True,
    )


def _read(cursor: Cursor[TupleRow], indexes: Sequence[TileIndex]) -> dict[TileIndex, bytes]:
    cursor.execute(
        "SELECT level, index, hashes FROM proof_tiles"
        " JOIN unnest(%b::smallint[], %b::bigint[]) AS tile (level, index) USING (level, index)",
        ([level for level, _ in indexes], [index for _, index in indexes]),
        prepare=True,
    )
    return {(level, index): hashes for level, index, hashes in cursor.fetchall()}


def cut(hashes: bytes, size: int = HASH_BYTES) -> list[bytes]:
    """Return the pieces of this size, by default the single hashes; the last piece may be shorter."""
    return [hashes[start : start + size] for start in range(0, len(hashes), size)]


def expanded(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return the hashes and, level by level above them, the hashes of all complete pairs."""
    levels = [list(hashes)]
    while len(below := levels[-1]) > 1:
        levels.append([node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)])
    return levels


def tile_root(tile: bytes) -> bytes:
    """Return the hash over a complete tile, as the last level of `expanded`, without keeping the levels."""
    while len(tile) > HASH_BYTES:
        tile = b"".join(_hashes(b"\x01", cut(tile, PAIR_BYTES)))
    return tile


def leaf_hashes(links: Iterable[bytes]) -> list[bytes]:
    return _hashes(b"\x00", links)


def _hashes(prefix: bytes, data: Iterable[bytes]) -> list[bytes]:
    """Return the SHA-256 hash of the prefix and each of `data`."""
    # To copy a hash object that has read the prefix takes about a seventh less time than to make one.
    copy, hashes = sha256(prefix).copy, []
    for each in data:
        digest = copy()
        digest.update(each)
        hashes.append(digest.digest())
    return hashes


class Tiles:
    """Reads the nodes of the tree on a cursor, and caches the last tiles."""

    def __init__(self, cursor: Cursor[TupleRow]) -> None:
        self._tile = lru_cache(CACHED_TILES)(partial(_expanded_tile, cursor))

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree, as `tree.Node`; BrokenProofError if it is not in the tree."""
        tile_level, inside = divmod(level, HEIGHT)
        first = index << inside
        try:
            return self._tile((tile_level, first // TILE))[inside][first % TILE >> inside]
        except IndexError:
            raise BrokenProofError("the stored tree is shorter than expected") from None


def _expanded_tile(cursor: Cursor[TupleRow], at: TileIndex) -> list[list[bytes]]:
    return expanded(cut(_read(cursor, [at]).get(at, b"")))
