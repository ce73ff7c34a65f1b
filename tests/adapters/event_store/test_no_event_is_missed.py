"""A reader that follows positions misses no event, however many processes write."""

from __future__ import annotations

import subprocess
import sys

from adapters.event_store import log as event_log
from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from tests.fakes.entries import entry

PROCESSES = 2
THREADS = 4
APPENDS = 25  # with two events each, in each thread

# The lock is needed because positions of a sequence may be taken in one order and become visible in another.
RECORDER_WITHOUT_A_LOCK = """
CREATE SEQUENCE positions;
CREATE OR REPLACE FUNCTION append_events(
    groups integer[], streams uuid[], versions integer[], topics text[], tickets uuid[], states bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    taken bigint[];
BEGIN
    WITH recorded AS (
        INSERT INTO events (position, stream, version, topic, ticket, recorded_at, state, hash)
        SELECT nextval('positions'), e.s, e.v, e.t, e.k, clock_timestamp(), e.b, ''
          FROM unnest(streams, versions, topics, tickets, states) AS e (s, v, t, k, b)
        RETURNING position
    ) SELECT array_agg(position ORDER BY position) INTO taken FROM recorded;
    RETURN taken;
END
$$
"""


def test_a_reader_that_follows_many_writers_misses_no_event_and_no_position(migrated_url: str):
    command = [sys.executable, "-m", "tests.adapters.event_store.writing", migrated_url, str(APPENDS), str(THREADS)]
    writers = [subprocess.Popen(command) for _ in range(PROCESSES)]
    positions: list[int] = []
    with Database(migrated_url, size=1) as database:
        log = EventLog(database)
        while True:
            ended = all(writer.poll() is not None for writer in writers)
            while batch := log.batch(positions[-1] if positions else 0, 1_000):
                positions += [entry.position for entry in batch]
            if ended:
                break
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    assert positions == list(range(1, PROCESSES * THREADS * APPENDS * 2 + 1))


def test_without_the_lock_a_reader_would_miss_an_event(migrated_url: str):
    with connect(migrated_url) as slow, connect(migrated_url) as fast, Database(migrated_url, size=1) as database:
        slow.execute(RECORDER_WITHOUT_A_LOCK)
        with slow.transaction(), slow.cursor() as cursor:
            assert event_log.append(cursor, [[entry()]]) == [[1]]
            with fast.cursor() as other:
                assert event_log.append(other, [[entry()]]) == [[2]]
            visible_events = EventLog(database).batch(0, 1_000)
        assert [stored.position for stored in visible_events] == [2]
        assert EventLog(database).batch(2, 1_000) == []
