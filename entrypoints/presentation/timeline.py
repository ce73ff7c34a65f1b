"""The timeline of a ticket: a line for each event, with its actor, its cause and what it changed."""

from __future__ import annotations

import gettext
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.event_store.log import StoredEntry
from adapters.languages import translations
from adapters.localisation import format_moment, format_money, supported_language
from adapters.read_models.in_memory import MemoryRows
from domain import events
from domain.events import DonationEvent, TicketEvent
from domain.values import Actor, Money, Role
from entrypoints.presentation.event_sentences import (
    ACTORS,
    CAUSED_BY_CHECKOUT,
    CAUSED_BY_DRAFT,
    CAUSED_BY_DRAFTING,
    CAUSED_BY_END_OF_CONSENT,
    CAUSED_BY_MESSAGE,
    CAUSED_BY_REQUEST,
    EVENT_SENTENCES,
    FIELDS,
    NO,
    OTHERS,
    STATES,
    YES,
)
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.tickets import statuses
from projections import donation_ledger, ticket_status
from projections.model import RecordedEvent, Row
from projections.ticket_status import draft_of

# Longer texts are cut: a page shows twenty events, and the export has every text in full.
LONGEST_SHOWN_TEXT = 400
_STATES = frozenset({"status", "gift"})
_AMOUNTS = frozenset({"goal", "asked", "paid", "refunded", "disputed", "total"})
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Change:
    """A field with its value before and after an event; None is no value."""

    label: str
    before: str | None
    after: str | None
    is_masked: bool = False


@dataclass(frozen=True)
class Cause:
    """The cause of an event: a sentence, and the position of the event that it names, if it names one."""

    text: str
    position: int | None = None


@dataclass(frozen=True)
class Line:
    """One event of the timeline; `number` counts the events of the ticket from 1."""

    number: int
    position: int
    type: str
    sentence: str
    actor: str
    actor_id: str | None
    by_staff: bool
    moment: datetime
    shown_moment: str
    amount: str | None
    cause: Cause | None
    changes: Sequence[Change]


class Reader:
    """Writes values as the reader of a page reads them: in their language, with personal texts masked or in full."""

    def __init__(self, language: str, personal: PersonalData) -> None:
        self._translations: gettext.NullTranslations = translations(language)
        self._notation = supported_language(language)
        self._personal = personal

    def message(self, message: str, **values: object) -> str:
        translated = self._translations.gettext(message)
        return translated % values if values else translated

    def money(self, money: Money) -> str:
        return format_money(money, self._notation)

    def moment(self, moment: datetime) -> str:
        return format_moment(moment, self._notation)

    def actor(self, actor: Actor) -> str:
        return self.message(ACTORS[actor.role])

    def sentence(self, event_type: str) -> str:
        # A test holds that each event has a sentence; an event of a newer version of the service may have none here.
        return self.message(EVENT_SENTENCES.get(event_type) or f"{_CAPITAL.sub(' ', event_type).capitalize()}.")

    def state(self, state: str) -> str:
        return self.message(STATES[state]) if state in STATES else state

    def change(self, name: str, before: object, after: object, row: Row) -> Change:
        return Change(
            self.message(FIELDS[name]),
            self._value(name, before, row),
            self._value(name, after, row),
            is_masked=self._personal.masked and name not in _AMOUNTS | _STATES,
        )

    def _value(self, name: str, value: Any, row: Row) -> str | None:
        match value:
            case None | "" | ():
                return None
            case Money():
                return self.money(value)
            case bool():
                return self.message(YES if value else NO)
            case tuple():
                return _cut("; ".join(self._personal.text(row["ticket_id"], text) for text in value))
            case str() if name in _STATES:
                return self.state(value)
            case str() if name in ("currency", "error"):
                return value
            case str() if name == "contact":
                return self._personal.contact(row | {"contact": value})
            case _:
                return _cut(self._personal.text(row["ticket_id"], value))

    def said(self, event: TicketEvent) -> list[Change]:
        """Return what a consent says of children and other people in the story and who looked at that, or a note."""
        if isinstance(event, events.ChangesRequested):
            return [self.change("to_change", None, event.note, {"ticket_id": event.ticket})]
        if not isinstance(event, events.ConsentGiven) or event.others is None:
            return []
        row = {"ticket_id": event.ticket}
        decision = Change(self.message(FIELDS["others"]), None, self.message(OTHERS[event.others]))
        texts = {"looked_by": event.looked_by, "note": event.note}
        return [decision, *(self.change(name, None, text, row) for name, text in texts.items() if text)]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN_TEXT else f"{text[:LONGEST_SHOWN_TEXT]}…"


def timeline(entries: Sequence[StoredEntry], first: int, reader: Reader) -> list[Line]:
    """Return the lines of all events from the index `first` on; the entries begin with the ticket's first event."""
    rows, causes, lines = MemoryRows(), _Causes(reader), []
    for index, entry in enumerate(entries):
        event = entry.event()
        recorded = RecordedEvent(entry.position, entry.recorded_at, event)
        before = _Snapshot.of(rows, event) if index >= first else None
        ticket_status.fold([recorded], rows)
        donation_ledger.fold([recorded], rows)
        cause = causes.of(recorded, index + 1)
        if before is not None:
            changes = before.changes(_Snapshot.of(rows, event), reader)
            lines.append(_line(recorded, index + 1, cause, [*changes, *reader.said(event)], reader))
    return lines


def _line(recorded: RecordedEvent, number: int, cause: Cause | None, changes: Sequence[Change], reader: Reader) -> Line:
    event, actor = recorded.event, recorded.event.actor
    amount = getattr(event, "amount", None) or getattr(event, "fee", None)
    return Line(
        number=number,
        position=recorded.position,
        type=type(event).__name__,
        sentence=reader.sentence(type(event).__name__),
        actor=reader.actor(actor),
        actor_id=actor.id,
        by_staff=actor.role is Role.MEMBER,
        moment=recorded.recorded_at,
        shown_moment=reader.moment(recorded.recorded_at),
        amount=reader.money(amount) if isinstance(amount, Money) else None,
        cause=cause,
        changes=changes,
    )


class _Causes:
    """Finds the cause of each event among those before it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._checkouts: dict[object, tuple[int, int]] = {}
        # What asked last for work on the recordings.
        self._asked = CAUSED_BY_REQUEST
        self._request: tuple[int, int] | None = None
        self._draft: tuple[int, int] | None = None

    def of(self, recorded: RecordedEvent, number: int) -> Cause | None:
        event, here = recorded.event, (number, recorded.position)
        match event:
            case events.CheckoutRequested():
                self._checkouts[event.donation_id] = here
            case events.ProcessingRequested():
                self._asked, self._request = CAUSED_BY_REQUEST, here
            case events.DraftingRequested():
                self._asked, self._request = CAUSED_BY_DRAFTING, here
            case events.InfoRequested():
                return self._named(CAUSED_BY_DRAFT, self._draft)
            case events.Transcribed() | events.TranscriptionFailed() | events.Analysed() | events.DraftingFailed():
                return self._named(self._asked, self._request)
            case events.Unpublished(consent_ended=True):
                return Cause(self._reader.message(CAUSED_BY_END_OF_CONSENT))
            case events.DraftProposed():
                self._draft = here
                return self._named(self._asked, self._request)
            case DonationEvent() if report := getattr(event, "report", None):
                return Cause(self._reader.message(CAUSED_BY_MESSAGE, id=report.event_id))
            case DonationEvent():
                return self._named(CAUSED_BY_CHECKOUT, self._checkouts.get(event.donation_id))
        return None

    def _named(self, message: str, line: tuple[int, int] | None) -> Cause | None:
        if line is None:
            return None
        number, position = line
        return Cause(self._reader.message(message, line=number), position)


@dataclass(frozen=True)
class _Snapshot:
    """The fields that an event may change, with their personal texts as stored, so that a masked change shows too."""

    row: Row
    values: dict[str, object]

    @classmethod
    def of(cls, rows: MemoryRows, event: TicketEvent) -> _Snapshot:
        ticket = rows.get(ticket_status.TICKETS, (event.ticket,))
        if ticket is None:
            return cls({"ticket_id": event.ticket, "contact_type": None}, {})
        funded = rows.get(ticket_status.FUNDED, (event.ticket,)) is not None
        values = _ticket_values(ticket_status.with_status(ticket | {"funded": funded}))
        if isinstance(event, DonationEvent):
            donation = rows.get(donation_ledger.DONATIONS, (event.donation_id,))
            values |= _donation_values(donation) if donation else {}
            total = donation and rows.get(donation_ledger.TOTALS, (event.ticket, donation["currency"]))
            if total:
                net = total["paid"] - total["refunded"] - total["disputed"]
                values["total"] = Money(net, total["currency"])
        return cls(ticket, values)

    def changes(self, after: _Snapshot, reader: Reader) -> list[Change]:
        names = [name for name in FIELDS if self.values.get(name) != after.values.get(name)]
        return [reader.change(name, self.values.get(name), after.values.get(name), after.row) for name in names]


def _ticket_values(row: Row) -> dict[str, object]:
    draft = draft_of(row)
    return {
        "display_name": row["display_name"],
        "contact": row["contact"],
        "status": statuses(row)[0],
        "suspended": row["suspended"] or None,
        "title": draft.title,
        "story": draft.story,
        "goal": draft.goal,
        "currency": None if draft.goal else draft.currency,
        "beneficiary": draft.beneficiary,
        "location": draft.location,
        "category": draft.category,
        "breakdown": tuple(draft.breakdown),
        "error": row["error"] and row["error"]["code"],
    }


def _donation_values(row: Row) -> dict[str, object]:
    currency = row["currency"]
    amounts = {"paid": row["paid"], "refunded": row["refunded"], "disputed": row["disputed"]}
    return {
        "gift": str(row["status"]),
        "asked": Money(row["amount"], currency),
        **{name: Money(minor, currency) if minor else None for name, minor in amounts.items()},
        "donor": row["donor_last_name"],
    }
