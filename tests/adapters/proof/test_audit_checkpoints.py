"""A change by a superuser is detected by the chain, the tree or a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
from psycopg import Connection

from adapters.postgres.database import connect
from adapters.proof import audit
from adapters.proof.audit import Verdict
from adapters.proof.checker import Checkpoint
from adapters.proof.checkpoints import Signer
from tests.adapters.proof.growing import SIGNER, grow, sign
from tests.benchmarks.world import write_history
from tests.postgres import fresh_database

# At least 430 events of tickets and donations fill more than one tile of the tree, and the last one in part.
GIFTS = 105
CHECKPOINTS = (100, 200, 300)

Superuser = Connection[Any]


class History:
    """A history with several signed checkpoints, which can be restored after a change."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.events = write_history(url, GIFTS, tickets=3)
        with connect(url) as connection:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.execute("CREATE TABLE later AS SELECT * FROM events")
            self.notes = [self._signed(connection, size) for size in (*CHECKPOINTS, self.events)]
            for table in ("events", "proof_tiles", "proof_checkpoints"):
                connection.execute(f"CREATE TABLE spare_{table} AS SELECT * FROM {table}".encode())

    def _signed(self, connection: Superuser, size: int) -> str:
        """Return the note that is signed when the history has this size."""
        connection.execute("TRUNCATE events")
        connection.execute("INSERT INTO events SELECT * FROM later WHERE position <= %s", (size,))
        return sign(self.url)

    def restore(self) -> None:
        with self.superuser() as connection:
            for table in ("events", "proof_tiles", "proof_checkpoints"):
                connection.execute(f"DELETE FROM {table}".encode())
                connection.execute(f"INSERT INTO {table} SELECT * FROM spare_{table}".encode())

    def superuser(self) -> Superuser:
        connection = connect(self.url)
        connection.execute("SET session_replication_role = replica")
        return connection

    def after(self, *changes: Callable[[Superuser], object], kept: Sequence[Checkpoint] = ()) -> Verdict:
        """Return the verdict after a superuser's changes, and undo the changes."""
        try:
            with self.superuser() as connection:
                for change in changes:
                    change(connection)
            return audit.verify(self.url, read=SIGNER.read, kept=kept)
        finally:
            self.restore()


@pytest.fixture(scope="module")
def history(server_url: str, migrated_template: str) -> Iterator[History]:
    with fresh_database(server_url, migrated_template) as url:
        yield History(url)


def test_an_unaltered_history_is_valid_and_has_the_signed_root(history: History):
    verdict = audit.verify(history.url, read=SIGNER.read, kept=[SIGNER.read(history.notes[0])])
    assert (verdict.ok, verdict.events) == (True, history.events)
    assert verdict.root == SIGNER.read(history.notes[-1]).root


# One byte.

# A column's bytes as they are hashed, and what they are put back as; the first bytes of a time are years that no
# calendar reaches, and the last byte of a position only moves an event to where another one is.
BYTES: dict[str, tuple[str, slice, Callable[[bytes], Any]]] = {
    "position": ("int8send(position)", slice(0, 7), lambda data: int.from_bytes(data, signed=True)),
    "stream": ("uuid_send(stream)", slice(None), bytes.hex),
    "version": ("int4send(version)", slice(None), lambda data: int.from_bytes(data, signed=True)),
    "topic": ("convert_to(topic, 'UTF8')", slice(None), bytes.decode),
    "ticket": ("uuid_send(ticket)", slice(None), bytes.hex),
    "recorded_at": ("timestamptz_send(recorded_at)", slice(2, None), lambda data: int.from_bytes(data, signed=True)),
    "state": ("state", slice(None), bytes),
    "hash": ("hash", slice(None), bytes),
}
SET = {"recorded_at": "timestamptz '2000-01-01 00:00:00+00' + %s * interval '1 microsecond'"}


def change_a_byte(connection: Superuser, random: Random, column: str, position: int) -> None:
    bytes_expression, places, to_column = BYTES[column]
    [(data,)] = connection.execute(
        f"SELECT {bytes_expression} FROM events WHERE position = %s".encode(), (position,)
    ).fetchall()
    place = random.choice(range(len(data))[places])
    turned = data[:place] + bytes([data[place] ^ 1 << random.randrange(7)]) + data[place + 1 :]
    statement = f"UPDATE events SET {column} = {SET.get(column, '%s')} WHERE position = %s"
    connection.execute(statement.encode(), (to_column(turned), position))


@pytest.mark.parametrize("seed", range(50))
def test_a_change_of_any_one_byte_is_found_and_located(history: History, seed: int):
    random = Random(seed)
    position, column = random.randint(1, history.events), [*BYTES, "state", "state"][seed % 10]
    verdict = history.after(lambda c: change_a_byte(c, random, column, position))
    assert verdict.first_bad == (position, "missing" if column == "position" else "does not match its hash")


# Whole events.


@pytest.mark.parametrize("seed", range(10))
def test_a_deleted_event_is_found_and_located(history: History, seed: int):
    position = Random(seed).randint(1, history.events - 1)
    verdict = history.after(lambda c: c.execute("DELETE FROM events WHERE position = %s", (position,)))
    assert verdict.first_bad == (position, "missing")
    assert verdict.events == position - 1


@pytest.mark.parametrize("removed", [1, 2, 60, 175, 400])
def test_a_cut_tail_is_found_and_located(history: History, removed: int):
    verdict = history.after(lambda c: c.execute("DELETE FROM events WHERE position > %s", (history.events - removed,)))
    remaining = history.events - removed
    assert verdict.first_bad == (remaining + 1, f"missing: the tree has {history.events} events")
    assert verdict.events == remaining


@pytest.mark.parametrize("removed", [1, 130, 400])
def test_a_cut_tail_is_found_by_a_checkpoint_though_the_tree_was_cut_too(history: History, removed: int):
    remaining = history.events - removed

    def cut(connection: Superuser) -> None:
        connection.execute("DELETE FROM events WHERE position > %s", (remaining,))
        connection.execute("DELETE FROM proof_tiles")
        grow(history.url)

    with_stored_checkpoints = history.after(cut)
    assert with_stored_checkpoints.first_bad == (
        remaining + 1,
        f"missing: a checkpoint of {history.events} events was signed",
    )
    with_given_checkpoint = history.after(cut, delete_checkpoints, kept=[SIGNER.read(history.notes[-1])])
    assert with_given_checkpoint.first_bad == with_stored_checkpoints.first_bad
    assert history.after(cut, delete_checkpoints).ok


def delete_checkpoints(connection: Superuser) -> None:
    connection.execute("DELETE FROM proof_checkpoints")


@pytest.mark.parametrize("seed", range(5))
def test_an_added_event_is_found_and_located(history: History, seed: int):
    position = Random(seed).randint(2, history.events)

    def add(connection: Superuser) -> None:
        """Insert a copy of another event at this position and recompute the hashes."""
        connection.execute("UPDATE events SET position = -position - 1 WHERE position >= %s", (position,))
        connection.execute("UPDATE events SET position = -position WHERE position < 0")
        connection.execute(
            "INSERT INTO events SELECT %s, gen_random_uuid(), 1, topic, ticket, recorded_at, state, hash"
            " FROM events WHERE position = 1",
            (position,),
        )

    assert history.after(add).first_bad == (position, "does not match its hash")
    assert history.after(add, rehashed_from(1)).first_bad == (position, "differs from the tree")


def test_an_event_added_at_the_end_is_found(history: History):
    def add(connection: Superuser) -> None:
        connection.execute(
            "INSERT INTO events SELECT %s, gen_random_uuid(), 1, topic, ticket, recorded_at, state, hash"
            " FROM events WHERE position = 1",
            (history.events + 1,),
        )

    assert history.after(add).first_bad == (history.events + 1, "does not match its hash")


@pytest.mark.parametrize("seed", range(5))
def test_reordered_events_are_found_and_located(history: History, seed: int):
    first, second = sorted(Random(seed).sample(range(1, history.events + 1), 2))

    def swap(connection: Superuser) -> None:
        for old, new in ((first, -1), (second, first), (-1, second)):
            connection.execute("UPDATE events SET position = %s WHERE position = %s", (new, old))

    assert history.after(swap).first_bad == (first, "does not match its hash")
    assert history.after(swap, rehashed_from(first)).first_bad == (first, "differs from the tree")


# Changes with all hashes recomputed.


def rehashed_from(position: int) -> Callable[[Superuser], None]:
    """Recompute every link from this position on, as only a superuser can."""

    def rehash(connection: Superuser) -> None:
        with connection.cursor(binary=True) as cursor:
            cursor.execute("SELECT hash FROM events WHERE position = %s", (position - 1,))
            row = cursor.fetchone()
            hash_ = row[0] if row else audit.GENESIS
            cursor.execute(audit.COVERED, (position - 1, 1_000_000))
            for at, covered, _ in cursor.fetchall():
                hash_ = hashlib.sha256(hash_ + covered).digest()
                cursor.execute("UPDATE events SET hash = %s WHERE position = %s", (hash_, at))

    return rehash


def altered(position: int) -> Callable[[Superuser], object]:
    """Change the content of one event."""
    return lambda c: c.execute(
        "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), 'actor', 'actxr'), 'UTF8')"
        " WHERE position = %s",
        (position,),
    )


def regrown(url: str) -> Callable[[Superuser], object]:
    def regrow(connection: Superuser) -> None:
        connection.execute("DELETE FROM proof_tiles")
        grow(url)

    return regrow


@pytest.mark.parametrize("position", [1, 100, 256, 257, 390])
def test_a_chain_with_recomputed_hashes_is_found_and_located_by_the_tree(history: History, position: int):
    verdict = history.after(altered(position), rehashed_from(position))
    assert verdict.first_bad == (position, "differs from the tree")


@pytest.mark.parametrize(("position", "agreed"), [(1, 0), (100, 0), (101, 100), (250, 200), (300, 200), (301, 300)])
def test_a_rebuilt_tree_is_found_by_stored_checkpoints_and_located_between_them(
    history: History, position: int, agreed: int
):
    verdict = history.after(altered(position), rehashed_from(position), regrown(history.url))
    assert verdict.first_bad == (agreed + 1, f"differs from the checkpoint of {history.events} events")


@pytest.mark.parametrize("position", [1, 150, 200])
def test_an_older_checkpoint_reveals_a_complete_rewrite(history: History, position: int):
    everything = (altered(position), rehashed_from(position), regrown(history.url), delete_checkpoints)
    older = SIGNER.read(history.notes[1])
    assert history.after(*everything, kept=[older]).first_bad == (1, "differs from the checkpoint of 200 events")
    assert history.after(*everything).ok
    # A checkpoint does not cover later events.
    later = (altered(201), rehashed_from(201), regrown(history.url), delete_checkpoints)
    assert history.after(*later, kept=[older]).ok


# Changes of the tree and the checkpoints.


@pytest.mark.parametrize(
    ("level", "index", "byte", "position"), [(0, 0, 0, 1), (0, 0, 32 * 9, 10), (0, 1, 33, 258), (1, 0, 5, 1)]
)
def test_a_change_in_the_tree_is_found(history: History, level: int, index: int, byte: int, position: int):
    def change(connection: Superuser) -> None:
        connection.execute(
            "UPDATE proof_tiles SET hashes = set_byte(hashes, %s, get_byte(hashes, %s) # 1)"
            " WHERE level = %s AND index = %s",
            (byte, byte, level, index),
        )

    assert history.after(change).first_bad == (position, "differs from the tree")


def test_a_missing_tile_is_found(history: History):
    verdict = history.after(lambda c: c.execute("DELETE FROM proof_tiles WHERE level = 0 AND index = 0"))
    assert verdict.first_bad == (1, "differs from the tree")


def test_a_tree_that_lacks_the_newest_events_is_valid(history: History):
    verdict = history.after(lambda c: c.execute("DELETE FROM proof_tiles WHERE index = 1"))
    assert verdict.ok


def test_a_forged_checkpoint_is_found(history: History):
    stranger = Signer(("x" * 40,), SIGNER.origin)
    forged = stranger.checkpoint(history.events, bytes(32))

    def forge(connection: Superuser) -> None:
        connection.execute("UPDATE proof_checkpoints SET note = %s WHERE size = %s", (forged, history.events))

    verdict = history.after(forge)
    assert verdict.first_bad is not None
    assert "not signed by any of the given keys" in verdict.first_bad[1]


def test_the_first_of_several_faults_is_reported(history: History):
    verdict = history.after(
        altered(40), rehashed_from(40), lambda c: c.execute("DELETE FROM events WHERE position = 90")
    )
    assert verdict.first_bad == (40, "differs from the tree")
    verdict = history.after(altered(90), lambda c: c.execute("DELETE FROM events WHERE position = 400"))
    assert verdict.first_bad == (90, "does not match its hash")
