"""One payment, held still while something happens to it; and what all such acts are made of."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.stripe_sandbox import shapes
from adapters.stripe_sandbox.refusal import StripeRefusal, missing
from adapters.stripe_sandbox.shapes import Shape
from adapters.stripe_sandbox.store import Store
from domain.values import decimals


@dataclass(frozen=True)
class PaymentTiming:
    """How many seconds the sandbox takes for what takes Stripe or a bank its time.

    `later` ends delayed payments and refunds, `settlement` comes between a charge and its balance transaction,
    `shuffle` is how far an event falls behind when the order is odd, `retry` the first pause after a failed delivery.
    """

    later: float = 8
    settlement: float = 1
    shuffle: float = 2
    retry: float = 1


@dataclass(frozen=True)
class Moment:
    """When an act happens, at what pace things follow from it, and under which key it was asked for."""

    at: float
    pace: PaymentTiming
    idempotency_key: str | None = None

    @property
    def second(self) -> int:
        return int(self.at)


class Payment:
    """A checkout session and all that came of it, locked until the transaction of `store` ends."""

    def __init__(self, store: Store, session_id: str, moment: Moment) -> None:
        store.lock(session_id)
        session = store.find("checkout.session", session_id)
        if session is None:
            raise missing("checkout.session", session_id)
        self.session = session
        self.store = store
        self.moment = moment

    def intent(self) -> Shape | None:
        """The payment intent, which begins with the first attempt to pay."""
        found = self.store.of_session(self.session["id"], "payment_intent")
        return found[0] if found else None

    def charge_of(self, intent: Shape) -> Shape:
        return self.find("charge", intent["latest_charge"])

    def paid_charge(self) -> Shape:
        intent = self.intent()
        if intent is None or intent["status"] != "succeeded":
            raise StripeRefusal("This PaymentIntent does not have a successful charge.")
        return self.charge_of(intent)

    def find(self, kind: str, id: str) -> Shape:
        found = self.store.find(kind, id)
        if found is None:
            raise missing(kind, id)
        return found

    def disputed(self, *states: str) -> bool:
        """Whether a dispute or inquiry in one of these states exists."""
        return any(dispute["status"] in states for dispute in self.store.of_session(self.session["id"], "dispute"))

    def save(self, *bodies: Shape) -> None:
        for body in bodies:
            self.store.save(body, self.session["id"])

    def emit(self, type: str, body: Shape, previous: Shape | None = None, after_seconds: float = 0) -> None:
        """Tell of `body` as it is now; `previous` are the former values of what changed."""
        second = int(self.moment.at + after_seconds)
        event = shapes.event(type, body, second, previous, self.moment.idempotency_key)
        self.store.emit(event, self.session["id"], after_seconds, self.moment.pace.shuffle)

    def plan(self, id: str, step: str | None) -> None:
        """What will happen to this object by itself, some time later."""
        self.store.plan(id, step, self.moment.at + self.moment.pace.later if step else None)

    def balance(self, source: Shape, type: str, category: str, amount: int, fee: int = 0) -> Shape:
        """Book `amount` for an object on the account's balance."""
        transaction = shapes.balance_transaction(
            source=source["id"],
            type=type,
            category=category,
            amount=amount,
            fee=fee,
            currency=source["currency"],
            now=self.moment.second,
            description=None,
        )
        self.save(transaction)
        return transaction


def processing_fee(amount: int, currency: str) -> int:
    """2.9 % and 30 hundredths, rounded half up, and never more than the whole amount."""
    return min(amount, (amount * 29 + 500) // 1000 + _hundredths(30, currency))


def dispute_fee(currency: str) -> int:
    """15.00 in the currency, or 1500 of its units where it has no hundredths."""
    return _hundredths(1500, currency)


def _hundredths(count: int, currency: str) -> int:
    return count * 10 if decimals(currency.upper()) == 3 else count
