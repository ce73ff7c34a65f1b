"""A process that rebuilds and stops at a position, to be killed there: `python -m … URL POSITION [partitioned]`.

It rebuilds the ticket status, or the donation ledger in two partitions.
"""

from __future__ import annotations

import sys
import time

from adapters.read_models import partitions, rebuild
from projections import donation_ledger, ticket_status


def main(url: str, until: int, *, partitioned: bool) -> None:
    rebuild.BATCH_EVENTS = 7 if partitioned else 10
    partitions.MIN_EVENTS, partitions.MAX_PROCESSES = 50 if partitioned else 1_000, 2

    def progress(name: str, position: int, target: int) -> None:
        if position >= until:
            sys.stdout.write(f"{position}\n")
            sys.stdout.flush()
            time.sleep(60)

    rebuild.rebuild(url, donation_ledger if partitioned else ticket_status, progress)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), partitioned="partitioned" in sys.argv)
