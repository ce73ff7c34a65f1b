"""A scenario: random donations, the events that Stripe sends about them, and the objects that Stripe then has."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from uuid import UUID

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox.simulation.other_business import CopiedPayment, ShopPayment, Subscription
from adapters.stripe_sandbox.simulation.payment_simulation import PaymentSimulation
from domain.errors import NotFoundError

DONATIONS = 50
DONATIONS_PER_TICKET = 10
FIRST_SECOND = 1_780_000_000
SWAPPED = 3

# The donations in each currency's minor unit; the currencies have none, two or three decimals. Stripe takes only 0 as
# the last digit of KWD, and only 00 as the decimals of ISK.
CURRENCIES = {
    "usd": range(100, 50_001),
    "eur": range(100, 50_001),
    "jpy": range(100, 50_001),
    "kwd": range(1_000, 90_001, 10),
    "isk": range(10_000, 5_000_001, 100),
}


@dataclass(frozen=True)
class SimulatedDonation:
    """A donation whose checkout is open before Stripe sends any event about it."""

    ticket_id: UUID
    donation_id: UUID
    amount: int
    currency: str
    session_id: str


@dataclass
class Scenario:
    """Donations, Stripe's events about them in order, and Stripe's objects after all events.

    `noise` are events that must have no effect; those of `other_business` must be ignored and leave no body, and those
    of `copied_payments` wait for the decision of a person. `donation_ids` tells the donation of each event, and
    `swapped_metadata` the donations whose payment has the ids of another donation in its metadata.
    """

    seed: int
    donations: list[SimulatedDonation] = field(default_factory=list)
    events: list[StripeDict] = field(default_factory=list)
    objects: dict[str, StripeDict] = field(default_factory=dict)
    donation_ids: dict[str, UUID] = field(default_factory=dict)
    swapped_metadata: set[UUID] = field(default_factory=set)
    noise: list[StripeDict] = field(default_factory=list)
    other_business: dict[str, list[StripeDict]] = field(default_factory=dict)
    copied_payments: list[StripeDict] = field(default_factory=list)

    def deliveries(self, random: Random, max_repeats: int = 2) -> list[StripeDict]:
        """Return all events in random order, each at least once and repeated at most `max_repeats` times."""
        events = [*self.events, *self.noise, *chain(*self.other_business.values()), *self.copied_payments]
        deliveries = [event for event in events for _ in range(random.randint(1, 1 + max_repeats))]
        random.shuffle(deliveries)
        return deliveries

    def counts(self) -> dict[str, int]:
        """Return the numbers of events of other business by kind, and of what else Stripe does to a ledger."""
        return {
            **{kind: len(events) for kind, events in self.other_business.items()},
            "copiedMetadata": len(self.copied_payments),
            "swappedMetadata": len(self.swapped_metadata),
            "exchanged": sum(stripe_object.get("exchange_rate") is not None for stripe_object in self.objects.values()),
            "flaggedVersions": sum(";" in event.get("api_version", "") for event in self.events),
        }

    def retrieve(self, object_id: str) -> StripeDict:
        """Return the object in its last state; NotFoundError if the id is unknown."""
        if object_id not in self.objects:
            raise NotFoundError("Stripe has no object with this id.")
        return deepcopy(self.objects[object_id])


def build(seed: int, donations: int = DONATIONS, name: str = "") -> Scenario:
    """Return the scenario of a seed; another `name` gives the same scenario with other ids."""
    random, id_random = Random(seed), Random(f"{seed} {name}")  # noqa: S311
    scenario = Scenario(seed)
    tickets = [_uuid(id_random) for _ in range(max(1, donations // DONATIONS_PER_TICKET))]
    payments: dict[UUID, PaymentSimulation] = {}
    now = FIRST_SECOND
    for _ in range(donations):
        now += random.randint(1, 600)
        currency = random.choices(list(CURRENCIES), (6, 2, 2, 1, 1))[0]
        payment = PaymentSimulation(random, id_random, now, random.choice(CURRENCIES[currency]), currency)
        ticket_id, donation_id = random.choice(tickets), _uuid(id_random)
        session_id = payment.new_id("cs_test_")
        payment.create_session(session_id, {"ticketId": str(ticket_id), "donationId": str(donation_id)})
        payment.run()
        scenario.donations.append(
            SimulatedDonation(ticket_id, donation_id, payment.amount, currency.upper(), session_id)
        )
        payments[donation_id] = payment
        _add(scenario, payment, scenario.events)
        scenario.donation_ids |= {event["id"]: donation_id for event in payment.events}
    _swap_metadata(scenario, payments, random)
    _add(scenario, _noise(random, id_random), scenario.noise)
    paid = [payment.metadata for payment in payments.values() if payment.session["payment_status"] == "paid"]
    _add_other_business(scenario, paid, random, id_random)
    return scenario


def _add(scenario: Scenario, payment: PaymentSimulation, events: list[StripeDict]) -> None:
    events += payment.events
    scenario.objects |= payment.objects


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def _swap_metadata(scenario: Scenario, payments: Mapping[UUID, PaymentSimulation], random: Random) -> None:
    """Write the ids of another donation into the metadata of a few payments: the checkouts that we opened decide.

    Only such payments are chosen whose checkout is reported as paid. A failed attempt of a payment precedes the report
    of its checkout, so its metadata alone tells the donation.
    """
    undecided = {"payment_intent.payment_failed", "payment_intent.processing", "payment_intent.canceled"}
    candidates = []
    for donation_id, payment in payments.items():
        types = {event["type"].removeprefix("v1.") for event in payment.events}
        if "checkout.session.completed" in types and not types & undecided:
            candidates.append(donation_id)
    for donation_id in random.sample(candidates, min(SWAPPED, len(candidates))):
        payment, metadata = payments[donation_id], payments[random.choice(list(payments))].metadata
        if metadata == payment.metadata:
            continue
        scenario.swapped_metadata.add(donation_id)
        reported = [event["data"]["object"] for event in payment.events if event["object"] == "event"]
        for stripe_object in (*reported, *payment.objects.values()):
            if stripe_object.get("metadata"):
                stripe_object["metadata"] = metadata


def _add_other_business(scenario: Scenario, paid: list[dict[str, str]], random: Random, id_random: Random) -> None:
    """Add a shop and subscriptions on the same Stripe account, events of another account, and copied metadata.

    `paid` has the metadata of the donations that are paid.
    """

    def ids_of_a_donation() -> dict[str, str]:
        return random.choice(paid) if paid else {}

    other_account = [
        event | {"id": f"{event['id']}x", "context" if event["object"] == "v2.core.event" else "account": "acct_1other"}
        for event in random.sample(scenario.events, min(3, len(scenario.events)))
    ]
    scenario.other_business = {"shop": [], "subscriptions": [], "otherAccount": other_account}
    for kind, simulation in (("shop", ShopPayment), ("subscriptions", Subscription)):
        for number in range(3):
            metadata = ids_of_a_donation() if number == 0 or kind == "shop" else {"plan": "monthly"}
            payment = simulation(random, id_random, FIRST_SECOND, metadata)
            payment.run()
            _add(scenario, payment, scenario.other_business[kind])
    if paid:
        copied = CopiedPayment(random, id_random, FIRST_SECOND, ids_of_a_donation())
        copied.run()
        _add(scenario, copied, scenario.copied_payments)


def _noise(random: Random, id_random: Random) -> PaymentSimulation:
    """Return events of other types, events about payments that are not ours, and malformed events."""
    noise = PaymentSimulation(random, id_random, FIRST_SECOND, 1_000, "usd")
    noise.emit("customer.created", {"id": noise.new_id("cus_"), "object": "customer"})
    noise.emit("payout.paid", {"id": noise.new_id("po_"), "object": "payout", "amount": 1})
    session_id = noise.new_id("cs_test_")
    noise.create_session(session_id, {"ticketId": str(_uuid(id_random)), "donationId": str(_uuid(id_random))})
    noise.pay()
    noise.create_session(noise.new_id("cs_test_"), {"order": "a shop of the same account"})
    noise.pay()
    for malformed in ({"amount": "100"}, {"amount": -1}, {"amount": True}, {"object": "charge"}, {"currency": "zzz"}):
        refund = {"id": noise.new_id("re_"), "object": "refund", "amount": 1, "currency": "usd", "status": "succeeded"}
        noise.emit("refund.created", noise.store(refund | malformed))
    return noise
