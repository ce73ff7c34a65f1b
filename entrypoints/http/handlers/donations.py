"""Handlers for donations: checkouts, the ledger and its totals, now or as of an earlier time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.commands.checkouts import CheckoutCommands
from domain.errors import AmountError
from domain.ports import QrCodes
from domain.values import Money
from entrypoints.http.bodies import PaymentOrder
from entrypoints.http.handlers.preconditions import if_match
from entrypoints.http.handlers.qr_codes import qr_data_url
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import ResultPage, parse_id, requested_page
from entrypoints.http.problems import invalid
from entrypoints.http.query import flag_parameter, parse_time, time_parameter
from entrypoints.presentation.donations import Donation, DonationPage, DonationTotals, OpenedCheckout
from entrypoints.presentation.past_ledger import past_donations, past_ledger, past_totals, sort_key, sort_key_of
from entrypoints.presentation.responses import utc
from projections import donation_ledger, ticket_totals
from projections.model import Row


@dataclass(frozen=True)
class DonationHandlers:
    commands: CheckoutCommands
    qr_codes: QrCodes
    page_url: Callable[[str], str]

    def create_payment(self, call: Call, body: PaymentOrder) -> OpenedCheckout:
        # A stale version is refused; a checkout does not depend on the version otherwise.
        if_match(call)
        url = self.page_url(call.ticket["slug"])
        checkout = self.commands.open(
            call.principal.actor,
            call.ticket_id,
            call.seed.id("donation"),
            money(body.amount, body.currency),
            body.description,
            return_url=url,
        )
        return OpenedCheckout(
            checkout_session_id=checkout.session_id,
            checkout_url=checkout.url,
            qr_code_data=qr_data_url(self.qr_codes, url),
            target_url=url,
            donation_id=checkout.donation_id,
            expires_at=utc(checkout.expires_at),
        )

    def list_donations(self, call: Call) -> Answer[DonationPage]:
        page = requested_page(call)
        as_of, known_at = time_parameter(call, "as_of"), time_parameter(call, "known_at")
        if as_of is None and known_at is None:
            rows, count = _present_donations(call, page)
        else:
            rows, count = _past_donations(call, page, as_of, known_at)
        personal = call.personal_data()
        donations = [Donation.from_row(row, personal) for row in page.cut(personal.preload(rows), _key)]
        return page.answer(DonationPage(True, call.ticket_id, count, donations, page.next_cursor))

    def totals(self, call: Call) -> DonationTotals:
        as_of, known_at = time_parameter(call, "as_of"), time_parameter(call, "known_at")
        explain = flag_parameter(call, "explain")
        ticket, personal = call.ticket, call.personal_data()
        if as_of is not None or known_at is not None:
            ledger = past_ledger(call.reads.ticket_history(call.ticket_id), as_of, known_at)
            return past_totals(ticket, ledger, personal, explain=explain)
        # The query of the access check has read the totals too, unless there is a replica or it had to fold events.
        if ticket_totals.SUMMARY in ticket and not explain:
            totals, last = ticket[ticket_totals.SUMMARY]
            return DonationTotals.from_rows(ticket, totals, last, None, personal)
        (totals, last), entries = call.reads.ask(
            lambda cursor: (
                donation_ledger.summary(cursor, call.ticket_id),
                donation_ledger.entries(cursor, call.ticket_id) if explain else None,
            )
        )
        return DonationTotals.from_rows(ticket, totals, last, entries, personal)


def money(amount: Decimal, currency: str) -> Money:
    """Return the amount as money, or raise Problem 422 if it has more decimals than the currency."""
    try:
        return Money.of(amount, currency)
    except AmountError as error:
        raise invalid("/amount", error.detail, error.code) from None


def _present_donations(call: Call, page: ResultPage) -> tuple[Sequence[Row], int]:
    """Return up to one row more than the page holds, and the number of all donations."""
    after = page.after_key(_parse_key)
    rows, totals = call.reads.ask(
        lambda cursor: (
            donation_ledger.donations(cursor, call.ticket_id, page.limit + 1, after),
            donation_ledger.totals(cursor, call.ticket_id),
        )
    )
    return rows, sum(total[column] for total in totals for column in donation_ledger.COUNT_COLUMNS.values())


def _past_donations(
    call: Call, page: ResultPage, as_of: datetime | None, known_at: datetime | None
) -> tuple[Sequence[Row], int]:
    rows = past_donations(past_ledger(call.reads.ticket_history(call.ticket_id), as_of, known_at))
    after = page.after_key(_parse_key)
    return [row for row in rows if after is None or sort_key(row) < sort_key_of(*after)][: page.limit + 1], len(rows)


def _key(row: Row) -> tuple[str | None, str, str]:
    return row["paid_at"] and row["paid_at"].isoformat(), row["created_at"].isoformat(), str(row["donation_id"])


def _parse_key(paid_at: str | None, created_at: str, donation_id: str) -> tuple[datetime | None, datetime, UUID]:
    return None if paid_at is None else parse_time(paid_at), parse_time(created_at), parse_id(donation_id)
