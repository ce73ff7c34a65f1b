"""Several tickets and their totals are read in one round trip, and each has its own."""

from __future__ import annotations

import pytest

from adapters.ids import uuid7
from projections import donation_ledger, ticket_status, ticket_totals
from tests.money import Ledger
from tests.stripe_events import DAY


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def test_each_ticket_has_its_own_row_and_the_totals_that_it_has_alone(ledger):
    several, one, none, unknown = ledger.ticket(), ledger.ticket(), ledger.ticket(), uuid7()
    ledger.take(
        ledger.payment(several, currency="jpy").completed(DAY + 5),
        ledger.payment(several, currency="usd").completed(DAY),
        ledger.payment(several, currency="usd").completed(DAY + 9),
        ledger.payment(one, currency="eur").completed(DAY),
    )
    ledger.follow()
    with ledger.service.database.reading() as cursor:
        rows = ticket_totals.tickets_with_totals(cursor, [none, several, unknown, one])
        assert rows.keys() == {several, one, none}
        for ticket, row in rows.items():
            totals, last = row.pop(ticket_totals.SUMMARY)
            all_totals, whole_last = donation_ledger.summary(cursor, ticket)
            assert totals == all_totals
            assert last == (whole_last and {name: whole_last[name] for name in last})
            assert row == ticket_status.ticket(cursor, ticket)
