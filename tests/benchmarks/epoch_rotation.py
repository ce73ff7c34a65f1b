"""Measures how long a rotation of the epoch key takes, and its processor time in this process."""

from __future__ import annotations

import os
import time
from uuid import uuid4

from tests.benchmarks.report import Figure, Report
from tests.benchmarks.world import migrated, service_on

TICKETS = 100_000
GOAL_SECONDS = 60


def measure(report: Report, server_url: str) -> None:
    with migrated(server_url) as url, service_on(url) as service:
        keyring = service.history.keys._keyring
        with service.database.connection() as connection, connection.cursor() as cursor:
            with cursor.copy("COPY ticket_keys (ticket_id, wrapped, wrapped_by) FROM STDIN") as rows:
                for _ in range(TICKETS):
                    ticket = uuid4()
                    rows.write_row((ticket, keyring.seal(os.urandom(32), ticket.bytes), keyring.current))
            cursor.execute("VACUUM ANALYZE ticket_keys")
        started = time.process_time()
        rotated = service.jobs.epoch_rotation.rotate()
        print(f"        processor time of the command: {time.process_time() - started:.1f} s", flush=True)
    assert rotated.resealed == TICKETS
    label = f"rotation of the epoch key, {TICKETS} tickets"
    report.add(Figure(label, rotated.seconds, "s", GOAL_SECONDS, at_most=True))
