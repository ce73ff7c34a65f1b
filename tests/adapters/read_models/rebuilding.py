"""A process that rebuilds and stands still halfway, to be killed: `python -m … URL POSITION [shared]`.

It rebuilds the ticket status, or in two shares the donation ledger.
"""

from __future__ import annotations

import sys
import time

from adapters.read_models import partitions, rebuild
from projections import donation_ledger, ticket_status


def main(url: str, until: int, *, shared: bool) -> None:
    rebuild.BATCH_EVENTS = 7 if shared else 10
    partitions.WORTH_SHARING, partitions.MOST_PROCESSES = {donation_ledger.NAME: 50}, 2

    def progress(name: str, position: int, target: int) -> None:
        if position >= until:
            sys.stdout.write(f"{position}\n")
            sys.stdout.flush()
            time.sleep(60)

    rebuild.rebuild(url, donation_ledger if shared else ticket_status, progress)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), shared="shared" in sys.argv)
