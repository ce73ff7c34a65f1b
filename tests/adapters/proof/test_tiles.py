"""The tree in PostgreSQL does not depend on how it grew, and its complete tiles are never rewritten."""

from __future__ import annotations

import hashlib
import threading
from random import Random

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.postgres.database import Database, connect
from adapters.proof import tiles, tree
from adapters.proof.checker import EMPTY_ROOT, check_consistency, leaf_hash, root_above
from adapters.proof.tiles import TILE, BrokenProofError, Tiles, expanded
from tests.adapters.proof.growing import append, grow


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(hashlib.sha256(number.to_bytes(8)).digest()) for number in range(count)]


def links(url: str) -> list[bytes]:
    with connect(url) as connection:
        return [bytes(row[0]) for row in connection.execute("SELECT hash FROM events ORDER BY position")]


def stored_tiles(url: str) -> list[tuple[int, int, bytes]]:
    with connect(url) as connection:
        return connection.execute("SELECT level, index, hashes FROM proof_tiles ORDER BY level, index").fetchall()


def root(url: str, size: int) -> bytes:
    with connect(url) as connection:
        return tree.root(Tiles(connection.cursor(binary=True)).node, size)


def test_an_empty_history_has_the_empty_tree(migrated_url: str):
    assert grow(migrated_url) == 0
    assert root(migrated_url, 0) == EMPTY_ROOT


def test_a_leaf_is_the_hash_of_an_events_link(database: Database):
    append(database, [1])
    grow(database.url)
    assert root(database.url, 1) == leaf_hash(links(database.url)[0])


def test_the_tree_covers_all_links_in_order_for_any_batches(database: Database):
    for size in (1, 3, 252, 1, 300):
        append(database, [size])
        leaves = links(database.url)
        assert grow(database.url) == len(leaves)
        levels = expanded([leaf_hash(link) for link in leaves])
        assert root(database.url, len(leaves)) == tree.root(lambda level, index: levels[level][index], len(leaves))  # noqa: B023


def test_growing_a_complete_tree_changes_nothing(database: Database):
    append(database, [5, 300])
    grow(database.url)
    before = stored_tiles(database.url)
    with connect(database.url) as connection:
        assert tiles.grow(connection) == 0
    assert stored_tiles(database.url) == before


def test_a_tree_grown_in_steps_equals_one_grown_at_once(database: Database):
    append(database, [1] * 3 + [256, 400])
    with connect(database.url) as connection:
        while tiles.grow(connection, 7):
            pass
        stepwise = stored_tiles(database.url)
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM proof_tiles")
    grow(database.url)
    assert stored_tiles(database.url) == stepwise


@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_tiles_hold_the_same_hashes_whatever_the_steps(migrated_url: str, sizes: list[int]):
    everything = leaves(sum(sizes))
    with connect(migrated_url) as connection, connection.cursor(binary=True) as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM proof_tiles")
        tree_size = 0
        for step in sizes:
            tiles._extend(cursor, tree_size, everything[tree_size : tree_size + step])
            tree_size += step
            assert tiles.size(cursor) == tree_size
        levels = expanded(everything)
        assert tree.root(Tiles(cursor).node, tree_size) == tree.root(lambda level, at: levels[level][at], tree_size)


def test_a_large_tree_is_read_in_a_few_tiles(migrated_url: str):
    """Three levels of tiles: 70,000 leaves."""
    size, random = 70_000, Random(1)
    everything = leaves(size)
    with connect(migrated_url) as connection, connection.cursor(binary=True) as cursor:
        tree_size = 0
        while tree_size < size:
            step = random.randint(1, 20_000)
            tiles._extend(cursor, tree_size, everything[tree_size : tree_size + step])
            tree_size = min(size, tree_size + step)
        root = tree.root(Tiles(cursor).node, size)
        for _ in range(20):
            index, old = random.randrange(size), random.randrange(1, size)
            reader = Tiles(cursor)
            assert root_above(everything[index], index, size, tree.inclusion(reader.node, index, size)) == root
            assert reader._tile.cache_info().misses <= 5
            reader = Tiles(cursor)
            before = tree.root(Tiles(cursor).node, old)
            check_consistency(old, before, size, root, tree.consistency(reader.node, old, size))
            assert reader._tile.cache_info().misses <= 5


def test_concurrent_processes_grow_one_tree(database: Database):
    stop = threading.Event()

    def follow() -> None:
        with connect(database.url) as connection:
            while not stop.is_set():
                tiles.grow(connection, 9)

    followers = [threading.Thread(target=follow) for _ in range(3)]
    for follower in followers:
        follower.start()
    append(database, [1, 7, 2] * 40)
    stop.set()
    for follower in followers:
        follower.join()
    grow(database.url)
    leaves = links(database.url)
    levels = expanded([leaf_hash(link) for link in leaves])
    assert root(database.url, len(leaves)) == tree.root(lambda level, index: levels[level][index], len(leaves))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE proof_tiles SET hashes = set_byte(hashes, 3, get_byte(hashes, 3) # 1)",
        "UPDATE proof_tiles SET hashes = substr(hashes, 1, 32)",
        "UPDATE proof_tiles SET index = index + 1",
        "DELETE FROM proof_tiles",
        "TRUNCATE proof_tiles",
        "DELETE FROM proof_checkpoints",
        "UPDATE proof_checkpoints SET note = ''",
        "TRUNCATE proof_checkpoints",
    ],
)
def test_the_tree_only_grows(database: Database, statement: str):
    append(database, [TILE + 3])
    grow(database.url)
    with connect(database.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
        connection.execute(statement.encode())


def test_a_tree_does_not_grow_over_a_gap(database: Database):
    append(database, [5])
    with connect(database.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM events WHERE position = 3")
        with pytest.raises(BrokenProofError):
            tiles.grow(connection)
        assert tiles.size(connection.cursor(binary=True)) == 0


def test_a_tree_with_a_missing_tile_neither_grows_nor_proves(database: Database):
    append(database, [2 * TILE + 5])
    grow(database.url)
    with connect(database.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM proof_tiles WHERE level = 1")
        append(database, [TILE])
        with pytest.raises(BrokenProofError):
            tiles.grow(connection)
        with pytest.raises(BrokenProofError):
            tree.inclusion(Tiles(connection.cursor(binary=True)).node, 1, 2 * TILE)


def test_an_append_never_waits_for_the_tree(database: Database):
    with connect(database.url) as connection, connection.transaction():
        tiles.lock(connection.cursor())
        append(database, [1])
        assert len(links(database.url)) == 1
