"""Parses a Stripe event into facts of the ledger and the ids of the objects that link them to a donation.

Parsing is strict: an event that is not as Stripe documents it raises MalformedFact and never takes effect
(https://docs.stripe.com/api/events/types). An object that we retrieved ourselves yields the facts of its present state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.payments.event_parsers import EVENT_PARSERS, SETTLEMENTS, STATE_PARSERS, HashEmail, ParsedFact
from adapters.payments.stripe_objects import (
    BALANCE_TRANSACTION,
    CHARGE,
    KINDS,
    REFUND,
    DonationKey,
    MalformedFact,
    StripeObject,
    whole_number,
)
from domain.values import StripeReport

THIN = "v2.core.event"
# The type of an event that holds an object that we retrieved.
RETRIEVED = "retrieved"
# The field of a thin event that holds the object that we retrieved for it.
FETCHED = "fetched"
# The type of a row in the inbox that waits until its object is retrieved.
PENDING = "wanted"

# The types of full events that yield facts.
OUR_TYPES = frozenset(EVENT_PARSERS)


@dataclass(frozen=True)
class ParsedEvent:
    """The facts of one event.

    All objects in `object_ids` belong to one donation; `named_donation` is its key if the metadata names it.
    `missing_ids` are balance transactions that the event names and does not contain.
    """

    facts: tuple[ParsedFact, ...]
    object_ids: tuple[str, ...]
    named_donation: DonationKey | None
    missing_ids: tuple[str, ...] = ()


def object_to_retrieve(event: Mapping[str, Any]) -> str | None:
    """Return the id of the object that must be retrieved before the event can be parsed, or None."""
    if event["object"] == PENDING:
        return str(event["id"])
    if event["object"] != THIN or FETCHED in event:
        return None
    related = event.get("related_object")
    if not isinstance(related, dict) or related.get("type") not in KINDS:
        return None
    return StripeObject({**related, "object": THIN}, THIN).text("id")


def parse_event(event: Mapping[str, Any], hash_email: HashEmail) -> ParsedEvent | None:
    """Return the event's facts, or None if its type is not ours; MalformedFact if it is not as documented."""
    is_thin = event["object"] == THIN
    # A thin event about an object of the v1 API has the full event's type with a prefix.
    type = event["type"].removeprefix("v1.") if is_thin else event["type"]
    kind, parser = EVENT_PARSERS.get(type, (None, None))
    if parser is None and not is_thin and type != RETRIEVED:
        return None
    data = event.get(FETCHED) if is_thin else _object_of(event)
    if kind is None or parser is None:
        kind = str(data.get("object")) if isinstance(data, dict) else ""
        parser = STATE_PARSERS.get(kind)
        if parser is None:
            return None
    stripe_object = StripeObject(data, kind)
    at = _seconds(event["created"]) if is_thin else whole_number(event.get("created"), "created")
    facts = tuple(parser(stripe_object, StripeReport(event["id"], at), hash_email))
    missing_ids = tuple(_missing_ids(stripe_object)) if facts else ()
    return ParsedEvent(facts, stripe_object.linked_ids(), stripe_object.named_donation(), missing_ids)


def _object_of(event: Mapping[str, Any]) -> Any:
    data = event.get("data")
    if not isinstance(data, dict):
        raise MalformedFact("data")
    return data.get("object")


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _missing_ids(stripe_object: StripeObject) -> Iterator[str]:
    if stripe_object.kind not in (CHARGE, REFUND):
        return
    for name in SETTLEMENTS:
        if stripe_object.has(name) and stripe_object.expanded(name, BALANCE_TRANSACTION) is None:
            yield stripe_object.text(name)
