"""Operations on donations and their exports."""

from functools import partial
from typing import get_args

from domain.values import CURRENCIES, DonationStatus
from entrypoints.composition.exports import Format
from entrypoints.http import bodies
from entrypoints.http.handlers.donations import DonationHandlers
from entrypoints.http.handlers.donor_words import DonorWordsHandlers, WordsChange
from entrypoints.http.handlers.donors import DonorHandlers
from entrypoints.http.handlers.exports import export_donations
from entrypoints.http.handlers.gift_search import GiftSearchHandlers
from entrypoints.http.operations import Operation, Parameter, RateLimit, choice_schema
from entrypoints.http.problems import PROBLEM_MEDIA_TYPE
from entrypoints.http.table import pages
from entrypoints.http.table.access import (
    ALWAYS_OPEN,
    AS_OF,
    CURSOR,
    EXPORT,
    FORGET_DONOR,
    GIFTS,
    JSON,
    KNOWN_AT,
    LEDGER,
    LIMIT,
    NOT_FOUND,
    PATCH,
    PAY,
    RECEIPTS,
    TICKET,
    TOTALS,
    WRITE,
)
from entrypoints.http.table.pages import GONE
from projections import ticket_totals
from projections.exports import By

page = partial(pages.page, tag="Donations")
button = partial(pages.button, tag="Donations")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", f"{TICKET}/create-payment", "Open a checkout for one donation", DonationHandlers.create_payment, PAY,
        JSON, bodies.PaymentOrder, 201, idempotency_key=True, rate_limit=RateLimit.PAYMENT, tag="Donations",
        id="createPayment",
    ),
    Operation(
        "GET", f"{TICKET}/donations", "List the donations to a ticket, newest payment first",
        DonationHandlers.list_donations, LEDGER, query=(LIMIT, CURSOR, AS_OF, KNOWN_AT), tag="Donations",
        id="listDonations",
    ),
    Operation(
        "GET", f"{TICKET}/donations/total", "Get the totals of the donations to a ticket", DonationHandlers.totals,
        TOTALS, tag="Donations", ticket_query=ticket_totals.tickets_with_totals, reads_only_ticket=True,
        query=(AS_OF, KNOWN_AT, Parameter("explain", "Add the entries that the total sums up.", {"type": "boolean"})),
        id="getDonationTotals",
    ),
    Operation(
        "GET", f"{TICKET}/donations/{{donation_id}}/words", "Get the name and the words that a donor left with a gift",
        DonorWordsHandlers.get, LEDGER, tag="Donations", id="getDonorWords",
    ),
    Operation(
        "PATCH", f"{TICKET}/donations/{{donation_id}}/words",
        "Keep the words of a donor off the campaign page, or show them again", DonorWordsHandlers.change, WRITE, PATCH,
        WordsChange, tag="Donations", id="changeDonorWords",
    ),
    Operation(
        "GET", "/api/donations", "Search for donations over all tickets of the workspace, the latest first",
        GiftSearchHandlers.search, GIFTS, other_responses=NOT_FOUND, tag="Donations", id="searchDonations",
        query=(
            Parameter("from", "The first day in UTC on which the donation was paid, or else asked for, or a time."),
            Parameter("to", "The last such day in UTC, or the first moment after it."),
            Parameter("status", "Only donations with this status.", {"type": "string", "enum": [*DonationStatus]}),
            Parameter("donor", "The donor's e-mail address, or words of the donor's name."),
            Parameter(
                "amount", "The amount that was asked for, in the major unit; in any currency if none is given."
            ),
            Parameter("currency", "Only donations in this currency.", {"type": "string", "enum": sorted(CURRENCIES)}),
            Parameter("ticket", "Only donations to this ticket.", {"type": "string", "format": "uuid"}),
            Parameter("workspace", "Only donations to tickets of this workspace."),
            LIMIT, CURSOR,
        ),
    ),
    Operation(
        "GET", "/api/donations/{donation_id}/receipt", "Get the receipt of a gift", DonorHandlers.receipt, RECEIPTS,
        media_types=("application/pdf",), other_responses={**NOT_FOUND, 409: PROBLEM_MEDIA_TYPE}, tag="Donations",
        id="getReceipt",
    ),
    Operation(
        "POST", "/api/donations/{donation_id}/forget-donor",
        "Forget the donor of a gift, whose name is kept as long as the law asks for it", DonorHandlers.forget,
        FORGET_DONOR, JSON, bodies.Empty, tag="Donations", id="forgetDonor",
    ),
    page(
        "/forget/{token}", "Ask a donor for confirmation to be forgotten", DonorHandlers.show, ALWAYS_OPEN,
        other_responses=GONE,
    ),
    button(
        "/forget/{token}", "Forget the donor whom the link in a mail belongs to", DonorHandlers.forget_by_link,
        ALWAYS_OPEN, status=200, other_responses=GONE,
    ),
    Operation(
        "GET", "/api/exports/donations", "Export donations for accounting", export_donations, EXPORT,
        media_types=("text/csv", "application/json", "text/plain"), other_responses=NOT_FOUND, tag="Donations",
        id="exportDonations",
        query=(
            Parameter(
                "format", "One line a donation, as CSV or JSON; one line a movement, as CSV; or a journal for hledger.",
                choice_schema(get_args(Format)),
            ),
            Parameter(
                "by", "Whether the period is that of the movements' own times (`moved`), of the times when they were"
                " recorded, or of the donations' payment or creation; for movements and journal only `moved`.",
                choice_schema(get_args(By)),
            ),
            Parameter("from", "The first day of the period in UTC, or its first moment."),
            Parameter("to", "The last day of the period in UTC, or the first moment after it."),
            Parameter("ticket", "Only donations to this ticket.", {"type": "string", "format": "uuid"}),
            Parameter("workspace", "Only donations to tickets of this workspace."),
            Parameter(
                "unpaid", "Also list donations without any payment, by their creation.", {"type": "boolean"}
            ),
        ),
    ),
)  # fmt: skip
