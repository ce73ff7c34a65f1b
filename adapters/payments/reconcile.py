"""Reconciling: what Stripe lists is held against what we have, and what we never heard of is applied.

Events first, which Stripe keeps for 30 days and which know when things happened; then the objects themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from adapters.payments.applier import Applier
from adapters.payments.gateway import StripeGateway
from adapters.payments.inbox import Inbox
from adapters.payments.parsed_events import OUR_TYPES
from adapters.payments.reconciliation_checks import agrees, sums_agree
from adapters.payments.retrieval import Fetcher, Retriever
from adapters.payments.stripe_objects import KINDS, MalformedFact, StripeObject
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.stores import Donations

Name = tuple[UUID, UUID]
StripeDict = Mapping[str, Any]

PREFIXES = ("cs", "pi", "ch", "re", "dp")
PAGE = 100


@dataclass
class Reconciliation:
    """How many donations agreed with Stripe, how many do only now, and what does not."""

    matched: int = 0
    repaired: int = 0
    unmatched: list[dict[str, str]] = field(default_factory=list)


class Reconciler:
    """Compares and repairs; running it twice, or beside the live service, does no harm."""

    def __init__(
        self,
        database: Database,
        gateway: StripeGateway,
        inbox: Inbox,
        applier: Applier,
        fetcher: Fetcher,
        retriever: Retriever,
        donations: Donations,
        *,
        livemode: bool,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._inbox = inbox
        self._applier = applier
        self._fetcher = fetcher
        self._retriever = retriever
        self._donations = donations
        self._livemode = livemode

    def reconcile(self, since: datetime) -> Reconciliation:
        """UnavailableError if Stripe is away; what was applied until then stays."""
        news = self._take_events(since)
        self._settle()
        self._match_held()
        listed = self._listed(since)
        moved = set(self._known_links(news).values()) | self._repair(listed)
        outcome = Reconciliation()
        for name, things in listed.items():
            if fault := self._fault(name, things):
                outcome.unmatched.append({"id": str(name[1]), "type": "donation", "reason": fault})
            elif name in moved:
                outcome.repaired += 1
            else:
                outcome.matched += 1
        outcome.repaired += len(moved - listed.keys())
        outcome.unmatched += self._left()
        return outcome

    def _settle(self) -> None:
        self._applier.apply_all()
        while self._fetcher.fetch_one():
            self._applier.apply_all()

    # Events.

    def _take_events(self, since: datetime) -> set[str]:
        """Store the events that nobody delivered; the objects that they are about."""
        about: set[str] = set()
        events = (e for e in self._gateway.events(since) if e["type"] in OUR_TYPES and self._ours(e))
        while page := list(islice(events, PAGE)):
            known = self._inbox.known([event["id"] for event in page])
            for event in page:
                if event["id"] not in known and self._inbox.accept_listed(event):
                    about.add(event["data"]["object"]["id"])
        return about

    def _ours(self, thing: StripeDict) -> bool:
        return thing.get("livemode", self._livemode) is self._livemode

    # Objects.

    def _listed(self, since: datetime) -> dict[Name, list[StripeDict]]:
        """Stripe's objects since then, by the donation of ours that they belong to."""
        things = [t for prefix in PREFIXES for t in self._gateway.objects(prefix, since) if self._ours(t)]
        links = self._links(things)
        listed: dict[Name, list[StripeDict]] = defaultdict(list)
        for thing in things:
            if (name := self._name_of(thing, links)) is not None:
                listed[name].append(thing)
        return dict(listed)

    def _links(self, things: Iterable[StripeDict]) -> dict[str, Name]:
        """Which donation each object belongs to, as far as we know or their metadata says."""
        read = [StripeObject(thing, thing["object"]) for thing in things if thing["object"] in KINDS]
        links = self._known_links({id for one in read for id in one.objects()})
        for one in read:
            if (named := one.named()) is not None and self._is_ours(named):
                links = dict.fromkeys(one.objects(), named) | links
        return links

    def _known_links(self, ids: set[str]) -> dict[str, Name]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT object_id, ticket_id, donation_id FROM stripe_links WHERE object_id = ANY(%s)", (sorted(ids),)
            ).fetchall()
        return {id: (ticket, donation) for id, ticket, donation in rows}

    def _name_of(self, thing: StripeDict, links: Mapping[str, Name]) -> Name | None:
        return next((links[id] for id in StripeObject(thing, thing["object"]).objects() if id in links), None)

    def _is_ours(self, name: Name) -> bool:
        try:
            self._donations.get(*name)
        except NotFoundError:
            return False
        return True

    def _repair(self, listed: Mapping[Name, list[StripeDict]]) -> set[Name]:
        """Apply the objects that our donations do not agree with; which donations those were."""
        moved = set()
        for name, things in listed.items():
            gift = self._donations.get(*name).gift
            for thing in things:
                if not agrees(gift, thing):
                    moved.add(name)
                    self._inbox.accept_retrieved(thing, self._retriever.time_of(thing))
            self._want_settlements(things)
        self._settle()
        return moved

    def _want_settlements(self, things: Iterable[StripeDict]) -> None:
        names = ("balance_transaction", "failure_balance_transaction")
        wanted = {id: t["created"] for t in things for name in names if isinstance(id := t.get(name), str)}
        unknown = wanted.keys() - self._inbox.known(list(wanted))
        if unknown:
            with self._database.transaction() as cursor:
                self._inbox.note_wanted(cursor, {id: wanted[id] for id in sorted(unknown)})

    def _fault(self, name: Name, things: list[StripeDict]) -> str | None:
        gift = self._donations.get(*name).gift
        if wrong := sorted(thing["id"] for thing in things if not agrees(gift, thing)):
            return f"differs from Stripe's {', '.join(wrong)}"
        return None if sums_agree(gift, things) else "the sums differ from Stripe's"

    # What waits in the inbox for a payment that nobody told us of.

    def _match_held(self) -> None:
        """Ask Stripe for the payments that held events wait for; those of ours release them."""
        for object_id in self._awaited():
            try:
                thing = self._retriever.look(object_id)
                if (named := StripeObject(thing, thing["object"]).named()) is not None and self._is_ours(named):
                    self._inbox.accept_retrieved(thing, self._retriever.time_of(thing))
            except (NotFoundError, MalformedFact):
                continue
        self._settle()

    def _awaited(self) -> list[str]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT DISTINCT unnest(waits_for) AS id FROM stripe_inbox WHERE state = 'held' ORDER BY id"
            ).fetchall()
        return [id for (id,) in rows if id.startswith(("pi_", "ch_", "py_"))]

    def _left(self) -> Iterator[dict[str, str]]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT event_id, type, coalesce(error, 'its payment is not known') FROM stripe_inbox"
                " WHERE state IN ('held', 'dead') ORDER BY received_at, event_id"
            ).fetchall()
        yield from ({"id": id, "type": type, "reason": reason} for id, type, reason in rows)
