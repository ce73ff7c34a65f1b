"""Measures a page of the donations over all tickets, with each way to search them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from uuid import UUID

import projections
from adapters.postgres.database import connect
from adapters.read_models import rebuild
from domain.values import DonationStatus, Money
from projections.gift_search import GiftSearch, PageEnd, gifts
from tests.benchmarks.report import Figure, Report, percentile, processor_milliseconds
from tests.benchmarks.world import migrated, write_history

TICKETS = 1_000
PAGE = 100
MIDDLE = datetime.fromtimestamp(1_760_050_000, UTC)
SEARCHES: dict[str, tuple[GiftSearch, PageEnd | None]] = {
    "the first page": (GiftSearch("public"), None),
    "a page in the middle": (GiftSearch("public"), (MIDDLE, UUID(int=0))),
    "of all workspaces": (GiftSearch(), None),
    "by status": (GiftSearch("public", status=DonationStatus.DISPUTED), None),
    "by amount": (GiftSearch("public", amounts=[Money(4_321, "USD"), Money(432_100, "JPY")]), None),
    "by the name of 1 % of the donors": (GiftSearch("public", name_hashes=[["name:7"]]), None),
    "by the name of 2 % of the donors": (GiftSearch("public", name_hashes=[["fiftieth:7"]]), None),
    "by the name of 20 % of the donors": (GiftSearch("public", name_hashes=[["fifth:2"]]), None),
    "by the donor's address": (GiftSearch("public", email_hashes=["hash:4321"]), None),
    "by period": (GiftSearch("public", since=MIDDLE, until=MIDDLE + timedelta(minutes=10)), None),
}


def measure(report: Report, server_url: str, count: int) -> None:
    with migrated(server_url) as url:
        write_history(url, count, TICKETS)
        rebuild.rebuild_all(url, projections.ALL, lambda *_: None)
        with connect(url, statement_seconds=0) as connection, connection.cursor() as cursor:
            # One of a hundred, fifty and five donors has the same name, and twenty gifts come from the same address.
            for word, share in (("name", 100), ("fiftieth", 50), ("fifth", 5)):
                cursor.execute(
                    "INSERT INTO donor_names SELECT donation_id, %s || ':' || paid %% %s, ticket_id"
                    " FROM read.donation_ledger",
                    (word, share),
                )
            cursor.execute(
                "INSERT INTO donor_addresses SELECT donation_id, 'hash:' || paid % 5000 FROM read.donation_ledger"
            )
            cursor.execute(
                "SELECT schemaname FROM pg_tables WHERE tablename = 'donation_ledger' AND schemaname LIKE 'read_%'"
            )
            for (schema,) in cursor.fetchall():
                cursor.execute(f"VACUUM ANALYZE {schema}.donation_ledger".encode())
            cursor.execute("VACUUM ANALYZE donor_names")
            cursor.execute("VACUUM ANALYZE donor_addresses")
            for label, (search, after) in SEARCHES.items():
                work = partial(gifts, cursor, search, PAGE, after)
                spent = processor_milliseconds(work, [connection.info.backend_pid])
                what = f"{PAGE} of {count:,} donations, processor time: {label}"
                also = f"95th percentile {percentile(spent, 0.95):.1f}"
                report.add(Figure(f"{what} ({also})", median(spent), "ms", 20, at_most=True))
