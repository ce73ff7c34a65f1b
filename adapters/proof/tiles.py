"""The tree in PostgreSQL, in tiles of up to 256 hashes, so that any node is one read and some hashing away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.proof.checker import leaf_hash, node_hash
from domain.errors import DomainError

PROOF_LOCK = 7305808869229542
HEIGHT = 8
TILE = 1 << HEIGHT
HASH_BYTES = 32
PAIR_BYTES = 2 * HASH_BYTES
PAGE_EVENTS = 10_000
TILES_REMEMBERED = 256

Place = tuple[int, int]  # a tile's level and its index there


class BrokenProofError(DomainError):
    """The history or its tree is not as it was left: `audit verify` says where."""


def size(cursor: Cursor[TupleRow]) -> int:
    """How many events the tree holds."""
    cursor.execute(
        "SELECT index, octet_length(hashes) FROM proof_tiles WHERE level = 0 ORDER BY index DESC LIMIT 1", prepare=True
    )
    row = cursor.fetchone()
    return int(row[0] * TILE + row[1] // HASH_BYTES) if row else 0


def lock(cursor: Cursor[TupleRow]) -> None:
    """Let nobody else grow or sign the tree until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (PROOF_LOCK,))


def grow(connection: Connection[TupleRow], most: int = PAGE_EVENTS) -> int:
    """Take up to so many new events into the tree; how many there were.

    Whoever else does the same waits, and goes on from there. BrokenProofError when an event is missing.
    """
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        lock(cursor)
        known = size(cursor)
        cursor.execute(
            "SELECT position, hash FROM events WHERE position > %s ORDER BY position LIMIT %s",
            (known, most),
            prepare=True,
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        if rows[-1][0] != known + len(rows):
            raise BrokenProofError(f"after event {known} of the history one is missing")
        _extend(cursor, known, [leaf_hash(link) for _, link in rows])
        return len(rows)


def _extend(cursor: Cursor[TupleRow], known: int, added: Sequence[bytes]) -> None:
    """Add leaf hashes: level by level, whatever tiles they complete become entries of the level above."""
    begun = _read(cursor, [(level, known >> HEIGHT * level >> HEIGHT) for level in range(HEIGHT)])
    changed: dict[Place, bytes] = {}
    level, entries = 0, list(added)
    while entries:
        index, held = divmod(known >> HEIGHT * level, TILE)
        before = begun.get((level, index), b"") if held else b""
        if len(before) != held * HASH_BYTES:
            raise BrokenProofError(f"the tree over the first {known} events is not whole")
        hashes = before + b"".join(entries)
        entries = []
        for start in range(0, len(hashes), TILE * HASH_BYTES):
            tile = changed[level, index] = hashes[start : start + TILE * HASH_BYTES]
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


def _read(cursor: Cursor[TupleRow], places: Sequence[Place]) -> dict[Place, bytes]:
    cursor.execute(
        "SELECT level, index, hashes FROM proof_tiles"
        " JOIN unnest(%b::smallint[], %b::bigint[]) AS wanted (level, index) USING (level, index)",
        ([level for level, _ in places], [index for _, index in places]),
        prepare=True,
    )
    return {(level, index): hashes for level, index, hashes in cursor.fetchall()}


def cut(tile: bytes) -> list[bytes]:
    """A tile's hashes."""
    return [tile[start : start + HASH_BYTES] for start in range(0, len(tile), HASH_BYTES)]


def expanded(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The hashes, then those over each complete pair of them, and so on up to the last complete one."""
    levels = [list(hashes)]
    while len(below := levels[-1]) > 1:
        levels.append([node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)])
    return levels


def tile_root(tile: bytes) -> bytes:
    """The hash over a complete tile: what `expanded` ends in, in two thirds of the time."""
    while len(tile) > HASH_BYTES:
        tile = b"".join(
            [sha256(b"\x01" + tile[at : at + PAIR_BYTES]).digest() for at in range(0, len(tile), PAIR_BYTES)]
        )
    return tile


class Tiles:
    """Reads the nodes of the tree on a cursor, and remembers the tiles it read last."""

    def __init__(self, cursor: Cursor[TupleRow]) -> None:
        self.cursor = cursor
        self._tiles: OrderedDict[Place, list[list[bytes]]] = OrderedDict()

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree, as `tree.Node`; BrokenProofError if the tree does not hold it."""
        tile_level, inside = divmod(level, HEIGHT)
        first = index << inside
        try:
            return self._tile((tile_level, first // TILE))[inside][first % TILE >> inside]
        except IndexError:
            raise BrokenProofError("the tree is shorter than it was") from None

    def _tile(self, place: Place) -> list[list[bytes]]:
        known = self._tiles.get(place)
        if known is None:
            known = self._tiles[place] = expanded(cut(_read(self.cursor, [place]).get(place, b"")))
            if len(self._tiles) > TILES_REMEMBERED:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end(place)
        return known
