"""A page of one ticket's history is read from an index, however long the history of other tickets is."""

from __future__ import annotations

from uuid import uuid4

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database, connect
from tests.benchmarks.world import write_history


def test_a_page_of_a_short_history_reads_no_event_of_others(database: Database):
    quiet = uuid4()
    write_history(database.url, 20, ticket=quiet)
    write_history(database.url, 2_000, ticket=uuid4())
    log = EventLog(database)
    assert len(log.ticket_page(quiet, 0, 100)) == 82
    with connect(database.url) as connection:
        # The plan must not depend on whether autovacuum has analysed the table.
        connection.execute("ANALYZE events")
        plan = "\n".join(
            line
            for (line,) in connection.execute(
                "EXPLAIN (ANALYZE, TIMING OFF) SELECT state FROM events"
                " WHERE (ticket, position) > (%s, 0) AND (ticket, position) <= (%s, %s)"
                " ORDER BY ticket, position LIMIT 100",
                (quiet, quiet, 2**62),
            ).fetchall()
        )
    assert "events_of_ticket" in plan
    assert "Rows Removed" not in plan
