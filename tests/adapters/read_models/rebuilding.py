"""A process that rebuilds the ticket status and stands still halfway, to be killed: `python -m … URL POSITION`."""

from __future__ import annotations

import sys
import time

from adapters.read_models import rebuild
from projections import ticket_status


def main(url: str, until: int) -> None:
    rebuild.PAGE_EVENTS = 10

    def progress(name: str, position: int, target: int) -> None:
        if position >= until:
            sys.stdout.write(f"{position}\n")
            sys.stdout.flush()
            time.sleep(60)

    rebuild.rebuild(url, ticket_status, progress)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
