"""A ticket's history, and the ticket as it was at an earlier position, as responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from adapters.encryption.field_cipher import is_sealed
from adapters.event_store.log import StoredEntry
from adapters.read_models.in_memory import folded, ticket_row
from domain.errors import NotFoundError
from domain.events import DeskEvent, SupportAssigned
from entrypoints.presentation.donations import Donation, DonationTotals
from entrypoints.presentation.past_ledger import past_donations, past_totals
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody, Time, major, rfc3339, utc
from entrypoints.presentation.tickets import Draft, Ticket, draft_or_none
from projections import donation_ledger
from projections.model import RecordedEvent

# Fields that hold Unix seconds.
_TIMES = frozenset(
    {
        "at",
        "captured_at",
        "created_at",
        "disputed_at",
        "due_at",
        "erase_after",
        "evidence_due_by",
        "expires_at",
        "forget_at",
        "inactive_since",
        "moved_at",
        "refunded_at",
        "valid_until",
    }
)
# What the staff note for themselves.
_OF_STAFF = (DeskEvent, SupportAssigned)
# Fields that are secret, such as digests of credentials, or that the response has outside of `data`.
_HIDDEN = frozenset({"token_digest", "contact_index", "actor", "ticket_id", "donation_id"})


class HistoryEvent(ResponseBody):
    """One event of the ticket or of one of its donations; `data` has its fields, personal texts masked or in full."""

    position: int
    type: str
    donation_id: UUID | None
    version: int
    recorded_at: Time
    actor: str
    data: dict[str, Any]

    @classmethod
    def of(cls, entry: StoredEntry, personal: PersonalData, *, for_staff: bool) -> HistoryEvent:
        """Make the response; what the staff noted for themselves is left out unless it is `for_staff`."""
        data, event = from_json(entry.state), entry.event()
        actor, donation_id = data["actor"], data.get("donation_id")
        return cls(
            position=entry.position,
            type=type(event).__name__,
            donation_id=donation_id and UUID(donation_id),
            version=entry.originator_version,
            recorded_at=utc(entry.recorded_at),
            actor=f"{actor['role']}:{actor['id']}" if actor.get("id") else actor["role"],
            data=_shown_fields(data, entry.ticket, personal) if for_staff or not isinstance(event, _OF_STAFF) else {},
        )


def history_events(entries: Sequence[StoredEntry], personal: PersonalData, *, for_staff: bool) -> list[HistoryEvent]:
    """Return the events of a page, whose keys are read in one query."""
    personal.preload_keys({entry.originator_id for entry in entries})
    return [HistoryEvent.of(entry, personal, for_staff=for_staff) for entry in entries]


def _shown_fields(fields: Mapping[str, object], ticket_id: UUID, personal: PersonalData) -> dict[str, object]:
    shown = {name: value for name, value in fields.items() if name not in _HIDDEN}
    return {to_camel(name): _shown(name, value, ticket_id, personal) for name, value in shown.items()}


def _shown(name: str, value: object, ticket_id: UUID, personal: PersonalData) -> object:
    """Return a field's value as clients see it: amounts in both units, times in RFC 3339, texts decrypted."""
    match value:
        # An amount has exactly these fields.
        case {"minor": int(minor), "currency": str(currency), **others} if not others:
            return {"amount": major(minor, currency), "amountMinor": minor, "currency": currency}
        case dict():
            return {to_camel(part): _shown(part, inner, ticket_id, personal) for part, inner in value.items()}
        case list():
            return [_shown(name, inner, ticket_id, personal) for inner in value]
        case int() if name in _TIMES:
            return rfc3339(datetime.fromtimestamp(value, UTC))
        case str() if name == "email_hash":
            return personal.email_hash(ticket_id, value)
        case str() if is_sealed(value):
            return personal.text(ticket_id, value)
        case _:
            return value


class EventPage(ResponseBody):
    """A result page of events, oldest first; `nextCursor` is null on the last one."""

    events: list[HistoryEvent]
    next_cursor: str | None


class PastTicket(Ticket, kw_only=True):
    """A ticket and its draft as they were at an earlier position of the event log."""

    donation_draft: Draft | None


class PastState(ResponseBody):
    """A ticket, its donations and their totals as they were at a position of the event log."""

    at: int
    ticket: PastTicket
    donations: list[Donation]
    totals: DonationTotals

    @classmethod
    def of(cls, events: Sequence[RecordedEvent], position: int, personal: PersonalData) -> PastState:
        """Fold the ticket's events, which end at the position; raise NotFoundError if there are none."""
        row = ticket_row(events)
        if row is None:
            raise NotFoundError("There was no such ticket at that time.")
        ledger = folded(donation_ledger, events)
        return cls(
            at=position,
            ticket=PastTicket.from_row(row, personal, donation_draft=draft_or_none(row, personal)),
            donations=[Donation.from_row(row, personal) for row in personal.preload(past_donations(ledger))],
            totals=past_totals(row, ledger, personal, explain=False),
        )
