"""A ticket's history: every event of the ticket and its donations, and the ticket as it stood at any of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from adapters.encryption.field_cipher import SEAL
from adapters.event_store.history import ERASED
from adapters.event_store.log import StoredEntry
from adapters.read_models.in_memory import folded, ticket_row
from domain.errors import NotFoundError
from entrypoints.http import paging
from entrypoints.http.handlers import donations
from entrypoints.http.handlers.tickets import views_for
from entrypoints.http.operations import Answer, Call
from entrypoints.presentation import views
from entrypoints.presentation.views import Views
from projections import donation_ledger
from projections.model import Recorded

# What events tell in Unix seconds.
_TIMES = frozenset({"at", "expires_at", "refunded_at", "inactive_since", "erase_after"})
# What a stored event carries for us alone: digests of credentials and the index of the contact.
_MONEY = {"minor", "currency"}
_OURS = frozenset({"token_digest", "contact_index", "actor", "ticket_id", "donation_id"})


def history(call: Call) -> Answer:
    if "at" in call.query:
        return Answer(state_at(call, _position(call, call.query["at"])))
    page = paging.asked(call)
    after = page.after_position()
    entries = call.reads.ask_log(lambda log: log.ticket_page(call.ticket_id, after, page.limit + 1))
    if len(entries) > page.limit:
        page.more_after(entries[page.limit - 1].position)
    view = views_for(call)
    return page.answer({"events": [event_view(view, entry) for entry in entries[: page.limit]]})


def event_view(view: Views, entry: StoredEntry) -> dict[str, Any]:
    """One event as it may be shown: opened or masked, in camelCase, without what is ours alone."""
    data = from_json(entry.state)
    actor = data["actor"]
    return {
        "position": entry.position,
        "type": type(entry.event()).__name__,
        "donationId": data.get("donation_id"),
        "version": entry.originator_version,
        "recordedAt": views.time(entry.recorded_at),
        "actor": f"{actor['role']}:{actor['id']}" if actor.get("id") else actor["role"],
        "data": {to_camel(name): _shown(view, entry, name, value) for name, value in data.items() if name not in _OURS},
    }


def _shown(view: Views, entry: StoredEntry, name: str, value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == _MONEY:
            minor, currency = value["minor"], value["currency"]
            return {"amount": views.amount(minor, currency), "amountMinor": minor, "currency": currency}
        return {to_camel(part): _shown(view, entry, part, told) for part, told in value.items()}
    if isinstance(value, list):
        return [_shown(view, entry, name, part) for part in value]
    if name in _TIMES and type(value) is int:
        return views.time(datetime.fromtimestamp(value, UTC))
    if name == "email_hash" and value is not None:
        return views.email_hash(value)
    if isinstance(value, str) and value.startswith(SEAL):
        return view.opened(entry.ticket, value) or ERASED
    return value


def _position(call: Call, text: str) -> int:
    """A position of the history, or the last one recorded until a time."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    moment = donations.moment(call, "at")
    assert isinstance(moment, datetime)
    return call.reads.ask_log(lambda log: log.position_at(moment))


def state_at(call: Call, position: int) -> dict[str, Any]:
    return state(views_for(call), call.reads.recorded(call.ticket_id, until=position), position)


def state(view: Views, recorded: list[Recorded], position: int) -> dict[str, Any]:
    """The ticket, its donations and its totals as these events leave them; NotFoundError if there are none."""
    row = ticket_row(recorded)
    if row is None:
        raise NotFoundError("There was no such ticket then.")
    ledger = folded(donation_ledger, recorded)
    donation_rows = donations.ordered(ledger.all(donation_ledger.DONATIONS))
    return {
        "at": position,
        "ticket": view.ticket(row) | {"donationDraft": view.draft_or_none(row)},
        "donations": [view.donation(donation) for donation in donation_rows],
        "totals": donations.totals_in(view, row, ledger, explain=False),
    }
