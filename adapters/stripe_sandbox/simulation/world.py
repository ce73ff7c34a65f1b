"""A random world: many donations from their checkout to whatever became of the money, told in Stripe's events."""

from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from adapters.stripe_sandbox.simulation.life import Life, Shape
from domain.errors import NotFoundError

DONATIONS = 50
GIFTS_PER_TICKET = 10
FIRST_SECOND = 1_780_000_000

# Smallest and largest gift of each currency, in its minor unit; with none, two and three decimals.
CURRENCIES = {"usd": (100, 50_000), "eur": (100, 50_000), "jpy": (100, 50_000), "kwd": (1_000, 90_000)}


@dataclass(frozen=True)
class Opened:
    """A donation as we have it on record before Stripe says anything."""

    ticket_id: UUID
    donation_id: UUID
    amount: int
    currency: str
    session_id: str


@dataclass
class World:
    """What there is, what Stripe tells of it in the order in which it happened, and what Stripe shows when asked."""

    seed: int
    donations: list[Opened] = field(default_factory=list)
    events: list[Shape] = field(default_factory=list)
    objects: dict[str, Shape] = field(default_factory=dict)
    noise: list[Shape] = field(default_factory=list)

    def deliveries(self, random: Random, most_repeats: int = 2) -> list[Shape]:
        """Everything Stripe sends, each event at least once, in an order that never was."""
        sent = [event for event in (*self.events, *self.noise) for _ in range(random.randint(1, 1 + most_repeats))]
        random.shuffle(sent)
        return sent

    def retrieve(self, object_id: str) -> Shape:
        """The object as Stripe has it at the end of all."""
        if object_id not in self.objects:
            raise NotFoundError("Stripe has nothing of that id.")
        return deepcopy(self.objects[object_id])


def build(seed: int, donations: int = DONATIONS, name: str = "") -> World:
    """The world of a seed, always the same; with another name it happens alike under other ids."""
    random, world = Random(seed), World(seed)  # noqa: S311
    marks = Random(f"{seed} {name}")  # noqa: S311
    tickets = [_uuid(marks) for _ in range(max(1, donations // GIFTS_PER_TICKET))]
    now = FIRST_SECOND
    for _ in range(donations):
        now += random.randint(1, 600)
        currency = random.choices(list(CURRENCIES), (6, 2, 2, 1))[0]
        life = Life(random, marks, now, random.randint(*CURRENCIES[currency]), currency)
        opened = Opened(random.choice(tickets), _uuid(marks), life.amount, currency.upper(), life.new_id("cs_test_"))
        life.begin(opened.session_id, {"ticketId": str(opened.ticket_id), "donationId": str(opened.donation_id)})
        life.go_on()
        world.donations.append(opened)
        world.events += life.events
        world.objects |= life.objects
    noise = _noise(random, marks)
    world.noise = noise.events
    world.objects |= noise.objects
    return world


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def _noise(random: Random, marks: Random) -> Life:
    """Events that must have no effect: not ours, about strangers' payments, or not as documented."""
    life = Life(random, marks, FIRST_SECOND, 1_000, "usd")
    life.emit("customer.created", {"id": life.new_id("cus_"), "object": "customer"})
    life.emit("payout.paid", {"id": life.new_id("po_"), "object": "payout", "amount": 1})
    life.begin(life.new_id("cs_test_"), {"ticketId": str(_uuid(marks)), "donationId": str(_uuid(marks))})
    life.pay()
    life.begin(life.new_id("cs_test_"), {"order": "a shop of the same account"})
    life.pay()
    for spoilt in ({"amount": "100"}, {"amount": -1}, {"amount": True}, {"object": "charge"}, {"currency": "zzz"}):
        refund = {"id": life.new_id("re_"), "object": "refund", "amount": 1, "currency": "usd", "status": "succeeded"}
        life.emit("refund.created", life.keep(refund | spoilt))
    return life
