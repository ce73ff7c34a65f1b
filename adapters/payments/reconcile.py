"""Reconciliation compares Stripe's events and objects with our donations, and applies those that we did not receive.

Events are compared first, because they have the times at which things happened; Stripe keeps them for 30 days. Objects
are compared after them, and then what we recorded ourselves: money that we have and Stripe has not, fees, and refunds
and disputes that are not decided yet.

All lists are read in pages. What Stripe lists waits in a temporary file until its donation is compared, so the time
grows with the number of objects, and the memory does not (`python -m tests.benchmarks --only reconcile`).
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from adapters.payments.applier import Applier
from adapters.payments.gateway import StripeGateway
from adapters.payments.inbox import Inbox
from adapters.payments.listed_objects import ListedObjects
from adapters.payments.parsed_events import PARSED_TYPES
from adapters.payments.reconciliation_checks import (
    OwnRecord,
    agrees,
    differences,
    known_ids,
    own_records,
    undecided_ids,
)
from adapters.payments.recorded_donations import RecordedDonation, load_donations
from adapters.payments.retrieval import PendingRetrievals, Retriever
from adapters.payments.stripe_objects import SESSION, DonationKey, StripeDict, StripeObject
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.ports import Donations
from projections import donation_ledger, fee_ledger

# Sessions come before intents, intents before charges, charges before refunds and disputes, and balance transactions
# last, so that the donation of a session is known for all that belongs to it.
OBJECT_ID_PREFIXES = ("cs", "pi", "ch", "re", "dp", "txn")
PAGE = 100
OWN_PAGE = 5_000
# Fewer balance transactions than this are retrieved one by one instead of from the list of all.
MANY_RETRIEVALS = 100

# Called with the name of a step, how much of it is done, and how much there is of it, as far as that is known.
Progress = Callable[[str, int, int], None]


@dataclass
class Reconciliation:
    """The numbers of donations that agreed with Stripe and that agree after a repair, and the remaining differences."""

    matched: int = 0
    repaired: int = 0
    unmatched: list[dict[str, str]] = field(default_factory=list)


@dataclass
class _Case:
    """A donation with its objects at Stripe, and with our records of the period that Stripe does not find."""

    recorded: RecordedDonation
    stripe_objects: dict[str, StripeDict]
    unknown: list[OwnRecord] = field(default_factory=list)

    def differing(self) -> list[StripeDict]:
        return [data for data in self.stripe_objects.values() if not agrees(self.recorded, data)]

    def differences(self) -> list[str]:
        return differences(self.recorded, list(self.stripe_objects.values()), self.unknown)


_Cases = Mapping[DonationKey, _Case]


@dataclass(frozen=True)
class Reconciler:
    """Compares donations with Stripe and repairs them. It may run repeatedly, and while the service runs."""

    database: Database
    gateway: StripeGateway
    inbox: Inbox
    applier: Applier
    retrievals: PendingRetrievals
    retriever: Retriever
    donations: Donations
    _: KW_ONLY
    livemode: bool

    def reconcile(self, since: datetime, progress: Progress = lambda *_: None) -> Reconciliation:
        """Compare all that happened since then, in our books and at Stripe; UnavailableError if Stripe is unavailable.

        Refunds and disputes that are not decided yet are compared whatever their age.
        """
        with ListedObjects() as listed:
            self._accept_missing_events(since, listed, progress)
            dismissed_ids = self.inbox.dismissed_object_ids()
            self.applier.apply_all()
            self._answer_retrievals(since, progress)
            self._apply_all()
            self._ask_about_held_events(dismissed_ids)
            self._list_objects(since, dismissed_ids, listed, progress)
            self._add_our_own(since, listed)
            outcome, done, count = Reconciliation(), 0, listed.donation_count()
            for page in listed.donations(PAGE):
                self._compare(page, listed, since, outcome)
                done += len(page)
                progress("donations", done, count)
        outcome.unmatched += self._unapplied_events()
        return outcome

    def _pages(self, prefix: str, since: datetime, progress: Progress) -> Iterator[list[StripeDict]]:
        """Yield pages of the objects of our own mode that Stripe created since then."""
        done, stripe_objects = 0, self.gateway.objects(prefix, since)
        while page := list(islice(stripe_objects, PAGE)):
            yield [data for data in page if data.get("livemode", self.livemode) is self.livemode]
            done += len(page)
            progress(f"Stripe's list {prefix}", done, done)

    def _apply_all(self) -> None:
        self.applier.apply_all()
        while self.retrievals.retrieve_one():
            self.applier.apply_all()

    # Events.

    def _accept_missing_events(self, since: datetime, listed: ListedObjects, progress: Progress) -> None:
        """Store undelivered events, and note their objects."""
        for page in self._pages("evt", since, progress):
            events = [event for event in page if event["type"] in PARSED_TYPES]
            existing_ids = self.inbox.existing_ids([event["id"] for event in events])
            missing = [event for event in events if event["id"] not in existing_ids]
            listed.add_changed(event["data"]["object"]["id"] for event in self.inbox.accept_all_listed(missing))

    def _answer_retrievals(self, since: datetime, progress: Progress) -> None:
        """Answer requests for balance transactions from Stripe's list, a hundred with each call."""
        if self.retrievals.pending_count("txn_") > MANY_RETRIEVALS:
            for page in self._pages("txn", since, progress):
                self.retrievals.answer(page)

    def _ask_about_held_events(self, dismissed_ids: set[str]) -> None:
        """Ask Stripe about the events that are held: for their payments, and then for the checkouts of these."""
        handled_ids = set(dismissed_ids)
        while ids := [id for id in self._awaited_ids() if id not in handled_ids]:
            handled_ids.update(ids)
            for id in ids:
                with suppress(NotFoundError):
                    stripe_object = self.retriever.retrieve(id)
                    self.inbox.accept_retrieved(stripe_object, self.retriever.time_of(stripe_object))
            self._apply_all()

    def _awaited_ids(self) -> list[str]:
        rows = self.database.rows(
            "SELECT DISTINCT unnest(waits_for) AS id FROM stripe_inbox WHERE state = 'held' ORDER BY id"
        )
        return [id for (id,) in rows if id.startswith(("cs_", "pi_", "ch_", "py_"))]

    # Objects.

    def _list_objects(
        self, since: datetime, dismissed_ids: Collection[str], listed: ListedObjects, progress: Progress
    ) -> None:
        """Collect the objects that Stripe created since then and that belong to donations of ours."""
        for prefix in OBJECT_ID_PREFIXES:
            for page in self._pages(prefix, since, progress):
                self._add_page([data for data in page if data["id"] not in dismissed_ids], listed)

    def _add_page(self, page: Sequence[StripeDict], listed: ListedObjects) -> None:
        """Find the objects' donations, from the stored links and from the checkouts that are ours.

        An intent's or a charge's metadata may be copied, so it links nothing.
        """
        parsed = [(data, StripeObject(data, data["object"])) for data in page]
        ids = {id for _, stripe_object in parsed for id in stripe_object.linked_ids()}
        links = listed.links(ids) | self._existing_links(ids)
        added, new_links = [], {}
        for data, stripe_object in parsed:
            object_ids = stripe_object.linked_ids()
            key = next((links[id] for id in object_ids if id in links), None) or self._named_by_checkout(stripe_object)
            if key is not None:
                added.append((key, data))
                for id in object_ids:
                    if id not in links:
                        links[id] = new_links[id] = key
        listed.add(added)
        listed.link(new_links)

    def _existing_links(self, ids: Collection[str]) -> dict[str, DonationKey]:
        rows = self.database.rows(
            # A link without a ticket is one to other business on the same Stripe account.
            "SELECT object_id, ticket_id, donation_id FROM stripe_links"
            " WHERE object_id = ANY(%s) AND ticket_id IS NOT NULL",
            (sorted(ids),),
        )
        return {id: (ticket_id, donation_id) for id, ticket_id, donation_id in rows}

    def _named_by_checkout(self, stripe_object: StripeObject) -> DonationKey | None:
        """Return the donation that the metadata of a checkout names, if it exists."""
        if stripe_object.kind != SESSION or (key := stripe_object.named_donation()) is None:
            return None
        try:
            self.donations.get(*key)
        except NotFoundError:
            return None
        return key

    # Our own donations.

    def _add_our_own(self, since: datetime, listed: ListedObjects) -> None:
        """Add the donations whose events were missing, that moved money since then, or that are not decided yet."""
        for ids in listed.changed(PAGE):
            listed.add_donations(self._existing_links(ids).values(), repaired=True)
        for query in (donation_ledger.moved_since, fee_ledger.charged_since):
            after: UUID | None = None
            while keys := self.database.read(query, since, after, OWN_PAGE):
                listed.add_donations(keys)
                after = keys[-1][1]
        after = None
        while gifts := self.database.read(donation_ledger.with_refunds_or_disputes, after, PAGE):
            listed.add_donations((ticket, donation) for ticket, donation, gift in gifts if undecided_ids(gift))
            after = gifts[-1][1]

    # The comparison.

    def _compare(
        self, donations: Mapping[DonationKey, bool], listed: ListedObjects, since: datetime, outcome: Reconciliation
    ) -> None:
        """Compare a page of donations, and repair them; the value of each is True if it was repaired already.

        A donation that was only compared with a list older than its webhooks has no new event, so it is not repaired.
        """
        by_donation = listed.of(donations)
        cases = {
            key: _Case(recorded, {data["id"]: data for data in by_donation[key]})
            for key, recorded in self._load(donations).items()
        }
        for case in cases.values():
            self._ask_about_own_records(case, since)
        versions = {key: case.recorded.donation.version for key, case in cases.items()}
        self._repair({key: case for key, case in cases.items() if case.differing()})
        # What happened since the lists were read is no difference, so what still differs is retrieved again.
        differing = {key: case for key, case in cases.items() if case.differences()}
        for case in differing.values():
            for data in case.differing():
                with suppress(NotFoundError):
                    case.stripe_objects[data["id"]] = self.retriever.retrieve(data["id"])
        self._repair(differing)
        for key, case in cases.items():
            if texts := case.differences():
                outcome.unmatched.append({"id": str(key[1]), "type": "donation", "reason": "; ".join(texts)})
            elif donations[key] or case.recorded.donation.version != versions[key]:
                outcome.repaired += 1
            else:
                outcome.matched += 1

    def _load(self, keys: Collection[DonationKey]) -> dict[DonationKey, RecordedDonation]:
        with self.database.connection() as connection:
            return load_donations(connection, keys)

    def _ask_about_own_records(self, case: _Case, since: datetime) -> None:
        """Retrieve the objects that must explain what we recorded and that Stripe did not list."""
        ids = known_ids(case.stripe_objects.values())
        for record in own_records(case.recorded, since.timestamp()):
            if ids.isdisjoint(record.object_ids):
                try:
                    case.stripe_objects[record.id] = self.retriever.retrieve(record.id)
                except NotFoundError:
                    case.unknown.append(record)
                ids |= known_ids([case.stripe_objects[record.id]]) if record.id in case.stripe_objects else {record.id}

    def _repair(self, cases: _Cases) -> None:
        """Apply the objects that do not agree with our donations, and load these again."""
        if not cases:
            return
        self.inbox.accept_all_retrieved(
            [
                (data, self.retriever.time_of(data, case.stripe_objects))
                for case in cases.values()
                for data in case.differing()
            ]
        )
        self.applier.apply_all()
        # A charge names its balance transaction, which Stripe listed as well.
        self.retrievals.answer(
            data
            for case in cases.values()
            for data in case.stripe_objects.values()
            if data["object"] == "balance_transaction"
        )
        self._apply_all()
        for key, recorded in self._load(list(cases)).items():
            cases[key].recorded = recorded

    def _unapplied_events(self) -> list[dict[str, str]]:
        rows = self.database.rows(
            "SELECT event_id, type, coalesce(error, 'its payment is not known') FROM stripe_inbox"
            " WHERE state IN ('held', 'dead') ORDER BY received_at, event_id"
        )
        return [{"id": id, "type": type, "reason": reason} for id, type, reason in rows]
