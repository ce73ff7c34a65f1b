"""Reconciliation compares Stripe's events and objects with our donations, and applies those that we did not receive.

Events are compared first, because they have the times at which things happened; Stripe keeps them for 30 days. Objects
are compared after them.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from adapters.payments.applier import Applier
from adapters.payments.event_parsers import BALANCE_TRANSACTION_FIELDS
from adapters.payments.gateway import StripeGateway
from adapters.payments.inbox import Inbox
from adapters.payments.parsed_events import PARSED_TYPES
from adapters.payments.reconciliation_checks import agrees, sums_agree
from adapters.payments.retrieval import PendingRetrievals, Retriever
from adapters.payments.stripe_objects import SESSION, DonationKey, StripeDict, StripeObject
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.ports import Donations

OBJECT_ID_PREFIXES = ("cs", "pi", "ch", "re", "dp")
BATCH_EVENTS = 100


@dataclass
class Reconciliation:
    """The numbers of donations that agreed with Stripe and that agree after a repair, and the remaining differences."""

    matched: int = 0
    repaired: int = 0
    unmatched: list[dict[str, str]] = field(default_factory=list)


class Reconciler:
    """Compares donations with Stripe and repairs them. It may run repeatedly, and while the service runs."""

    def __init__(
        self,
        database: Database,
        gateway: StripeGateway,
        inbox: Inbox,
        applier: Applier,
        retrievals: PendingRetrievals,
        retriever: Retriever,
        donations: Donations,
        *,
        livemode: bool,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._inbox = inbox
        self._applier = applier
        self._retrievals = retrievals
        self._retriever = retriever
        self._donations = donations
        self._livemode = livemode

    def reconcile(self, since: datetime) -> Reconciliation:
        """Compare everything that Stripe created since then; UnavailableError if Stripe is unavailable."""
        new_object_ids, dismissed_ids = self._accept_missing_events(since), self._inbox.dismissed_object_ids()
        self._apply_all()
        self._ask_about_held_events(dismissed_ids)
        by_donation = self._objects_by_donation(since, dismissed_ids)
        repaired = set(self._existing_links(new_object_ids).values()) | self._repair(by_donation)
        outcome = Reconciliation()
        for key, stripe_objects in by_donation.items():
            if reason := self._disagreement(key, stripe_objects):
                outcome.unmatched.append({"id": str(key[1]), "type": "donation", "reason": reason})
            elif key in repaired:
                outcome.repaired += 1
            else:
                outcome.matched += 1
        outcome.repaired += len(repaired - by_donation.keys())
        outcome.unmatched += self._unapplied_events()
        return outcome

    def _apply_all(self) -> None:
        self._applier.apply_all()
        while self._retrievals.retrieve_one():
            self._applier.apply_all()

    # Events.

    def _accept_missing_events(self, since: datetime) -> set[str]:
        """Store undelivered events; return the ids of their objects."""
        object_ids: set[str] = set()
        events = (e for e in self._gateway.events(since) if e["type"] in PARSED_TYPES and self._is_our_mode(e))
        while batch := list(islice(events, BATCH_EVENTS)):
            existing_ids = self._inbox.existing_ids([event["id"] for event in batch])
            for event in batch:
                if event["id"] not in existing_ids and self._inbox.accept_listed(event):
                    object_ids.add(event["data"]["object"]["id"])
        return object_ids

    def _is_our_mode(self, stripe_object: StripeDict) -> bool:
        return stripe_object.get("livemode", self._livemode) is self._livemode

    def _ask_about_held_events(self, dismissed_ids: set[str]) -> None:
        """Ask Stripe about the events that are held: for their payments, and then for the checkouts of these."""
        asked = set(dismissed_ids)
        while ids := [id for id in self._awaited_ids() if id not in asked]:
            asked.update(ids)
            for id in ids:
                with suppress(NotFoundError):
                    stripe_object = self._retriever.retrieve(id)
                    self._inbox.accept_retrieved(stripe_object, self._retriever.time_of(stripe_object))
            self._apply_all()

    def _awaited_ids(self) -> list[str]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT DISTINCT unnest(waits_for) AS id FROM stripe_inbox WHERE state = 'held' ORDER BY id"
            ).fetchall()
        return [id for (id,) in rows if id.startswith(("cs_", "pi_", "ch_", "py_"))]

    # Objects.

    def _objects_by_donation(
        self, since: datetime, dismissed_ids: Container[str]
    ) -> dict[DonationKey, list[StripeDict]]:
        """Return the objects that Stripe created since then and that belong to donations of ours."""
        stripe_objects = [
            stripe_object
            for prefix in OBJECT_ID_PREFIXES
            for stripe_object in self._gateway.objects(prefix, since)
            if self._is_our_mode(stripe_object) and stripe_object["id"] not in dismissed_ids
        ]
        parsed = [StripeObject(data, data["object"]) for data in stripe_objects]
        links = self._links(parsed)
        by_donation: dict[DonationKey, list[StripeDict]] = defaultdict(list)
        for data, stripe_object in zip(stripe_objects, parsed, strict=True):
            if (key := next((links[id] for id in stripe_object.linked_ids() if id in links), None)) is not None:
                by_donation[key].append(data)
        return dict(by_donation)

    def _links(self, stripe_objects: Sequence[StripeObject]) -> dict[str, DonationKey]:
        """Return the donation of each linked id, from the stored links and from the checkouts that are ours.

        Sessions come before intents, intents before charges, and charges before refunds and disputes, so that the
        donation of a session is known for all that belongs to it. An intent's or a charge's metadata may be copied.
        """
        links = self._existing_links({id for stripe_object in stripe_objects for id in stripe_object.linked_ids()})
        for stripe_object in stripe_objects:
            ids = stripe_object.linked_ids()
            key = next((links[id] for id in ids if id in links), None) or self._named_by_checkout(stripe_object)
            if key is not None:
                for id in ids:
                    links.setdefault(id, key)
        return links

    def _existing_links(self, ids: set[str]) -> dict[str, DonationKey]:
        with self._database.connection() as connection:
            rows = connection.execute(
                # A link without a ticket is one to other business on the same Stripe account.
                "SELECT object_id, ticket_id, donation_id FROM stripe_links"
                " WHERE object_id = ANY(%s) AND ticket_id IS NOT NULL",
                (sorted(ids),),
            ).fetchall()
        return {id: (ticket_id, donation_id) for id, ticket_id, donation_id in rows}

    def _named_by_checkout(self, stripe_object: StripeObject) -> DonationKey | None:
        """Return the donation that the metadata of a checkout names, if it exists."""
        if stripe_object.kind != SESSION or (key := stripe_object.named_donation()) is None:
            return None
        try:
            self._donations.get(*key)
        except NotFoundError:
            return None
        return key

    def _repair(self, by_donation: Mapping[DonationKey, list[StripeDict]]) -> set[DonationKey]:
        """Apply the objects that do not agree with our donations; return the keys of these donations."""
        repaired = set()
        for key, stripe_objects in by_donation.items():
            gift = self._donations.get(*key).gift
            for stripe_object in stripe_objects:
                if not agrees(gift, stripe_object):
                    repaired.add(key)
                    self._inbox.accept_retrieved(stripe_object, self._retriever.time_of(stripe_object))
            self._add_missing_balance_transactions(stripe_objects)
        self._apply_all()
        return repaired

    def _add_missing_balance_transactions(self, stripe_objects: Iterable[StripeDict]) -> None:
        """Request the retrieval of the objects' balance transactions that the inbox does not hold."""
        times = {
            id: stripe_object["created"]
            for stripe_object in stripe_objects
            for name in BALANCE_TRANSACTION_FIELDS
            if isinstance(id := stripe_object.get(name), str)
        }
        if missing_ids := times.keys() - self._inbox.existing_ids(list(times)):
            with self._database.transaction() as cursor:
                self._inbox.add_retrievals(cursor, {id: times[id] for id in sorted(missing_ids)})

    def _disagreement(self, key: DonationKey, stripe_objects: list[StripeDict]) -> str | None:
        """Return the reason why the donation still differs from Stripe's objects, or None if they agree."""
        gift = self._donations.get(*key).gift
        if wrong_ids := sorted(data["id"] for data in stripe_objects if not agrees(gift, data)):
            return f"differs from Stripe's {', '.join(wrong_ids)}"
        return None if sums_agree(gift, stripe_objects) else "the sums differ from Stripe's"

    def _unapplied_events(self) -> list[dict[str, str]]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT event_id, type, coalesce(error, 'its payment is not known') FROM stripe_inbox"
                " WHERE state IN ('held', 'dead') ORDER BY received_at, event_id"
            ).fetchall()
        return [{"id": id, "type": type, "reason": reason} for id, type, reason in rows]
