"""Verification of the history from the stored bytes: finds the first event that was changed, removed, added or moved.

It checks three things, each harder to forge than the one before: the chain of hashes in the events' own rows, the
Merkle tree that was made when the events were new, and signed checkpoints, which need the key. A checkpoint that is
kept elsewhere reveals even a change of all three.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

import psycopg
from psycopg import Connection, Cursor
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, Format
from psycopg.rows import TupleRow

from adapters.postgres.database import connect
from adapters.proof import checkpoints, tiles, tree
from adapters.proof.checker import Checkpoint, Refused
from adapters.proof.tiles import HASH_BYTES, HEIGHT, TILE

GENESIS = bytes(32)
BATCH_EVENTS = 10_000
# Positions begin at 1, but a forged event may have a smaller one.
BEFORE_ALL = -(2**63)

# The stored bytes that one link covers, in the order of `chain_hash` in the first migration.
COVERED = """
SELECT position,
       int8send(position) || uuid_send(stream) || int4send(version) || uuid_send(ticket)
       || timestamptz_send(recorded_at) || int4send(octet_length(topic)) || convert_to(topic, 'UTF8') || state,
       hash
  FROM events WHERE position > %s ORDER BY position LIMIT %s
"""

_NUMBERED = COVERED.replace("%s", "$1", 1).replace("%s", "$2", 1).encode()

Bad = tuple[int, str]
# Returns the checkpoint of a signed note, or raises Refused.
Reader = Callable[[str], Checkpoint]


@dataclass(frozen=True)
class Verdict:
    """The number of valid links, and the first bad position with the reason, or None.

    `head` is the last valid link. `root` is the root of the tree over all events if everything is valid.
    """

    events: int
    first_bad: Bad | None
    head: bytes
    root: bytes | None = None

    @property
    def ok(self) -> bool:
        return self.first_bad is None


def verify(
    url: str,
    progress: Callable[[int], None] = lambda _: None,
    read: Reader | None = None,
    kept: Iterable[Checkpoint] = (),
) -> Verdict:
    """Recompute every link and the tree in one transaction, and call `progress` with each position reached.

    With `read`, the newest stored checkpoint must have a signature that it accepts, and match the tree. `kept` are
    checkpoints from outside the database whose signatures were checked: the history must continue each.
    """
    with connect(url, statement_seconds=0, name="storyledger audit") as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        verification = Verification(connection)
        for rows, stored_tiles in _Batches(connection):
            if not verification.extend(rows, stored_tiles):
                break
            progress(rows[-1][0])
        return verification.verdict(read, kept)


Row = tuple[int, bytes, bytes]  # position, the bytes that its link covers, and the link
Tiles = dict[int, bytes]


# A file of rows in COPY's binary format, and their lengths.
Piece = tuple[bytes, list[int]]
# The bytes before its first row: the signature, the flags and the length of an extension.
COPY_HEADER_BYTES = 19


def copied(piece: Piece) -> Iterator[Row]:
    """Yield what COVERED selects, from rows of position, stream, version, topic, ticket, recorded_at, state, hash."""
    file, lengths = piece
    start = COPY_HEADER_BYTES
    for row_length in lengths:
        layout = _layout(file[start + 42 : start + 46])
        position, stream, version, topic, ticket, recorded_at, length = layout.unpack_from(file, start)
        state = start + layout.size
        end = state + length
        covered = b"".join((file[start + 6 : start + 14], stream, version, ticket, recorded_at, topic, file[state:end]))
        start += row_length
        yield position, covered, file[end + 4 : start]


@lru_cache
def _layout(topic: bytes) -> Struct:
    """Return the layout of the columns before the state; `topic` is the length prefix of the topic."""
    return Struct(f">6x q 4x 16s 4x 4s {4 + int.from_bytes(topic, 'big')}s 4x 16s 4x 8s I")


class Verification:
    """Verifies events that the caller reads in order; `connection` sees the same state of the database."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection
        self._chain, self._tree = Chain(), _Tree(connection)
        self._bad: Bad | None = None

    def extend(self, rows: Iterable[Row], stored_tiles: Tiles | None = None) -> bool:
        """Check the next rows and the stored tiles over them; return False, and check no more, if one is bad."""
        if not self._ok():
            return False
        last, links = self._chain.length, self._chain.extend(rows)
        if stored_tiles is None:
            with self._connection.cursor(binary=True) as cursor:
                stored_tiles = _tiles_over(cursor, last, len(links))
        self._bad = self._tree.extend(links, stored_tiles)
        return self._ok()

    def extend_copied(self, piece: Piece) -> None:
        """Check the next rows as they were copied."""
        self.extend(copied(piece))

    def _ok(self) -> bool:
        return self._bad is None and self._chain.bad is None

    def verdict(self, read: Reader | None = None, kept: Iterable[Checkpoint] = ()) -> Verdict:
        """Return the verdict on the rows and on what is stored beyond them; the arguments are those of `verify`."""
        chain, merkle = self._chain, self._tree
        # A difference of the tree before a broken link comes first.
        bad = self._bad or merkle.finish() or chain.bad or merkle.missing_end()
        if read is not None:
            bad = bad or merkle.contradicts_stored(read)
        for checkpoint in kept:
            bad = bad or merkle.contradicts(checkpoint, read)
        if bad:
            return Verdict(min(bad[0] - 1, chain.length), bad, chain.head)
        return Verdict(chain.length, None, chain.head, tree.root(merkle.node, chain.length))


class _Batches:
    """Reads events and the stored tree one batch ahead, so that the database works while this process hashes."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection

    def __iter__(self) -> Iterator[tuple[list[Row], Tiles]]:
        with ThreadPoolExecutor(max_workers=1) as ahead:
            reading = ahead.submit(self._read, 0)
            while (batch := reading.result())[0]:
                reading = ahead.submit(self._read, batch[0][-1][0])
                yield batch

    def _read(self, last: int) -> tuple[list[Row], Tiles]:
        # This waits for the whole batch without Python's lock. A cursor takes the lock for every few kilobytes, and so
        # waits for the hashing of the batch before: `python -m tests.benchmarks --only read-models` shows it.
        parameters = [str(last or BEFORE_ALL).encode(), str(BATCH_EVENTS).encode()]
        result = self._connection.pgconn.exec_params(_NUMBERED, parameters, result_format=Format.BINARY)
        if result.status != ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)
        transformer = Transformer(self._connection)
        transformer.set_pgresult(result)
        rows = transformer.load_rows(0, result.ntuples, tuple)
        with self._connection.cursor(binary=True) as cursor:
            return rows, _tiles_over(cursor, last, len(rows))


def _tiles_over(cursor: Cursor[TupleRow], last: int, count: int) -> Tiles:
    """Return the stored tiles over `count` events after the position `last`."""
    return read_tiles(cursor, 0, last // TILE, (last + count) // TILE + 1)


def read_tiles(cursor: Cursor[TupleRow], level: int, first: int, end: int) -> Tiles:
    """Return the stored tiles of a level by index, from `first` up to but without `end`."""
    cursor.execute(
        "SELECT index, hashes FROM proof_tiles WHERE level = %s AND index >= %s AND index < %s",
        (level, max(0, first), max(0, end)),
        prepare=True,
    )
    return dict(cursor.fetchall())


class Chain:
    """Recomputes links up to the first bad one, which `bad` names."""

    def __init__(self) -> None:
        self.length = 0
        self.head = GENESIS
        self.bad: Bad | None = None

    def extend(self, rows: Iterable[Row]) -> list[bytes]:
        """Check the next rows and return their valid links in order."""
        sha256, expected, last = hashlib.sha256, self.head, self.length
        links = []
        for position, covered, stored in rows:
            if position != last + 1:
                self.bad = (position, "added") if position < 1 else (last + 1, "missing")
                break
            expected = sha256(expected + covered).digest()
            if expected != stored:
                self.bad = (position, "does not match its hash")
                break
            last = position
            links.append(stored)
        if links:
            self.length, self.head = last, links[-1]
        return links


class _Tree:
    """Recomputes the tree from the links and compares it with the stored one."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection
        with connection.cursor(binary=True) as cursor:
            self._stored_size = tiles.size(cursor)
        self._events = 0
        self._open_tile = b""
        self._roots: list[bytes] = []
        self._above: list[list[bytes]] = []

    def extend(self, links: list[bytes], stored: Tiles) -> Bad | None:
        """Add links and return the first event so far that differs from the stored tree, or None."""
        self._events += len(links)
        first, size = len(self._roots), TILE * HASH_BYTES
        complete = tiles.cut(self._open_tile + b"".join(tiles.leaf_hashes(links)), size)
        self._open_tile = complete.pop() if complete and len(complete[-1]) < size else b""
        self._roots += [tiles.tile_root(tile) for tile in complete]
        return self._compare(0, first, complete, stored)

    def finish(self) -> Bad | None:
        """Compare the last tile and the upper levels after the last link."""
        self._above = tiles.expanded(self._roots)
        last = len(self._roots)
        bad = self._compare(0, last, [self._open_tile] if self._open_tile else [], self._read_tiles(0, last, last + 1))
        level = 1
        while bad is None and (entries := min(self._stored_size, self._events) >> HEIGHT * level):
            hashes = self._above[HEIGHT * (level - 1)][:entries]
            parts = [b"".join(hashes[start : start + TILE]) for start in range(0, entries, TILE)]
            bad = self._compare(level, 0, parts, self._read_tiles(level, 0, len(parts)))
            level += 1
        return bad

    def missing_end(self) -> Bad | None:
        """Return the first event that is in the stored tree but missing at the end of the history, or None."""
        if self._stored_size <= self._events:
            return None
        return self._events + 1, f"missing: the tree has {self._stored_size} events"

    def _read_tiles(self, level: int, first: int, end: int) -> Tiles:
        with self._connection.cursor(binary=True) as cursor:
            return read_tiles(cursor, level, first, end)

    def _compare(self, level: int, first: int, recomputed: list[bytes], stored: Tiles) -> Bad | None:
        """Compare tiles from index `first` on with the stored ones, up to the size of the stored tree."""
        stored_entries = self._stored_size >> HEIGHT * level
        for index, tile in enumerate(recomputed, first):
            length = HASH_BYTES * max(0, min(TILE, stored_entries - index * TILE))
            ours, theirs = tile[:length], stored.get(index, b"")
            if len(ours) < length:
                theirs = theirs[: len(ours)]
            if ours != theirs:
                pairs = zip(tiles.cut(ours), tiles.cut(theirs), strict=False)
                differing = next((n for n, (left, right) in enumerate(pairs) if left != right), None)
                entry = index * TILE + (min(len(ours), len(theirs)) // HASH_BYTES if differing is None else differing)
                return (entry << HEIGHT * level) + 1, "differs from the tree"
        return None

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree, after `finish`."""
        if level >= HEIGHT:
            return self._above[level - HEIGHT][index]
        first = (index << level) // TILE * TILE
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(
                "SELECT hash FROM events WHERE position > %s AND position <= %s ORDER BY position",
                (first, first + TILE),
                prepare=True,
            )
            leaves = tiles.leaf_hashes(link for (link,) in cursor.fetchall())
        return tiles.expanded(leaves)[level][index - (first >> level)]

    def contradicts(self, checkpoint: Checkpoint, read: Reader | None) -> Bad | None:
        """Return where the history differs from a signed checkpoint, or None."""
        if checkpoint.size > self._events:
            return self._events + 1, f"missing: a checkpoint of {checkpoint.size} events was signed"
        if tree.root(self.node, checkpoint.size) == checkpoint.root:
            return None
        return self._last_agreed(checkpoint.size, read) + 1, f"differs from the checkpoint of {checkpoint.size} events"

    def contradicts_stored(self, read: Reader) -> Bad | None:
        """Return where the history differs from the newest stored checkpoint, or None."""
        note = checkpoints.latest(self._connection.cursor())
        try:
            return None if note is None else self.contradicts(read(note), read)
        except Refused as refused:
            return self._events, f"is the last event, but the newest stored checkpoint is not valid: {refused}"

    def _last_agreed(self, size: int, read: Reader | None) -> int:
        """Return the size of the last stored checkpoint below `size` that matches the history, or 0."""
        cursor = self._connection.cursor()
        cursor.execute("SELECT DISTINCT size FROM proof_checkpoints WHERE size < %s ORDER BY size", (size,))
        sizes, agreed = [row[0] for row in cursor.fetchall()], 0
        while sizes and read is not None:
            middle = len(sizes) // 2
            cursor.execute("SELECT note FROM proof_checkpoints WHERE size = %s", (sizes[middle],))
            try:
                stored = read(cursor.fetchall()[0][0])
            except Refused:
                del sizes[middle]
                continue
            if stored.size == sizes[middle] and tree.root(self.node, stored.size) == stored.root:
                agreed = stored.size
                del sizes[: middle + 1]
            else:
                del sizes[middle:]
        return agreed
