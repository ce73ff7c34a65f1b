"""Stripe's events without people: what the ledger reads of them, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

from adapters.payments.parsed_events import FETCHED

# The parts of events and objects that `readers` and `objects` read, but for who gave. What is not listed is dropped, so
# that a field Stripe adds tomorrow is dropped too.
_ENVELOPE = ("id", "object", "type", "created", "livemode", "api_version", "data", "related_object", FETCHED)
_LINKS = ("metadata", "ticketId", "donationId", "payment_intent", "charge", "latest_charge", "source")
_STATE = ("mode", "status", "payment_status", "captured", "last_payment_error", "code", "decline_code")
_AMOUNTS = ("amount", "amount_total", "amount_received", "amount_captured", "amount_refunded", "currency", "fee", "net")
_BALANCE = ("balance_transaction", "failure_balance_transaction", "balance_transactions", "reporting_category")
_COUNTRY = ("billing_details", "customer_details", "address", "country")
_KEPT = frozenset((*_ENVELOPE, *_LINKS, *_STATE, *_AMOUNTS, *_BALANCE, *_COUNTRY))


def without_people(body: bytes) -> bytes:
    """The event as before for the ledger; an unreadable one becomes an empty one."""
    try:
        event = json.loads(body)
    except ValueError:
        event = {}
    return json.dumps(_redacted(event), separators=(",", ":"), sort_keys=True).encode()


def _redacted(value: Any) -> Any:
    match value:
        case dict():
            return {name: _redacted(part) for name, part in value.items() if name in _KEPT}
        case list():
            return [_redacted(part) for part in value]
        case _:
            return value


def named_ticket(body: bytes) -> UUID | None:
    """The ticket that the metadata of the event's object names: enough to know whose it is, not to move money."""
    for thing in _things(body):
        metadata = thing.get("metadata")
        if isinstance(metadata, dict):
            with suppress(ValueError):
                return UUID(str(metadata.get("ticketId")))
    return None


def named_objects(body: bytes) -> set[str]:
    """The ids of the event's object and of those it names, as far as they may be some."""
    names = ("id", "payment_intent", "charge", "latest_charge", "source")
    return {text for thing in _things(body) for name in names if isinstance(text := thing.get(name), str)}


def _things(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        event = json.loads(body)
    except ValueError:
        return
    if isinstance(event, dict):
        data = event.get("data")
        for thing in (event.get(FETCHED), data.get("object") if isinstance(data, dict) else None):
            if isinstance(thing, dict):
                yield thing
