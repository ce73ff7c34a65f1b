"""A process that appends as fast as it can, in several threads: `python -m … URL SECONDS THREADS`."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from adapters.event_store.log import EventLog
from adapters.postgres.database import Database
from tests.fakes.entries import entries


def main(url: str, seconds: float, threads: int) -> None:
    with Database(url, size=threads) as database, ThreadPoolExecutor(threads) as pool:
        until = time.monotonic() + seconds

        def write(_: int) -> None:
            log = EventLog(database)  # one each, so that they contend in the database and nowhere else
            while time.monotonic() < until:
                log.append(entries(2))

        list(pool.map(write, range(threads)))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
