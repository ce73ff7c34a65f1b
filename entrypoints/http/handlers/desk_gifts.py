"""The handler of the page on which staff find gifts over all tickets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from adapters.localisation import format_date, format_money, supported_language
from domain.values import CURRENCIES, DonationStatus, Money
from entrypoints.http.desk import DESK, MANAGERS, REFUNDERS, Desk
from entrypoints.http.handlers.gift_search import GiftSearchHandlers
from entrypoints.http.handlers.sign_in_pages import page_language
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation.found_donations import FoundDonation, FoundDonationPage
from projections.refund_requests import open_requests

GIFTS = f"{DESK}/gifts"
# Three digits after a comma may be thousands.
_DECIMAL_COMMA = re.compile(r"^(\d+),(\d{1,2})$")
FILTERS = ("donor", "amount", "currency", "status", "from", "to", "ticket", "workspace")


class Line(NamedTuple):
    """A gift as a line of the list; `net` is what remains of it, if that is not what was paid."""

    gift: FoundDonation
    day: str
    amount: str
    net: str | None


@dataclass(frozen=True)
class DeskGiftHandlers:
    search: GiftSearchHandlers
    desk: Desk

    def show(self, call: Call) -> Answer[bytes]:
        chosen = {name: text for name in FILTERS if (text := call.query.get(name, "").strip())}
        cursor, faults = call.query.get("cursor"), []
        asked = chosen | ({"cursor": cursor} if cursor else {})
        if "amount" in asked:
            asked["amount"] = _DECIMAL_COMMA.sub(r"\1.\2", asked["amount"])
        call.query = QueryParams(asked)
        found = FoundDonationPage([], None)
        try:
            found = self.search.search(call).body
        except Problem as problem:
            faults = [error.pointer.removeprefix("/") for error in problem.errors]
        language = supported_language(page_language(call))
        return self.desk.page(
            call,
            "gifts.html",
            422 if faults else 200,
            lines=[_line(gift, language) for gift in found.donations],
            chosen=chosen,
            faults=faults,
            statuses=tuple(DonationStatus),
            may_refund=call.principal.member_role in REFUNDERS,
            currencies=sorted(CURRENCIES),
            open_requests=self._open_requests(call),
            next_url=_url({**chosen, "cursor": found.next_cursor}) if found.next_cursor else None,
        )

    def _open_requests(self, call: Call) -> int:
        """Return how many refunds wait for a decision of the reader, who may make it."""
        workspace = call.principal.workspace
        if workspace is None or call.principal.member_role not in MANAGERS:
            return 0
        return call.reads.ask(lambda cursor: open_requests(cursor, workspace))


def _line(gift: FoundDonation, language: str) -> Line:
    was_paid = gift.paid_at is not None
    changed = was_paid and gift.net_minor != gift.amount_minor
    return Line(
        gift,
        format_date(gift.paid_at or gift.created_at, language),
        format_money(Money(gift.amount_minor, gift.currency), language),
        format_money(Money(gift.net_minor, gift.currency), language) if changed else None,
    )


def _url(query: Mapping[str, str]) -> str:
    return f"{GIFTS}?{urlencode(query)}"
