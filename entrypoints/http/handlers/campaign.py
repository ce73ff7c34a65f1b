"""The public page of a campaign: what a stranger sees, and the form that opens a checkout of their own."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from domain.commands.checkouts import checked_gift, largest_gift, smallest_gift
from domain.errors import DomainError, InvalidError
from domain.values import CURRENCIES, Money
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import CSP, HTML, PAGES, absent
from entrypoints.presentation import views
from entrypoints.presentation.views import Views
from projections import donation_ledger, ticket_status
from projections.model import Row

NO_PAGE = "There is no such page."
LONGEST_AMOUNT = 12
MOST_FIELDS = 10
SUGGESTED_MAJOR = (10, 25, 50, 100)
SUGGESTED_MAJOR_ZERO_DECIMAL = (1_000, 2_500, 5_000, 10_000)

_SESSION = re.compile(r"cs_[A-Za-z0-9_]{1,250}")


def show(call: Call) -> Answer:
    row = _published(call)
    if row is None:
        return absent(call, NO_PAGE)
    if "thanks" in call.query:
        _expect_payment(call, row)
    return _page(call, row)


def _expect_payment(call: Call, row: Row) -> None:
    """The donor is back before the webhook, perhaps: have Stripe asked, if that checkout is ours and still open."""
    session_id = call.query.get("session_id", "")
    if not _SESSION.fullmatch(session_id):
        return
    with call.service.database.reading() as cursor:
        expected = donation_ledger.unpaid_session(cursor, row["ticket_id"], session_id)
    if expected is not None:
        call.service.retrievals.request(session_id)


def give(call: Call) -> Answer:
    """Open a fresh checkout for this donor and send them there; a bad amount shows the form again."""
    row = _published(call)
    if row is None:
        return absent(call, NO_PAGE)
    call.speaks_of = row["ticket_id"]
    form = _form(call.raw)
    currency = _currency(call, row)
    try:
        amount = checked_gift(_amount(form.get("amount", ""), form.get("currency", currency)))
        checkout = call.service.commands.checkouts.open(
            call.principal.actor,
            row["ticket_id"],
            call.seed.id("donation"),
            amount,
            None,
            return_url=call.service.page_url(row["slug"]),
        )
    except InvalidError as fault:
        typed = form.get("amount", "")[:LONGEST_AMOUNT]
        return _page(call, row, complaint=f"The amount {fault.detail}.", typed=typed, status=422)
    return Answer(None, 303, {"Location": checkout.url})


def _form(raw: bytes) -> dict[str, str]:
    """The fields; of a field given twice the last, of more fields than any form of ours has none."""
    try:
        return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS, keep_blank_values=True))
    except ValueError:
        return {}


def _amount(text: str, currency: str) -> Money:
    if currency not in CURRENCIES:
        raise InvalidError("is in a currency that we do not take")
    plain = text.strip().replace(",", ".")
    if not plain.isascii() or not plain.replace(".", "", 1).isdigit() or len(plain) > LONGEST_AMOUNT:
        raise InvalidError("must be a number like 25 or 12.50")
    try:
        return Money.of(Decimal(plain), currency)
    except DomainError as fault:
        raise InvalidError(f"is {fault}") from None


def _published(call: Call) -> Row | None:
    slug, row = call.path["slug"], None
    if slug.isascii() and slug.isalnum():
        with call.service.database.reading() as cursor:
            row = ticket_status.ticket_by_slug(cursor, slug)
    return row if row is not None and row["published"] else None


def _currency(call: Call, row: Row) -> str:
    return views.main_currency(row, call.reads.ask(lambda cursor: donation_ledger.totals(cursor, row["ticket_id"])))


def _page(call: Call, row: Row, complaint: str | None = None, typed: str = "", status: int = 200) -> Answer:
    service = call.service
    totals = call.reads.ask(lambda cursor: donation_ledger.totals(cursor, row["ticket_id"]))
    view = Views(service.cipher)
    draft = view.draft(row)
    total = view.totals(row, totals, None, None)
    currency = total["currency"]
    goal = draft["goalAmountMinor"] if draft["currency"] == currency else None
    raised = max(0, total["totalMinor"])
    page = PAGES.render(
        "campaign.html",
        draft=draft,
        # A person may clear what they wrote while the page is up.
        title=draft["title"] or "A campaign",
        paragraphs=[p for p in (draft["story"] or "").splitlines() if p.strip()],
        currency=currency,
        raised=shown(Money(raised, currency)),
        goal=shown(Money(goal, currency)) if goal else None,
        share=min(100, raised * 100 // goal) if goal else None,
        gifts=sum(total["counts"][name] for name in ("paid", "refunded", "disputed")),
        suggested=_suggested(currency),
        least=shown(smallest_gift(currency)),
        most=shown(largest_gift(currency)),
        complaint=complaint,
        typed=typed,
        thanks="thanks" in call.query,
        sandbox=service.settings.sandbox,
        language=draft["language"] or "en",
    )
    return Answer(page.encode(), status, {"Content-Security-Policy": CSP.format(form=_form_targets(call))}, HTML)


def _form_targets(call: Call) -> str:
    """The form posts to us, and the redirect leads to the checkout: browsers ask the policy about both."""
    service = call.service
    return f"'self' {service.public_url}" if service.settings.sandbox else "'self' https://checkout.stripe.com"


def _suggested(currency: str) -> list[dict[str, Any]]:
    amounts = SUGGESTED_MAJOR if smallest_gift(currency).major < 100 else SUGGESTED_MAJOR_ZERO_DECIMAL
    return [{"value": str(amount), "label": shown(Money.of(amount, currency))} for amount in amounts]


def shown(money: Money) -> str:
    """An amount for people: digits in groups, decimals only where they say something, the currency's code."""
    major = money.major
    text = f"{major:,.0f}" if major == major.to_integral_value() else f"{major:,}"
    return f"{text} {money.currency}"
