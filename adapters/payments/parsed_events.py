"""Parses a Stripe event into facts of the ledger and the ids of the objects that link them to a donation.

Parsing is strict: an event that is not as Stripe documents it raises MalformedObject and never takes effect
(https://docs.stripe.com/api/events/types). An object that we retrieved ourselves yields the facts of its present state.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from adapters.payments.event_parsers import (
    BALANCE_TRANSACTION_FIELDS,
    EVENT_PARSERS,
    STATE_PARSERS,
    HashEmail,
    ParsedFact,
    Parser,
)
from adapters.payments.stripe_objects import (
    BALANCE_TRANSACTION,
    CHARGE,
    KINDS,
    REFUND,
    SESSION,
    DonationKey,
    MalformedObject,
    StripeObject,
    checked_text,
    checked_time,
)
from domain.values import StripeReport

# The inbox stores the following values, so they stay as they are when a name changes.
THIN_EVENT = "v2.core.event"
# The type of an event that consists of an object that we retrieved.
RETRIEVED_TYPE = "retrieved"
# The field of a thin event that holds the object that we retrieved for it.
RETRIEVED_FIELD = "fetched"
# The field of a retrieved object's event that is true if the object yields no facts.
ONLY_LINKS_FIELD = "only_links"
# The type of a row in the inbox that waits until its object is retrieved.
PENDING_TYPE = "wanted"

# The prefixes of the ids of intents, and of charges.
PAYMENT_PREFIXES = ("pi_", "ch_", "py_")

# The types of the events that contain their whole object (Stripe's snapshot events) and yield facts.
PARSED_TYPES = frozenset(EVENT_PARSERS)


class ParsedEvent(Struct, frozen=True):
    """The facts that one event states, and the objects that it names.

    All objects in `object_ids` belong to one donation, whose key is `named_donation` if the metadata names it; the
    first is the event's own object, of this kind. With `only_links` the facts are not recorded. `is_whole` is True if
    that object would have our metadata if it were ours, and `names_its_intent` if it is a session whose intent, if it
    has one, is among the ids. `missing_ids` are the ids of balance transactions that the event names but does not
    contain.
    """

    kind: str
    only_links: bool
    facts: tuple[ParsedFact, ...]
    object_ids: tuple[str, ...]
    named_donation: DonationKey | None
    is_whole: bool
    names_its_intent: bool
    missing_ids: tuple[str, ...] = ()

    @property
    def facts_to_record(self) -> tuple[ParsedFact, ...]:
        return () if self.only_links else self.facts

    @property
    def payment_id(self) -> str:
        """Return the id of the intent, or else of the charge, or else of the last object that the event names.

        The intent comes first, because it has our metadata for certain.
        """
        ids = self.object_ids
        return next((id for prefix in PAYMENT_PREFIXES for id in ids if id.startswith(prefix)), ids[-1])


def is_of_another_account(event: Mapping[str, Any]) -> bool:
    """Return True if a connected account of ours originated the event; an event of our own names no account."""
    return event.get("account") is not None or (event["object"] == THIN_EVENT and event.get("context") is not None)


def object_to_retrieve(event: Mapping[str, Any]) -> str | None:
    """Return the id of the object that must be retrieved before the event can be parsed, or None."""
    if event["object"] == PENDING_TYPE:
        return str(event["id"])
    if event["object"] != THIN_EVENT or RETRIEVED_FIELD in event:
        return None
    related = event.get("related_object")
    if not isinstance(related, dict) or related.get("type") not in KINDS:
        return None
    return checked_text(related.get("id"), "id")


def parse_event(event: Mapping[str, Any], hash_email: HashEmail) -> ParsedEvent | None:
    """Return the event's facts, or None if no parser reads its type; MalformedObject if it is not as documented."""
    is_thin = event["object"] == THIN_EVENT
    # The type of a thin event about an object of the v1 API is the snapshot event's type with the prefix `v1.`.
    type = event["type"].removeprefix("v1.") if is_thin else event["type"]
    if type not in EVENT_PARSERS and type != RETRIEVED_TYPE and not is_thin:
        return None
    object_data = event.get(RETRIEVED_FIELD) if is_thin else _object_of(event)
    kind, parser = EVENT_PARSERS.get(type) or _state_parser(object_data)
    if parser is None:
        return None
    stripe_object = StripeObject(object_data, kind)
    stripe_time = _unix_seconds(event["created"]) if is_thin else checked_time(event.get("created"), "created")
    only_links = type == RETRIEVED_TYPE and event.get(ONLY_LINKS_FIELD) is True
    facts = tuple(parser(stripe_object, StripeReport(event["id"], stripe_time), hash_email))
    missing_ids = tuple(_missing_ids(stripe_object)) if facts and not only_links else ()
    object_ids = stripe_object.linked_ids()
    return ParsedEvent(
        kind,
        only_links,
        facts,
        object_ids,
        stripe_object.named_donation(),
        stripe_object.is_whole(),
        # An open session has no intent before the donor tries to pay, so an event about one may be older than it.
        kind == SESSION and (len(object_ids) > 1 or type == RETRIEVED_TYPE),
        missing_ids,
    )


def object_id_of(event: Mapping[str, Any]) -> str:
    """Return the id of the object that the event is about; MalformedObject if it names none."""
    if event["object"] == PENDING_TYPE:
        return str(event["id"])
    stripe_object = event.get("related_object") if event["object"] == THIN_EVENT else _object_of(event)
    if not isinstance(stripe_object, dict):
        raise MalformedObject("data.object")
    return checked_text(stripe_object.get("id"), "id")


def _object_of(event: Mapping[str, Any]) -> Any:
    data = event.get("data")
    if not isinstance(data, dict):
        raise MalformedObject("data")
    return data.get("object")


def _state_parser(object_data: Any) -> tuple[str, Parser | None]:
    """Return the object's kind and the parser of its present state, or None if no donation has such objects."""
    kind = str(object_data.get("object")) if isinstance(object_data, dict) else ""
    return kind, STATE_PARSERS.get(kind)


def _unix_seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _missing_ids(stripe_object: StripeObject) -> Iterator[str]:
    if stripe_object.kind not in (CHARGE, REFUND):
        return
    for name in BALANCE_TRANSACTION_FIELDS:
        if stripe_object.has(name) and stripe_object.expanded(name, BALANCE_TRANSACTION) is None:
            yield stripe_object.text(name)
