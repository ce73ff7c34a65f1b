"""Donations are found over all tickets of a workspace, page by page, as a plain filter of the ledger finds them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters.postgres.database import Database
from domain.donations import donation_stream
from domain.events import CheckoutExpired, CheckoutRequested, PaymentReceived, TicketEvent
from domain.values import STRIPE, SYSTEM, DonationStatus, Donor, Money, StripeReport
from projections import gift_search
from projections.donation_ledger import DONATIONS
from projections.gift_search import GiftSearch, gifts
from projections.model import Row, fetched_rows
from tests.fakes.events import make_event
from tests.projections.conftest import RecordAndFold, opened

DAY = datetime(2026, 3, 1, tzinfo=UTC)
TICKETS = [UUID(int=number) for number in (1, 2, 3)]
AMOUNTS = [Money(5_000, "USD"), Money(5_000, "EUR"), Money(50, "JPY"), Money(777, "USD")]


def events_of(number: int) -> list[TicketEvent]:
    """Return the events of one donation; some are paid, some on the same day, some expired, some neither."""
    ticket, donation, amount = TICKETS[number % 3], UUID(int=1_000 + number), AMOUNTS[number % 4]
    place = {"ticket_id": ticket, "donation_id": donation}
    report = StripeReport(f"evt_{number}", int((DAY + timedelta(days=number // 3)).timestamp()))
    stream = donation_stream(ticket, donation)
    requested = make_event(CheckoutRequested, stream, 1, actor=SYSTEM, amount=amount, **place)
    if number % 5 == 0:
        return [requested]
    if number % 7 == 0:
        return [
            requested,
            make_event(CheckoutExpired, stream, 2, actor=STRIPE, session_id="cs", report=report, **place),
        ]
    donor = Donor(None, "US", f"name:{number % 6}")
    fields = {"payment_intent_id": f"pi_{number}", "amount": amount, "donor": donor, "report": report}
    return [requested, make_event(PaymentReceived, stream, 2, actor=STRIPE, **fields, **place)]


@pytest.fixture
def ledger(database: Database, record_and_fold: RecordAndFold) -> list[Row]:
    """Fill a ledger of two workspaces, and return its rows."""
    record_and_fold(*(opened(ticket, "x", "ngo" if ticket == TICKETS[2] else "public") for ticket in TICKETS))
    record_and_fold(*(event for number in range(40) for event in events_of(number)))
    with database.reading() as cursor:
        cursor.execute(
            "INSERT INTO donor_addresses"
            " SELECT donation_id, email_hash FROM read.donation_ledger WHERE email_hash IS NOT NULL"
        )
        # Each donor's name is another word, and one of two that many have.
        cursor.execute(
            "INSERT INTO donor_names SELECT donation_id, word, ticket_id FROM read.donation_ledger,"
            " unnest(ARRAY[email_hash, 'ada:' || right(email_hash, 1)::integer % 2]) AS word"
            " WHERE email_hash IS NOT NULL"
        )
        cursor.execute("SELECT * FROM read.donation_ledger")
        return fetched_rows(cursor, DONATIONS.columns)


def dated_at(row: Row) -> datetime:
    at: datetime = row["paid_at"] or row["created_at"]
    return at


SEARCHES: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
    ({}, lambda row: True),
    ({"ticket_id": TICKETS[0]}, lambda row: row["ticket_id"] == TICKETS[0]),
    ({"status": DonationStatus.PAID}, lambda row: row["status"] == "PAID"),
    ({"status": DonationStatus.EXPIRED}, lambda row: row["status"] == "EXPIRED"),
    ({"currency": "EUR"}, lambda row: row["currency"] == "EUR"),
    ({"amounts": [Money(5_000, "USD")]}, lambda row: (row["amount"], row["currency"]) == (5_000, "USD")),
    (
        {"amounts": [Money(50, "JPY"), Money(5_000, "USD"), Money(5_000, "EUR")]},
        lambda row: row["amount"] == (50 if row["currency"] == "JPY" else 5_000),
    ),
    ({"since": DAY + timedelta(days=4)}, lambda row: dated_at(row) >= DAY + timedelta(days=4)),
    ({"until": DAY + timedelta(days=4)}, lambda row: dated_at(row) < DAY + timedelta(days=4)),
    ({"email_hashes": ["older:3", "name:3"]}, lambda row: row["email_hash"] == "name:3"),
    (
        {"status": DonationStatus.PAID, "currency": "USD", "until": DAY + timedelta(days=9)},
        lambda row: row["status"] == "PAID" and row["currency"] == "USD" and dated_at(row) < DAY + timedelta(days=9),
    ),
    ({"name_hashes": [["older:ada", "ada:1"]]}, lambda row: row["email_hash"] in ("name:1", "name:3", "name:5")),
    ({"name_hashes": [["ada:1"], ["name:3"]]}, lambda row: row["email_hash"] == "name:3"),
]


@pytest.mark.parametrize("workspace", [None, "public", "ngo", "nobodys"])
@pytest.mark.parametrize("number", range(len(SEARCHES)))
def test_the_pages_of_a_search_have_what_a_plain_filter_finds(
    database: Database,
    ledger: list[Row],
    number: int,
    workspace: str | None,
    monkeypatch: pytest.MonkeyPatch,
):
    fields, fits = SEARCHES[number]
    search = GiftSearch(workspace, **fields)
    expected = [row for row in ledger if fits(row) and workspace in (None, row["workspace"])]
    latest_first = sorted(expected, key=lambda row: (dated_at(row), row["donation_id"]), reverse=True)
    # With names that are looked up, and with frequent ones.
    for most_looked_up in (gift_search.MOST_LOOKED_UP, 5):
        monkeypatch.setattr(gift_search, "MOST_LOOKED_UP", most_looked_up)
        listed = pages(database, search)
        assert [row["donation_id"] for row in listed] == [row["donation_id"] for row in latest_first]
        assert {row["workspace"] for row in listed} <= ({workspace} if workspace else {"public", "ngo"})


def pages(database: Database, search: GiftSearch) -> list[Row]:
    """Return the donations of all pages of seven."""
    listed: list[Row] = []
    with database.reading() as cursor:
        while page := gifts(cursor, search, 7, (listed[-1]["dated_at"], listed[-1]["donation_id"]) if listed else None):
            listed += page
            assert len(page) <= 7
    return listed
