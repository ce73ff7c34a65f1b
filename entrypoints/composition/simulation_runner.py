"""A rehearsal: a random world of donations sent through the door, and the ledger held against the oracle."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import projections
from adapters.payments.retrieval import PendingRetrievals, Retriever
from adapters.payments.webhooks import WebhookVerifier, sign
from adapters.postgres.database import connect
from adapters.read_models.follower import Follower
from adapters.stripe_sandbox.simulation import oracle
from adapters.stripe_sandbox.simulation.oracle import OracleRow
from adapters.stripe_sandbox.simulation.world import World
from domain.commands.tickets import NewTicket
from domain.donations import Donation
from domain.values import SYSTEM, Contact, ContactType, Money
from entrypoints.composition.service import Service
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger, fee_ledger

SECRET = "whsec_of_a_rehearsal"  # noqa: S105 - signs nothing that anybody else believes


class SimulationRunner:
    """One world played to one service, which has nothing running of its own."""

    def __init__(self, service: Service, world: World) -> None:
        self.service = service
        self.world = world
        self._verifier = WebhookVerifier([SECRET], livemode=False)
        self._retrievals = PendingRetrievals(
            service.database, service.payments.inbox, Retriever(world.retrieve, livemode=False)
        )
        self._follower = Follower(service.url, projections.ALL)

    def open(self) -> None:
        """Put the tickets and the checkouts of the world on record."""
        for ticket in {one.ticket_id: None for one in self.world.donations}:
            contact = Contact(ContactType.EMAIL, "rehearsal@example.com")
            self.service.commands.tickets.open(
                SYSTEM, NewTicket(ticket, "public", ticket.hex[:12], contact, ticket.hex, None, ticket.hex)
            )
        for one in self.world.donations:
            money = Money(one.amount, one.currency)
            donation = Donation.request_checkout(SYSTEM, one.ticket_id, one.donation_id, money, None)
            donation.open_checkout(SYSTEM, one.session_id, int(time.time()), livemode=False)
            self.service.aggregates.donations.add(donation)

    def deliver(self, event: Mapping[str, Any]) -> None:
        """Send an event through the door, signed."""
        body = json.dumps(event).encode()
        self.service.payments.inbox.accept(self._verifier.verify(body, sign(body, SECRET, time.time())))

    def settle(self) -> None:
        """Apply and fetch until nothing is left to do, and let the read models see it."""
        while self.service.payments.applier.apply_batch() or self._retrievals.retrieve_one():
            pass
        with connect(self.service.url) as connection:
            while self._follower.fold_next_batch(connection):
                pass

    def expected(self) -> dict[UUID, OracleRow]:
        told = [oracle.told(event, self.world.retrieve) for event in self.world.events]
        grouped = oracle.by_donation(told)
        return {one.donation_id: oracle.line(grouped.get(one.donation_id, [])) for one in self.world.donations}

    def found(self) -> dict[UUID, OracleRow]:
        """The ledger's lines, personal texts opened as for somebody who may read them."""
        personal = PersonalData(self.service.history.cipher)
        lines = {}
        for one in self.world.donations:
            with self.service.database.transaction() as cursor:
                row = donation_ledger.donation(cursor, one.donation_id)
            if row is not None:
                lines[one.donation_id] = OracleRow(
                    status=row["status"],
                    pending=row["pending"],
                    paid=row["paid"],
                    refunded=row["refunded"],
                    disputed=row["disputed"],
                    paid_at=row["paid_at"] and int(row["paid_at"].timestamp()),
                    refunded_at=row["refunded_at"] and int(row["refunded_at"].timestamp()),
                    dispute=row["dispute_status"],
                    donor=personal.text_or_none(row["ticket_id"], row["donor_last_name"]),
                    country=row["country"],
                )
        return lines

    def differences(self) -> list[str]:
        """Where ledger, totals, entries and fees are not what the oracle says; nothing, if all is well."""
        expected, found = self.expected(), self.found()
        wrong = [
            f"donation {id}: {found.get(id)} instead of {line}"
            for id, line in expected.items()
            if found.get(id) != line
        ]
        return [*wrong, *self._wrong_totals(expected), *self._wrong_fees()]

    def totals(self) -> list[dict[str, Any]]:
        """What the ledger sums to in each currency, over all tickets."""
        sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(donation_ledger.MOVED, 0))
        for ticket in {one.ticket_id for one in self.world.donations}:
            with self.service.database.transaction() as cursor:
                for total in donation_ledger.totals(cursor, ticket):
                    for kind in donation_ledger.MOVED:
                        sums[total["currency"]][kind] += total[kind]
        return [
            {
                "currency": currency,
                **{f"{kind}Minor": amount for kind, amount in summed.items()},
                "netMinor": summed["paid"] - summed["refunded"] - summed["disputed"],
            }
            for currency, summed in sorted(sums.items())
        ]

    def _wrong_totals(self, expected: Mapping[UUID, OracleRow]) -> Iterable[str]:
        sums: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for one in self.world.donations:
            line, summed = expected[one.donation_id], sums[one.ticket_id, one.currency]
            for place, amount in enumerate((line.paid, line.refunded, line.disputed)):
                summed[place] += amount
        for ticket in {one.ticket_id for one in self.world.donations}:
            with self.service.database.transaction() as cursor:
                totals = donation_ledger.totals(cursor, ticket)
                entries = donation_ledger.entries(cursor, ticket)
            for total in totals:
                kinds = donation_ledger.MOVED
                posted = [
                    sum(e["amount"] for e in entries if (e["kind"], e["currency"]) == (kind, total["currency"]))
                    for kind in kinds
                ]
                wanted = sums.pop((ticket, total["currency"]))
                if not [total[kind] for kind in kinds] == posted == wanted:
                    yield f"ticket {ticket}: {total}, posted {posted} instead of {wanted}"
        for (ticket, currency), wanted in sums.items():
            yield f"ticket {ticket}: no {currency} instead of {wanted}"

    def _wrong_fees(self) -> Iterable[str]:
        told = [oracle.told(event, self.world.retrieve) for event in self.world.events]
        expected = oracle.settlements(told, self.world.retrieve)
        with self.service.database.transaction() as cursor:
            rows = fee_ledger.entries(cursor, [one.donation_id for one in self.world.donations])
        found = {row["balance_transaction_id"]: (row["gross"], row["fee"], row["currency"]) for row in rows}
        for id in expected.keys() | found.keys():
            if expected.get(id) != found.get(id):
                yield f"balance transaction {id}: {found.get(id)} instead of {expected.get(id)}"
