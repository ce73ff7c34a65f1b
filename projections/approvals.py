"""The approval of a page in a ticket's row, with its note sealed."""

from domain import events
from domain.approval import Approval, ApprovalState, approval_after
from domain.values import ConsentScope
from projections.consent_records import consents_of
from projections.model import Row

REQUESTED = ApprovalState.REQUESTED.value


def column_after(event: events.TicketEvent, row: Row) -> Row | None:
    """Return the approval after the event; the row's consents are those after it."""
    if row["approval"] is None and not isinstance(event, events.PublicationRequested):
        return None
    approval = approval_after(_approval(row), event, consents_of(row).given.keys())
    if approval is None:
        return None
    return {"state": approval.state, "scopes": sorted(approval.scopes), "note": approval.note}


def _approval(row: Row) -> Approval | None:
    if (column := row["approval"]) is None:
        return None
    return Approval(ApprovalState(column["state"]), frozenset(map(ConsentScope, column["scopes"])), column["note"])
