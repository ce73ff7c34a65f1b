"""What a Stripe event says in our words: the facts of the ledger, and the objects that link them to a donation.

Read strictly: whatever is not as Stripe documents it raises MalformedFact and never has an effect
(https://docs.stripe.com/api/events/types). An object that we fetched ourselves, for a thin event or because nobody
told us of it, says what its present state says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.payments.event_parsers import READERS, SETTLEMENTS, STATES, HashEmail, ParsedFact
from adapters.payments.stripe_objects import (
    BALANCE_TRANSACTION,
    CHARGE,
    KINDS,
    REFUND,
    MalformedFact,
    StripeObject,
    whole_number,
)
from domain.values import StripeReport

THIN = "v2.core.event"
# The type of what we fetched ourselves, and where a thin event keeps what was fetched for it.
RETRIEVED = "retrieved"
FETCHED = "fetched"
# The type of what we have noted to be fetched.
WANTED = "wanted"

# The types of full events that say something of a gift.
OUR_TYPES = frozenset(READERS)


@dataclass(frozen=True)
class ParsedEvent:
    """All that one event says; `objects` all belong to the same donation, `named` is it, where metadata says so.

    `wants` are balance transactions that it names and does not show.
    """

    facts: tuple[ParsedFact, ...]
    objects: tuple[str, ...]
    named: tuple[UUID, UUID] | None
    wants: tuple[str, ...] = ()


def to_fetch(event: Mapping[str, Any]) -> str | None:
    """The id of the object that has to be fetched before the event can be read."""
    if event["object"] == WANTED:
        return str(event["id"])
    if event["object"] != THIN or FETCHED in event:
        return None
    related = event.get("related_object")
    if not isinstance(related, dict) or related.get("type") not in KINDS:
        return None
    return StripeObject({**related, "object": THIN}, THIN).text("id")


def read(event: Mapping[str, Any], hash_email: HashEmail) -> ParsedEvent | None:
    """What an event says, or None if its type is not ours; MalformedFact if it is not as documented."""
    thin = event["object"] == THIN
    # A thin event about an object of the first API is named like the full one.
    name = event["type"].removeprefix("v1.") if thin else event["type"]
    kind, reader = READERS.get(name, (None, None))
    if reader is None and not thin and name != RETRIEVED:
        return None
    data = event.get(FETCHED) if thin else _object_of(event)
    if kind is None or reader is None:
        kind = str(data.get("object")) if isinstance(data, dict) else ""
        reader = STATES.get(kind)
        if reader is None:
            return None
    thing = StripeObject(data, kind)
    at = _seconds(event["created"]) if thin else whole_number(event.get("created"), "created")
    facts = tuple(reader(thing, StripeReport(event["id"], at), hash_email))
    return ParsedEvent(facts, thing.objects(), thing.named(), tuple(_wants(thing)) if facts else ())


def _object_of(event: Mapping[str, Any]) -> Any:
    data = event.get("data")
    if not isinstance(data, dict):
        raise MalformedFact("data")
    return data.get("object")


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _wants(thing: StripeObject) -> Iterator[str]:
    for name in SETTLEMENTS:
        if thing.kind in (CHARGE, REFUND) and thing.has(name) and thing.expanded(name, BALANCE_TRANSACTION) is None:
            yield thing.text(name)
