"""The handler that lists the disputes over all donations of a workspace."""

from dataclasses import dataclass
from datetime import UTC, datetime

from entrypoints.http.handlers.exports import requested_workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import MAX_POSITION, requested_page
from entrypoints.http.query import choice_parameter, day_parameter
from entrypoints.presentation.disputes import CLOSED, OPEN, Dispute, DisputePage
from projections.disputes import DisputeFilter, PageEnd, disputes

# The states of Stripe, and two words for several of them. The empty state is open and reported as `needs_response`.
STATUSES = ("open", "closed", *OPEN, *CLOSED)
_STATES = {"open": ("", *OPEN), "closed": CLOSED, "needs_response": ("", "needs_response")}


@dataclass(frozen=True)
class DisputeHandlers:
    """`dashboard` is the address of Stripe's dashboard in the mode of the key, or None in the sandbox."""

    dashboard: str | None

    def list_all(self, call: Call) -> Answer[DisputePage]:
        page, workspace = requested_page(call), requested_workspace(call)
        status = choice_parameter(call, "status", STATUSES) if "status" in call.query else None
        chosen = DisputeFilter(
            workspace,
            list(_STATES.get(status, (status,))) if status else None,
            day_parameter(call, "from"),
            day_parameter(call, "to", end_of_day=True),
        )
        after = page.after_key(_page_end)
        fetched_rows = call.reads.ask(lambda cursor: disputes(cursor, chosen, page.limit + 1, after))
        rows = page.cut(fetched_rows, lambda row: [row["place"], row["dispute_id"]])
        personal, now = call.personal_data(), datetime.now(UTC)
        personal.preload(rows)
        listed = [Dispute.from_row(row, personal, now, self.dashboard) for row in rows]
        return page.answer(DisputePage(listed, page.next_cursor))


def _page_end(place: object, dispute_id: object) -> PageEnd:
    if type(place) is not int or not 0 <= place < MAX_POSITION:
        raise ValueError
    # PostgreSQL takes no text with a NUL.
    if not isinstance(dispute_id, str) or not (dispute_id.isascii() and dispute_id.isprintable()):
        raise ValueError
    return place, dispute_id
