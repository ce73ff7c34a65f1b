"""The history verified from the stored bytes: an event changed, missing, added or moved shows, and where.

Three witnesses, each harder to deceive than the one before: the chain of hashes in the events' own rows, the Merkle
tree that was made while they were new (`adapters/proof`), and signed checkpoints, which nobody without the key can
make anew. A checkpoint that was kept elsewhere contradicts even somebody who rewrote all three.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from adapters.postgres.database import connect
from adapters.proof import checkpoints, tiles, tree
from adapters.proof.checker import Checkpoint, Refused, leaf_hash
from adapters.proof.tiles import HASH_BYTES, HEIGHT, TILE

GENESIS = bytes(32)
PAGE_EVENTS = 10_000
# Where reading begins: positions are counted from 1, but somebody may have put an event before it.
BEFORE_ALL = -(2**63)

# What one link covers, in the order of `chain_hash` in the first migration; all of it as stored.
COVERED = """
SELECT position,
       int8send(position) || uuid_send(stream) || int4send(version) || uuid_send(ticket)
       || timestamptz_send(recorded_at) || int4send(octet_length(topic)) || convert_to(topic, 'UTF8') || state,
       hash
  FROM events WHERE position > %s ORDER BY position LIMIT %s
"""

Bad = tuple[int, str]
# Gives the checkpoint in a signed note, or raises Refused.
Reader = Callable[[str], Checkpoint]


@dataclass(frozen=True)
class Verdict:
    """What verifying found: how many links hold, and the first position that does not, with the reason.

    `head` is the last link that holds. `root` is the tree's over all events, where they are as they should be.
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
    since: Checkpoint | None = None,
) -> Verdict:
    """Recompute every link and the tree in one consistent view; `progress` is told the position reached.

    With `read` the newest kept checkpoint must be one that it takes, and be true. `since` is a checkpoint from
    outside whose signature was checked: the history must be a continuation of it.
    """
    with connect(url, statement_seconds=0, name="storyledger audit") as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        chain, grown = _Chain(), _Tree(connection)
        bad = None
        for page, kept in _Pages(connection):
            bad = grown.take(chain.take(page), kept)
            if bad or chain.bad:
                break
            progress(chain.events)
        # What the tree says of the events before a broken link comes first.
        bad = bad or grown.end() or chain.bad or grown.beyond()
        if read is not None:
            bad = bad or grown.contradicted_by_kept(read)
        if since is not None:
            bad = bad or grown.contradicts(since, read)
        if bad:
            return Verdict(min(bad[0] - 1, chain.events), bad, chain.head)
        return Verdict(chain.events, None, chain.head, tree.root(grown.node, chain.events))


Row = tuple[int, bytes, bytes]  # position, what its link covers, and the link
Tiles = dict[int, bytes]


class _Pages:
    """Reads the events and the kept tree beside them, a page ahead: the database works while we hash."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection

    def __iter__(self) -> Iterator[tuple[list[Row], Tiles]]:
        with ThreadPoolExecutor(max_workers=1) as ahead:
            reading = ahead.submit(self._read, 0)
            while (page := reading.result())[0]:
                reading = ahead.submit(self._read, page[0][-1][0])
                yield page

    def _read(self, last: int) -> tuple[list[Row], Tiles]:
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(COVERED, (last or BEFORE_ALL, PAGE_EVENTS), prepare=True)
            rows = cursor.fetchall()
            return rows, kept_tiles(cursor, 0, last // TILE, (last + len(rows)) // TILE + 1)


def kept_tiles(cursor: Cursor[TupleRow], level: int, first: int, end: int) -> Tiles:
    """The kept tiles of a level from the first on, up to but without the last."""
    cursor.execute(
        "SELECT index, hashes FROM proof_tiles WHERE level = %s AND index >= %s AND index < %s",
        (level, max(0, first), max(0, end)),
        prepare=True,
    )
    return dict(cursor.fetchall())


class _Chain:
    """The links recomputed up to the first that does not hold; `bad` says why there are no more."""

    def __init__(self) -> None:
        self.events = 0
        self.head = GENESIS
        self.bad: Bad | None = None

    def take(self, page: list[Row]) -> list[bytes]:
        """Links of the page that hold, in order of position."""
        sha256, expected, last = hashlib.sha256, self.head, self.events
        links = []
        for position, covered, stored in page:
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
            self.events, self.head = last, links[-1]
        return links


class _Tree:
    """The tree recomputed from the links, and held against the one that is kept."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._connection = connection
        with connection.cursor(binary=True) as cursor:
            self._kept = tiles.size(cursor)
        self._events = 0
        self._begun = b""
        self._roots: list[bytes] = []
        self._above: list[list[bytes]] = []

    def take(self, links: list[bytes], kept: Tiles) -> Bad | None:
        """Go on with these; the first of all so far that is not in the kept tree as it is here."""
        self._events += len(links)
        first, size, sha256 = len(self._roots), TILE * HASH_BYTES, hashlib.sha256
        # As `leaf_hash` does, without a call for each of them.
        hashes = self._begun + b"".join([sha256(b"\x00" + link).digest() for link in links])
        found = [hashes[start : start + size] for start in range(0, len(hashes), size)]
        self._begun = found.pop() if found and len(found[-1]) < size else b""
        self._roots += [tiles.tile_root(tile) for tile in found]
        return self._compare(0, first, found, kept)

    def end(self) -> Bad | None:
        """The same once there are no more."""
        self._above = tiles.expanded(self._roots)
        last = len(self._roots)
        bad = self._compare(0, last, [self._begun] if self._begun else [], self._kept_tiles(0, last, last + 1))
        level = 1
        while bad is None and (entries := min(self._kept, self._events) >> HEIGHT * level):
            hashes = self._above[HEIGHT * (level - 1)][:entries]
            parts = [b"".join(hashes[start : start + TILE]) for start in range(0, entries, TILE)]
            bad = self._compare(level, 0, parts, self._kept_tiles(level, 0, len(parts)))
            level += 1
        return bad

    def beyond(self) -> Bad | None:
        """Events that are gone from the end although the tree knows them."""
        return (self._events + 1, f"missing: the tree has {self._kept} events") if self._kept > self._events else None

    def _kept_tiles(self, level: int, first: int, end: int) -> Tiles:
        with self._connection.cursor(binary=True) as cursor:
            return kept_tiles(cursor, level, first, end)

    def _compare(self, level: int, first: int, found: list[bytes], kept: Tiles) -> Bad | None:
        """Hold tiles against the kept ones, from tile `first` on, as far as the kept tree goes."""
        kept_entries = self._kept >> HEIGHT * level
        for index, tile in enumerate(found, first):
            length = HASH_BYTES * max(0, min(TILE, kept_entries - index * TILE))
            ours, theirs = tile[:length], kept.get(index, b"")
            if len(ours) < length:
                theirs = theirs[: len(ours)]
            if ours != theirs:
                pairs = zip(tiles.cut(ours), tiles.cut(theirs), strict=False)
                same = next((n for n, (left, right) in enumerate(pairs) if left != right), None)
                entry = index * TILE + (min(len(ours), len(theirs)) // HASH_BYTES if same is None else same)
                return (entry << HEIGHT * level) + 1, "differs from the tree"
        return None

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree, once all events were taken."""
        if level >= HEIGHT:
            return self._above[level - HEIGHT][index]
        first = (index << level) // TILE * TILE
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(
                "SELECT hash FROM events WHERE position > %s AND position <= %s ORDER BY position",
                (first, first + TILE),
                prepare=True,
            )
            leaves = [leaf_hash(link) for (link,) in cursor.fetchall()]
        return tiles.expanded(leaves)[level][index - (first >> level)]

    def contradicts(self, checkpoint: Checkpoint, read: Reader | None) -> Bad | None:
        """Where the history is not the one that was signed."""
        if checkpoint.size > self._events:
            return self._events + 1, f"missing: a checkpoint of {checkpoint.size} events was signed"
        if tree.root(self.node, checkpoint.size) == checkpoint.root:
            return None
        return self._last_agreed(checkpoint.size, read) + 1, f"differs from the checkpoint of {checkpoint.size} events"

    def contradicted_by_kept(self, read: Reader) -> Bad | None:
        """The same for the newest checkpoint that is kept."""
        note = checkpoints.latest(self._connection.cursor())
        try:
            return None if note is None else self.contradicts(read(note), read)
        except Refused as refused:
            return self._events, f"is the last of a history whose newest kept checkpoint is no good: {refused}"

    def _last_agreed(self, size: int, read: Reader | None) -> int:
        """The size of the last kept checkpoint before that one which is true here; what comes after it differs."""
        cursor = self._connection.cursor()
        cursor.execute("SELECT DISTINCT size FROM proof_checkpoints WHERE size < %s ORDER BY size", (size,))
        sizes, agreed = [row[0] for row in cursor.fetchall()], 0
        while sizes and read is not None:
            middle = len(sizes) // 2
            cursor.execute("SELECT note FROM proof_checkpoints WHERE size = %s", (sizes[middle],))
            try:
                kept = read(cursor.fetchall()[0][0])
            except Refused:
                del sizes[middle]
                continue
            if kept.size == sizes[middle] and tree.root(self.node, kept.size) == kept.root:
                agreed = kept.size
                del sizes[: middle + 1]
            else:
                del sizes[middle:]
        return agreed
