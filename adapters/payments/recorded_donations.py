"""Loads many donations from the event log with one query."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.event_store import log as event_log
from adapters.event_store.history import SealingMapper
from adapters.event_store.log import StoredEntry
from adapters.payments.stripe_objects import DonationKey
from domain.donations import Donation, donation_stream
from domain.events import FeeCharged


@dataclass
class RecordedDonation:
    """A donation, and the first record of each balance transaction of it."""

    donation: Donation
    fees: dict[str, FeeCharged] = field(default_factory=dict)


def load_donations(
    connection: Connection[TupleRow], keys: Collection[DonationKey], mapper: SealingMapper | None = None
) -> dict[DonationKey, RecordedDonation]:
    """Return those of the donations that exist; without `mapper` their personal texts stay sealed."""
    streams = {donation_stream(*key): key for key in keys}
    if not streams:
        return {}
    if mapper is not None:
        mapper.preload_keys({*streams, *(ticket_id for ticket_id, _ in keys)})
    to_event = StoredEntry.event if mapper is None else mapper.to_domain_event
    loaded: dict[DonationKey, RecordedDonation] = {}
    for entry in event_log.select(connection, "stream = ANY(%b) ORDER BY stream, version", (list(streams),)):
        key, event = streams[entry.originator_id], to_event(entry)
        recorded = loaded.get(key)
        donation: Any = event.mutate(recorded.donation if recorded else None)
        if recorded is None:
            loaded[key] = recorded = RecordedDonation(donation)
        recorded.donation = donation
        if isinstance(event, FeeCharged):
            recorded.fees.setdefault(event.balance_transaction_id, event)
    return loaded
