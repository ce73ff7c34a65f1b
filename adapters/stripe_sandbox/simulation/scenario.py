"""A scenario: random donations, the events that Stripe sends about them, and the objects that Stripe then has."""

from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox.simulation.payment_simulation import PaymentSimulation
from domain.errors import NotFoundError

DONATIONS = 50
DONATIONS_PER_TICKET = 10
FIRST_SECOND = 1_780_000_000

# The smallest and the largest donation in each currency's minor unit; the currencies have none, two or three decimals.
CURRENCIES = {"usd": (100, 50_000), "eur": (100, 50_000), "jpy": (100, 50_000), "kwd": (1_000, 90_000)}


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

    `noise` are events that must have no effect; those of `other_business` must be ignored and leave no body.
    """

    seed: int
    donations: list[SimulatedDonation] = field(default_factory=list)
    events: list[StripeDict] = field(default_factory=list)
    objects: dict[str, StripeDict] = field(default_factory=dict)
    noise: list[StripeDict] = field(default_factory=list)
    other_business: list[StripeDict] = field(default_factory=list)

    def deliveries(self, random: Random, max_repeats: int = 2) -> list[StripeDict]:
        """Return events and noise in random order, each at least once and repeated at most `max_repeats` times."""
        deliveries = [
            event
            for event in (*self.events, *self.noise, *self.other_business)
            for _ in range(random.randint(1, 1 + max_repeats))
        ]
        random.shuffle(deliveries)
        return deliveries

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
    now = FIRST_SECOND
    for _ in range(donations):
        now += random.randint(1, 600)
        currency = random.choices(list(CURRENCIES), (6, 2, 2, 1))[0]
        payment = PaymentSimulation(random, id_random, now, random.randint(*CURRENCIES[currency]), currency)
        ticket_id, donation_id = random.choice(tickets), _uuid(id_random)
        session_id = payment.new_id("cs_test_")
        payment.create_session(session_id, {"ticketId": str(ticket_id), "donationId": str(donation_id)})
        payment.run()
        scenario.donations.append(
            SimulatedDonation(ticket_id, donation_id, payment.amount, currency.upper(), session_id)
        )
        scenario.events += payment.events
        scenario.objects |= payment.objects
    noise = _noise(random, id_random)
    scenario.noise = noise.events
    scenario.objects |= noise.objects
    _add_other_business(scenario, random, id_random)
    return scenario


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def _add_other_business(scenario: Scenario, random: Random, id_random: Random) -> None:
    """Add payments of a shop on the same Stripe account, and events of another account about a payment of ours."""
    for _ in range(3):
        payment = PaymentSimulation(random, id_random, FIRST_SECOND, random.randint(100, 50_000), "usd")
        payment.create_session(payment.new_id("cs_test_"), {"order": "a shop of the same account"})
        payment.pay()
        payment.refund_and_dispute()
        scenario.other_business += payment.events
        scenario.objects |= payment.objects
    for event in random.sample(scenario.events, min(3, len(scenario.events))):
        account = "context" if event["object"] == "v2.core.event" else "account"
        scenario.other_business.append(event | {"id": f"{event['id']}x", account: "acct_1other"})


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
