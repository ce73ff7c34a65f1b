"""The handler of the page on which staff find gifts over all tickets."""

import re
from dataclasses import dataclass

from domain.values import CURRENCIES, DonationStatus
from entrypoints.http.desk import DESK, MANAGERS, REFUNDERS, Desk, ask_for, chosen_filters, next_page
from entrypoints.http.handlers.gift_search import GiftSearchHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation.found_donations import FoundDonationPage
from projections.refund_requests import open_requests

GIFTS = f"{DESK}/gifts"
# Three digits after a comma may be thousands.
_DECIMAL_COMMA = re.compile(r"^(\d+),(\d{1,2})$")
FILTERS = ("donor", "amount", "currency", "status", "from", "to", "ticket", "workspace")


@dataclass(frozen=True)
class DeskGiftHandlers:
    search: GiftSearchHandlers
    desk: Desk

    def show(self, call: Call) -> Answer[bytes]:
        chosen, faults = chosen_filters(call, FILTERS), []
        amount = {"amount": _DECIMAL_COMMA.sub(r"\1.\2", chosen["amount"])} if "amount" in chosen else {}
        ask_for(call, chosen | amount)
        result_page = FoundDonationPage([], None)
        try:
            result_page = self.search.search(call).body
        except Problem as problem:
            faults = [error.pointer.removeprefix("/") for error in problem.errors]
        return self.desk.page(
            call,
            "gifts.html",
            422 if faults else 200,
            gifts=result_page.donations,
            chosen=chosen,
            faults=faults,
            statuses=tuple(DonationStatus),
            may_refund=call.principal.member_role in REFUNDERS,
            currencies=sorted(CURRENCIES),
            open_requests=self._open_requests(call),
            next_url=next_page(GIFTS, result_page.next_cursor, chosen),
        )

    def _open_requests(self, call: Call) -> int:
        """Return how many refunds wait for a decision of the reader, who may make it."""
        workspace = call.principal.workspace
        if workspace is None or call.principal.member_role not in MANAGERS:
            return 0
        return call.reads.ask(lambda cursor: open_requests(cursor, workspace))
