"""A reader who follows positions misses none, however many write; and this test would know if he did."""

from __future__ import annotations

import subprocess
import sys

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect

PROCESSES = 2
THREADS = 4
SECONDS = 1.0

# What the lock is for: positions from a sequence are taken in one order and become visible in another.
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


def missed_by_a_tailing_reader(url: str) -> tuple[int, int]:
    """How many events a reader missed while processes were writing, and how many there were."""
    writers = [
        subprocess.Popen([sys.executable, "-m", "tests.adapters.event_store.writing", url, str(SECONDS), str(THREADS)])
        for _ in range(PROCESSES)
    ]
    with Database(url, size=1) as database:
        log = EventLog(database)
        last = seen = 0
        while True:
            over = all(writer.poll() is not None for writer in writers)
            while page := log.batch(last, 1_000):
                seen += len(page)
                last = page[-1].position
            if over:
                break
        with database.connection() as connection:
            row = connection.execute("SELECT count(*), max(position) FROM events").fetchone()
    assert row is not None
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    return row[0] - seen, row[0]


def test_no_event_is_missed_and_no_position_left_out(migrated_url: str):
    missed, recorded = missed_by_a_tailing_reader(migrated_url)
    assert recorded > 200
    assert missed == 0
    with Database(migrated_url, size=1) as database:
        assert EventLog(database).head() == recorded


def test_a_recorder_without_the_lock_would_be_found_out(migrated_url: str):
    with connect(migrated_url) as connection:
        connection.execute(RECORDER_WITHOUT_A_LOCK)
    missed, _ = missed_by_a_tailing_reader(migrated_url)
    assert missed > 0
