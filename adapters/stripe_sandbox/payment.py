"""A locked payment, with the operations that all acts on payments share."""

from dataclasses import dataclass

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox import shapes
from adapters.stripe_sandbox.refusal import StripeRefusal
from adapters.stripe_sandbox.store import Store
from domain.values import decimals


@dataclass(frozen=True)
class PaymentTiming:
    """The sandbox's delays in seconds.

    `later` passes until a delayed payment or refund ends, `settlement` between a charge and its balance transaction,
    `shuffle` is the longest delay of an event delivered in random order, `retry` the first pause after a failed
    delivery.
    """

    later: float = 8
    settlement: float = 1
    shuffle: float = 2
    retry: float = 1


@dataclass(frozen=True)
class Moment:
    """The time of an act, the delays of what follows from it, and the idempotency key of its request."""

    at: float
    timing: PaymentTiming
    idempotency_key: str | None = None

    @property
    def second(self) -> int:
        return int(self.at)


class Payment:
    """A checkout session and all its objects, locked until the transaction of `store` ends."""

    def __init__(self, store: Store, session_id: str, moment: Moment) -> None:
        store.lock(session_id)
        self.session = store.get("checkout.session", session_id)
        self.store = store
        self.moment = moment

    def intent(self) -> StripeDict | None:
        """Return the payment intent, or None before the first attempt to pay."""
        return next(iter(self.store.of_session(self.session["id"], "payment_intent")), None)

    def charge_of(self, intent: StripeDict) -> StripeDict:
        return self.store.get("charge", intent["latest_charge"])

    def paid_charge(self) -> StripeDict:
        intent = self.intent()
        if intent is None or intent["status"] != "succeeded":
            raise StripeRefusal("This PaymentIntent does not have a successful charge.")
        return self.charge_of(intent)

    def is_disputed(self, *states: str) -> bool:
        """Return True if there is a dispute or inquiry in one of these states."""
        return any(dispute["status"] in states for dispute in self.store.of_session(self.session["id"], "dispute"))

    def save(self, *bodies: StripeDict) -> None:
        for body in bodies:
            self.store.save(body, self.session["id"])

    def emit(self, type: str, body: StripeDict, previous: StripeDict | None = None, after_seconds: float = 0) -> None:
        """Emit an event with the object's present state; `previous` has the former values of its changed fields."""
        second = int(self.moment.at + after_seconds)
        event = shapes.event(type, body, second, previous, self.moment.idempotency_key)
        self.store.emit(event, self.session["id"], after_seconds, self.moment.timing.shuffle)

    def plan_step(self, id: str, step: str | None) -> None:
        """Set the step that will happen to this object later; None cancels it."""
        self.store.plan_step(id, step, self.moment.at + self.moment.timing.later if step else None)

    def balance(self, source: StripeDict, type: str, category: str, amount: int, fee: int = 0) -> StripeDict:
        """Book `amount` for an object on the account's balance; return the balance transaction."""
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
    """Return 2.9 % plus 30 hundredths, rounded half up, and at most the whole amount."""
    return min(amount, (amount * 29 + 500) // 1000 + _hundredths(30, currency))


def dispute_fee(currency: str) -> int:
    """Return 15.00 in the currency, or 1500 of its units if it has no hundredths."""
    return _hundredths(1500, currency)


def _hundredths(count: int, currency: str) -> int:
    return count * 10 if decimals(currency.upper()) == 3 else count
