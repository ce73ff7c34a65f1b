"""A process that appends events from several threads: `python -m … URL APPENDS THREADS`, two events an append."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from tests.fakes.entries import entries


def main(url: str, appends: int, threads: int) -> None:
    with Database(url, size=threads) as database, ThreadPoolExecutor(threads) as pool:

        def write(_: int) -> None:
            log = EventLog(database)  # one for each thread, so that they contend only in the database
            for _ in range(appends):
                log.append(entries(2))

        list(pool.map(write, range(threads)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
