"""Removes personal data from Stripe's events: only the fields that the ledger reads remain."""

import json
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from adapters.payments.parsed_events import ONLY_LINKS_FIELD, RETRIEVED_FIELD

# The fields that event_parsers and stripe_objects read, without the donor's name and e-mail address. Every field that
# is not listed is dropped, so that a field that Stripe adds later is dropped too.
_ENVELOPE = ("id", "object", "type", "created", "livemode", "api_version", "data", "related_object", RETRIEVED_FIELD)
_REQUEST = ("account", "context", ONLY_LINKS_FIELD)
_LINKS = ("metadata", "ticketId", "donationId", "payment_intent", "charge", "latest_charge", "source")
_STATE = ("mode", "status", "payment_status", "captured", "refunded", "last_payment_error", "code", "decline_code")
_AMOUNTS = ("amount", "amount_total", "amount_received", "amount_captured", "amount_refunded", "currency", "fee", "net")
_BALANCE = ("balance_transaction", "failure_balance_transaction", "balance_transactions", "reporting_category")
_EXCHANGE = ("exchange_rate", "fee_details")
_COUNTRY = ("billing_details", "customer_details", "address", "country")
_KEPT = frozenset((*_ENVELOPE, *_REQUEST, *_LINKS, *_STATE, *_AMOUNTS, *_BALANCE, *_EXCHANGE, *_COUNTRY))


def without_personal_data(body: bytes) -> bytes:
    """Return the event with only the fields that the ledger reads; an event that is not JSON becomes an empty one."""
    try:
        event = json.loads(body)
    except ValueError:
        event = {}
    return json.dumps(_redacted(event), separators=(",", ":"), sort_keys=True).encode()


def _redacted(value: object) -> object:
    match value:
        case dict():
            kept = {name: _redacted(part) for name, part in value.items() if name in _KEPT}
            return kept | _dispute_details(value) if value.get("object") == "dispute" else kept
        case list():
            return [_redacted(part) for part in value]
        case _:
            return value


def _dispute_details(dispute: dict[str, object]) -> dict[str, object]:
    """Return the reason and the deadline of a dispute; in other objects these names may stand for anything."""
    reason, evidence = dispute.get("reason"), dispute.get("evidence_details")
    due_by = evidence.get("due_by") if isinstance(evidence, dict) else None
    details: dict[str, object] = {"evidence_details": {"due_by": due_by}} if isinstance(due_by, int) else {}
    return details | ({"reason": reason} if isinstance(reason, str) else {})


def ticket_in_metadata(body: bytes) -> UUID | None:
    """Return the ticket that the metadata names, or None.

    Nothing verifies it, so it decides only about the encryption and the redaction of the body.
    """
    return _id_in_metadata(body, "ticketId")


def donation_in_metadata(body: bytes) -> UUID | None:
    """Return the donation that the metadata names, or None; nothing verifies it either."""
    return _id_in_metadata(body, "donationId")


def _id_in_metadata(body: bytes, name: str) -> UUID | None:
    for stripe_object in _objects(body):
        metadata = stripe_object.get("metadata")
        if isinstance(metadata, dict):
            with suppress(ValueError):
                return UUID(str(metadata.get(name)))
    return None


def object_ids(body: bytes) -> set[str]:
    """Return the ids of the event's object and of the objects that it names."""
    names = ("id", "payment_intent", "charge", "latest_charge", "source")
    return {id for stripe_object in _objects(body) for name in names if isinstance(id := stripe_object.get(name), str)}


def _objects(body: bytes) -> Iterator[dict[str, object]]:
    try:
        event = json.loads(body)
    except ValueError:
        return
    if isinstance(event, dict):
        data = event.get("data")
        for value in (event.get(RETRIEVED_FIELD), data.get("object") if isinstance(data, dict) else None):
            if isinstance(value, dict):
                yield value
