"""Delivers a simulated scenario to a service as signed webhooks, and compares the ledger with the oracle."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

import projections
from adapters.payments.retrieval import PendingRetrievals, Retriever
from adapters.payments.stripe_objects import StripeDict
from adapters.payments.webhooks import WebhookVerifier, sign
from adapters.read_models.follower import Follower
from adapters.stripe_sandbox.simulation import oracle
from adapters.stripe_sandbox.simulation.oracle import OracleEntry, OracleEvent, OracleFee, OracleRow
from adapters.stripe_sandbox.simulation.scenario import Scenario
from domain.donations import Donation
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType, Money
from entrypoints.composition.service import Service
from entrypoints.presentation.past_ledger import past_ledger
from entrypoints.presentation.personal_data import PersonalData
from projections import donation_ledger, fee_ledger
from projections.model import Row

SECRET = "whsec_of_a_simulation"  # noqa: S105 - signs only simulated events
SHARE_OF_LATE = 0.15
# Of each ticket, so many earlier moments are compared.
PAST_MOMENTS = 3


class SimulationRunner:
    """Delivers one scenario to one service that has no background work running."""

    def __init__(self, service: Service, scenario: Scenario) -> None:
        self.service = service
        self.scenario = scenario
        self._verifier = WebhookVerifier([SECRET], livemode=False)
        self._retrievals = PendingRetrievals(
            service.database, service.payments.inbox, Retriever(scenario.retrieve, livemode=False)
        )
        self._follower = Follower(service.url, projections.ALL)
        # How often each thing was played that Stripe does to a ledger.
        self.played = scenario.counts() | {"pastMoments": 0}
        self.delivered = 0

    def open(self) -> None:
        """Record the tickets and the checkouts of the scenario."""
        for ticket in dict.fromkeys(donation.ticket_id for donation in self.scenario.donations):
            contact = Contact(ContactType.EMAIL, "simulation@example.com")
            self.service.commands.tickets.open(
                SYSTEM, NewTicket(ticket, "public", ticket.hex[:12], contact, ticket.hex, None, ticket.hex)
            )
        for simulated in self.scenario.donations:
            money = Money(simulated.amount, simulated.currency)
            donation = Donation.request_checkout(SYSTEM, simulated.ticket_id, simulated.donation_id, money, None)
            donation.open_checkout(SYSTEM, simulated.session_id, int(time.time()), livemode=False)
            self.service.aggregates.donations.add(donation)

    def play(self, random: Random, progress: Callable[[int, int], None] = lambda *_: None) -> None:
        """Deliver every event in random order, some of them days after the others, and apply parts of them between."""
        deliveries = self.scenario.deliveries(random)
        late_ids = {event["id"] for event in deliveries if random.random() < SHARE_OF_LATE}
        punctual = [event for event in deliveries if event["id"] not in late_ids]
        late = [event for event in deliveries if event["id"] in late_ids]
        self.open()
        for number, event in enumerate((*punctual, *late), 1):
            if number == len(punctual) + 1:
                self.settle()
                self.let_days_pass()
            self.deliver(event)
            self.delivered = number
            progress(number, len(deliveries))
            if random.random() < 0.03:
                self.service.payments.applier.apply_batch(random.choice((1, 10, 200)))
        self.settle()
        self.let_days_pass()
        self.played |= {"late": len(late), "outOfOrder": self._out_of_order((*punctual, *late))}

    def _out_of_order(self, deliveries: Sequence[StripeDict]) -> int:
        """Return how many events were first delivered after an event of the same donation with a later time."""
        count, latest, delivered = 0, dict[UUID, int](), set[str]()
        for event in deliveries:
            donation_id = self.scenario.donation_ids.get(event["id"])
            if donation_id is None or event["id"] in delivered:
                continue
            delivered.add(event["id"])
            at = oracle.with_object(event, self.scenario.retrieve).at
            count += at < latest.get(donation_id, at)
            latest[donation_id] = max(at, latest.get(donation_id, at))
        return count

    def let_days_pass(self) -> None:
        """Let everything in the inbox be so old that what is still held is listed among the dead letters."""
        self.service.database.execute("UPDATE stripe_inbox SET received_at = received_at - interval '4 days'")

    def deliver(self, event: Mapping[str, object]) -> None:
        """Deliver an event as a signed webhook."""
        body = json.dumps(event).encode()
        self.service.payments.inbox.accept(self._verifier.verify(body, sign(body, SECRET, time.time())))

    def settle(self) -> None:
        """Apply webhooks and retrieve objects until no work is left, and let the read models follow."""
        while (
            self.service.payments.applier.apply_batch()
            or self._retrievals.retrieve_one()
            or self._retrievals.ask_about_held(after_seconds=0)
        ):
            pass
        with self.service.database.connection() as connection:
            while self._follower.fold_next_batch(connection):
                pass

    def expected(self) -> dict[UUID, OracleRow]:
        """Return the oracle's row of each donation."""
        events_by_donation: dict[UUID, list[OracleEvent]] = defaultdict(list)
        for event, oracle_event in zip(self.scenario.events, self._oracle_events(), strict=True):
            events_by_donation[self.scenario.donation_ids[event["id"]]].append(oracle_event)
        ids = [donation.donation_id for donation in self.scenario.donations]
        return {id: oracle.row_of(events_by_donation[id], self.scenario.retrieve) for id in ids}

    def _oracle_events(self) -> list[OracleEvent]:
        return [oracle.with_object(event, self.scenario.retrieve) for event in self.scenario.events]

    def ledger(self) -> dict[UUID, OracleRow]:
        """Return the ledger's row of each donation, with personal texts decrypted."""
        personal = PersonalData(self.service.history.cipher)
        rows, entries = {}, self._entries()
        for donation in self.scenario.donations:
            row = self.service.database.read(donation_ledger.donation, donation.donation_id)
            if row is not None:
                rows[donation.donation_id] = OracleRow(
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
                    entries=tuple(entries[donation.donation_id]),
                )
        return rows

    def _entries(self) -> dict[UUID, list[OracleEntry]]:
        """Return the ledger's entries of each donation in the order of their times."""
        by_donation: dict[UUID, list[OracleEntry]] = defaultdict(list)
        for ticket in {donation.ticket_id for donation in self.scenario.donations}:
            rows = self.service.database.read(donation_ledger.entries, ticket)
            for row in sorted(rows, key=lambda row: (row["occurred_at"], row["kind"], row["amount"])):
                entry = row["kind"], row["amount"], int(row["occurred_at"].timestamp())
                by_donation[row["donation_id"]].append(entry)
        return by_donation

    def differences(self) -> list[str]:
        """Return every difference between the oracle and the ledger with its totals, entries and fees."""
        expected, ledger = self.expected(), self.ledger()
        wrong_donations = [
            f"donation {id}: {ledger.get(id)} instead of {row}" for id, row in expected.items() if ledger.get(id) != row
        ]
        return [
            *wrong_donations,
            *self._wrong_totals(expected),
            *self._wrong_past(expected),
            *self._wrong_fees(),
            *self._wrong_inbox(),
        ]

    def totals(self) -> list[dict[str, object]]:
        """Return the sums of the ledger over all tickets, one for each currency."""
        sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(donation_ledger.SUM_COLUMNS, 0))
        for ticket in {donation.ticket_id for donation in self.scenario.donations}:
            with self.service.database.transaction() as cursor:
                for total in donation_ledger.totals(cursor, ticket):
                    for kind in donation_ledger.SUM_COLUMNS:
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
        for donation in self.scenario.donations:
            row, amounts = expected[donation.donation_id], sums[donation.ticket_id, donation.currency]
            for index, amount in enumerate((row.paid, row.refunded, row.disputed)):
                amounts[index] += amount
        for ticket in {donation.ticket_id for donation in self.scenario.donations}:
            with self.service.database.transaction() as cursor:
                totals = donation_ledger.totals(cursor, ticket)
                entries = donation_ledger.entries(cursor, ticket)
            for total in totals:
                kinds = donation_ledger.SUM_COLUMNS
                posted = [
                    sum(e["amount"] for e in entries if (e["kind"], e["currency"]) == (kind, total["currency"]))
                    for kind in kinds
                ]
                amounts = sums.pop((ticket, total["currency"]))
                if not [total[kind] for kind in kinds] == posted == amounts:
                    yield f"ticket {ticket}: {total}, posted {posted} instead of {amounts}"
        for (ticket, currency), amounts in sums.items():
            yield f"ticket {ticket}: no {currency} instead of {amounts}"

    def _wrong_fees(self) -> Iterable[str]:
        expected = oracle.fee_rows(self._oracle_events(), self.scenario.retrieve)
        ids = [donation.donation_id for donation in self.scenario.donations]
        rows = self.service.database.read(fee_ledger.entries, ids)
        recorded = {_fee_id(row): _oracle_fee(row) for row in rows if row["exchange"] or row["category"] != "exchange"}
        for id in expected.keys() | recorded.keys():
            if expected.get(id) != recorded.get(id):
                yield f"balance transaction {id}: {recorded.get(id)} instead of {expected.get(id)}"

    def _wrong_past(self, expected: Mapping[UUID, OracleRow]) -> Iterable[str]:
        """Yield every donation that had other sums, or was paid at another time, at an earlier moment."""
        random = Random(self.scenario.seed)  # noqa: S311
        for ticket in sorted({donation.ticket_id for donation in self.scenario.donations}):
            history = self.service.queries.reads().ticket_history(ticket)
            ids = [donation.donation_id for donation in self.scenario.donations if donation.ticket_id == ticket]
            moments = sorted({at for id in ids for _, _, at in expected[id].entries})
            for moment in random.sample(moments, min(PAST_MOMENTS, len(moments))):
                self.played["pastMoments"] += 1
                past = past_ledger(history, datetime.fromtimestamp(moment, UTC), None)
                rows = {row["donation_id"]: _past_sums(row) for row in past.all(donation_ledger.DONATIONS)}
                for id in ids:
                    if rows.get(id, (0, 0, 0, None)) != (sums := expected[id].as_of(moment)):
                        yield f"donation {id} as of {moment}: {rows.get(id)} instead of {sums}"

    def _wrong_inbox(self) -> Iterable[str]:
        """Yield what was not applied, what was kept of other business, and what counts without a person's decision."""
        waiting, ignored = {"held", "dead"}, {"ignored"}
        expected_states = [
            (self.scenario.events, {"applied", "ignored"}),
            (self.scenario.copied_payments, waiting),
            *((events, ignored) for events in self.scenario.other_business.values()),
        ]
        rows = self.service.database.rows("SELECT event_id, state, length(body) FROM stripe_inbox")
        inbox = {id: (state, size) for id, state, size in rows}
        for events, states in expected_states:
            for event in events:
                state, size = inbox.get(event["id"], ("not stored", 0))
                if state not in states or (state == "ignored" and size):
                    yield f"event {event['id']}: {event['type']} is {state} with {size} bytes"


def _past_sums(row: Mapping[str, Any]) -> tuple[int, int, int, int | None]:
    return row["paid"], row["refunded"], row["disputed"], row["paid_at"] and int(row["paid_at"].timestamp())


def _fee_id(row: Row) -> str:
    return row["balance_transaction_id"] if row["category"] != "exchange" else f"exchange of {row['source_id']}"


def _oracle_fee(row: Row) -> OracleFee:
    details = tuple((detail["type"], detail["minor"]) for detail in row["fee_details"])
    return OracleFee(row["gross"], row["fee"], row["currency"], row["exchange_rate"], details, row["exchange"])
