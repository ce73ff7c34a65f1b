"""The approval of a page before it is published: folded alike by the aggregate and by the read models.

An approval is for the page as it was when somebody asked for it. Whatever adds to the page or changes it afterwards
ends the request and the approval. What is only taken off the page ends neither: a person may show less at any time.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from domain import events
from domain.errors import RefusedError
from domain.values import ConsentScope, Role

LONGEST_NOTE = 1_000

# The page shows something else after these, or after the work that they ask for.
CHANGES_PAGE = (
    events.ProcessingRequested,
    events.DraftingRequested,
    events.DraftProposed,
    events.DraftEdited,
    events.FindingDecided,
    events.DisplayNameChanged,
    events.PictureChosen,
    events.VoiceChosen,
)
# Who has not been approved to speak for the workspace.
_NO_STAFF = frozenset({Role.HOLDER, Role.CLIENT, Role.VISITOR})


class ApprovalState(StrEnum):
    """Whether an approval was asked for, given, or refused until something changes. The values are stored."""

    REQUESTED = "requested"
    CHANGES_REQUESTED = "changes_requested"
    APPROVED = "approved"


@dataclass(frozen=True)
class Approval:
    """Where the approval of the present page stands.

    `scopes` is what the person had agreed to show when it was asked for, and `note` what is to be changed.
    """

    state: ApprovalState
    scopes: frozenset[ConsentScope]
    note: str | None = None


class ApprovalNeededError(RefusedError):
    """The workspace has not approved what would be public after this."""

    def __init__(self, *, published: bool) -> None:
        super().__init__(
            "This page is public as it was approved. Take it down to change it, then ask for approval again."
            if published
            else "This page is published once it is approved. Ask for approval first."
        )


def approval_after(
    approval: Approval | None, event: events.TicketEvent, agreed: Collection[ConsentScope]
) -> Approval | None:
    """Return the approval after the event; `agreed` is what the person agrees to show after it."""
    match event:
        case events.PublicationRequested():
            return Approval(ApprovalState.REQUESTED, frozenset(agreed))
        case events.Erased():
            return None
    if approval is None:
        return None
    match event:
        case events.Approved():
            return replace(approval, state=ApprovalState.APPROVED, note=None)
        case events.ChangesRequested(note=note):
            return replace(approval, state=ApprovalState.CHANGES_REQUESTED, note=note)
    # The note says what to change, so the changes leave it until somebody asks again.
    if approval.state is ApprovalState.CHANGES_REQUESTED:
        return approval
    return None if isinstance(event, CHANGES_PAGE) or not approval.scopes.issuperset(agreed) else approval


def require_approved(
    approval: Approval | None, new_events: Collection[events.TicketEvent], *, was_published: bool
) -> None:
    """ApprovalNeededError if a ticket whose page is public after these events shows what was not approved."""
    if any(isinstance(event, events.UpdatePosted) and event.actor.role in _NO_STAFF for event in new_events):
        raise RefusedError("Updates on this page are posted by the staff. Tell them what has happened.")
    shown = any(isinstance(event, (events.Published, events.ConsentGiven, *CHANGES_PAGE)) for event in new_events)
    if shown and (approval is None or approval.state is not ApprovalState.APPROVED):
        raise ApprovalNeededError(published=was_published)
