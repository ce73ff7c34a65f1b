"""Simulates one payment at Stripe: retries, delayed methods, refunds that fail, inquiries and disputes."""

import string
from copy import deepcopy
from datetime import UTC, datetime
from random import Random

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox.shapes import API_VERSION, SECONDS_FOR_EVIDENCE

NAMES = (
    "Ada Lovelace",
    "grace brewster hopper",
    "山田 太郎",
    "Søren",
    "O'Brien",
    None,
    "  ",
    "=SUM(A1)",
    "Ana María Núñez",
)
COUNTRIES = ("US", "de", "JP", None)
# The version of an endpoint may carry flags.
API_VERSIONS = (API_VERSION, f"{API_VERSION}; custom_checkout_beta=v1; a=1", "2020-08-27; orders_beta=v4")
_ID = string.digits + string.ascii_letters

# The currency of the simulated account, and how many of its minor units a minor unit of each currency is worth.
ACCOUNT_CURRENCY = "gbp"
MIDDLE_RATES = {"usd": 0.79, "eur": 0.86, "jpy": 0.52, "kwd": 0.258, "isk": 0.0057}


class PaymentSimulation:
    """One payment: its `events` in order, and its `objects` in their last state.

    `random` decides what happens, and `id_random` gives the ids.
    """

    def __init__(self, random: Random, id_random: Random, now: int, amount: int, currency: str) -> None:
        self.random = random
        self.id_random = id_random
        self.now = now
        self.amount = amount
        self.currency = currency
        # Stripe may hold a balance in the donation's currency, or exchange the money into the account's.
        self.is_exchanged = self.happens(40)
        self.events: list[StripeDict] = []
        self.objects: dict[str, StripeDict] = {}

    def new_id(self, prefix: str) -> str:
        return prefix + "".join(self.id_random.choices(_ID, k=20))

    def happens(self, percent: int) -> bool:
        return self.random.random() * 100 < percent

    def emit(self, type: str, stripe_object: StripeDict) -> None:
        """Add an event with the object's present state."""
        self.now += self.random.choice((0, 0, 1, 5, 3600, 86_400))
        event: StripeDict = {
            "id": self.new_id("evt_"),
            "object": "event",
            "api_version": self.random.choice(API_VERSIONS),
            "created": self.now,
            "livemode": False,
            "type": type,
            "data": {"object": deepcopy(stripe_object)},
        }
        if self.happens(5) and stripe_object["object"] in ("refund", "dispute", "payment_intent"):
            event = self._thin(event, stripe_object)
        self.events.append(event)

    def _thin(self, event: StripeDict, stripe_object: StripeDict) -> StripeDict:
        """Return the thin event, which names the object without containing it."""
        moment = datetime.fromtimestamp(event["created"], UTC).isoformat().replace("+00:00", "Z")
        return {
            "id": event["id"],
            "object": "v2.core.event",
            "type": f"v1.{event['type']}",
            "created": moment,
            "livemode": False,
            "related_object": {
                "id": stripe_object["id"],
                "type": stripe_object["object"],
                "url": f"/v1/things/{stripe_object['id']}",
            },
        }

    def store(self, stripe_object: StripeDict) -> StripeDict:
        self.objects[stripe_object["id"]] = stripe_object
        return stripe_object

    # The checkout.

    def create_session(self, session_id: str, metadata: dict[str, str]) -> None:
        self.metadata = metadata
        name, email = self.random.choice(NAMES), self.random.choice(("Ada@Example.com ", "x@y.org", None))
        self.details = {"name": name, "email": email, "address": {"country": self.random.choice(COUNTRIES)}}
        self.session = self.store(
            {
                "id": session_id,
                "object": "checkout.session",
                "mode": "payment",
                "created": self.now,
                "amount_total": self.amount,
                "currency": self.currency,
                "payment_intent": None,
                "payment_status": "unpaid",
                "status": "open",
                "livemode": False,
                "customer_details": None,
                "metadata": metadata,
            }
        )

    def run(self) -> None:
        """Let a random outcome happen."""
        outcome = self.random.choices(("paid", "delayed", "expired", "failed", "nothing"), (62, 14, 10, 9, 5))[0]
        if outcome == "paid":
            self.decline(self.random.choice((0, 0, 0, 1, 2)))
            self.pay()
        elif outcome == "delayed":
            self._pay_later()
        elif outcome == "expired":
            self.decline(self.random.choice((0, 1)))
            self._expire()
        elif outcome == "failed":
            self.decline(self.random.randint(1, 3))
        if self.session["payment_status"] == "paid":
            self.refund_and_dispute()

    def _ensure_intent(self) -> None:
        if self.session["payment_intent"] is None:
            self.intent = self.store(
                {
                    "id": self.new_id("pi_"),
                    "object": "payment_intent",
                    "amount": self.amount,
                    "amount_received": 0,
                    "created": self.now,
                    "currency": self.currency,
                    "last_payment_error": None,
                    "latest_charge": None,
                    "status": "requires_payment_method",
                    "livemode": False,
                    "metadata": self.metadata,
                }
            )
            self.session["payment_intent"] = self.intent["id"]

    def decline(self, times: int) -> None:
        """Let so many attempts to pay fail."""
        for _ in range(times):
            self._ensure_intent()
            self.intent["last_payment_error"] = {"code": "card_declined", "decline_code": "generic_decline"}
            self.emit("payment_intent.payment_failed", self.intent)

    def _expire(self) -> None:
        self.session["status"] = "expired"
        if self.session["payment_intent"]:
            self.intent["status"] = "canceled"
            self.emit("payment_intent.canceled", self.intent)
        self.emit("checkout.session.expired", self.session)

    def _pay_later(self) -> None:
        self._ensure_intent()
        self.intent["status"] = "processing"
        self.session |= {"status": "complete", "customer_details": self.details}
        self.emit("checkout.session.completed", self.session)
        self.emit("payment_intent.processing", self.intent)
        outcome = self.random.choice(("success", "success", "failure", "wait"))
        if outcome == "success":
            self.pay("checkout.session.async_payment_succeeded")
        elif outcome == "failure":
            self.intent |= {"status": "requires_payment_method", "last_payment_error": {"code": "debit_refused"}}
            self.emit("payment_intent.payment_failed", self.intent)
            self.emit("checkout.session.async_payment_failed", self.session)

    def pay(self, session_event: str = "checkout.session.completed") -> None:
        """Capture the money and report it in two to four events, sometimes followed by outdated events."""
        self._ensure_intent()
        self.now += self.random.randint(0, 3)
        self.charge = self.store(
            {
                "id": self.new_id("ch_"),
                "object": "charge",
                "amount": self.amount,
                "amount_captured": self.amount,
                "amount_refunded": 0,
                "balance_transaction": None,
                "billing_details": self.details if self.happens(70) else {"name": None, "email": None, "address": None},
                "captured": True,
                "created": self.now,
                "currency": self.currency,
                "payment_intent": self.intent["id"],
                "status": "succeeded",
                "livemode": False,
                "metadata": self.metadata if self.happens(50) else {},
            }
        )
        received = {"status": "succeeded", "amount_received": self.amount, "latest_charge": self.charge["id"]}
        self.intent |= received | {"last_payment_error": None}
        self.session |= {"status": "complete", "payment_status": "paid", "customer_details": self.details}
        notifications = [("payment_intent.succeeded", self.intent), (session_event, self.session)]
        if self.happens(20):
            notifications.pop(self.random.randrange(2))
        if self.happens(90):
            notifications.insert(0, ("charge.succeeded", self.charge))
        for type, stripe_object in notifications:
            self.emit(type, stripe_object)
        self.charge["balance_transaction"] = self._book(self.charge, "charge", self.amount)["id"]
        if self.happens(85):
            self.emit("charge.updated", self.charge)
        if self.happens(8):
            self.emit("checkout.session.expired", self.session)
        if self.happens(8):
            self.emit("payment_intent.payment_failed", self.intent)

    def _book(self, source: StripeDict, category: str, amount: int) -> StripeDict:
        """Add a balance transaction, at a rate of its own if the money is exchanged."""
        currency, rate = self.currency, None
        if self.is_exchanged:
            rate = round(MIDDLE_RATES[currency] * self.random.uniform(0.9, 1.1), 6)
            currency, amount = ACCOUNT_CURRENCY, round(amount * rate)
        details = self._fee_details(category, amount, currency)
        fee = sum(detail["amount"] for detail in details)
        return self.store(
            {
                "id": self.new_id("txn_"),
                "object": "balance_transaction",
                "amount": amount,
                "fee": fee,
                "net": amount - fee,
                "currency": currency,
                "created": self.now,
                "exchange_rate": rate,
                "fee_details": details,
                "source": source["id"],
                "type": "adjustment" if category.startswith("dispute") else category,
                "reporting_category": category,
            }
        )

    def _fee_details(self, category: str, amount: int, currency: str) -> list[StripeDict]:
        parts = {
            "charge": [("stripe_fee", min(amount, amount * 29 // 1000 + 30)), ("tax", amount // 1000)],
            "dispute": [("stripe_fee", 1500)],
        }
        return [
            {"amount": part, "application": None, "currency": currency, "description": "Stripe's", "type": type}
            for type, part in parts.get(category, [])
            if part and (type != "tax" or self.happens(30))
        ]

    # Refunds and disputes.

    def refund_and_dispute(self) -> None:
        for _ in range(self.random.choices((0, 1, 2, 3), (60, 25, 10, 5))[0]):
            self._refund()
        if self.happens(18):
            self._dispute()

    def _refund(self) -> None:
        left = self.amount - self.charge["amount_refunded"]
        if not left:
            return
        amount = left if self.happens(40) else self.random.randint(1, left)
        refund = self.store(
            {
                "id": self.new_id("re_"),
                "object": "refund",
                "amount": amount,
                "balance_transaction": None,
                "charge": self.charge["id"],
                "created": self.now,
                "currency": self.currency,
                "payment_intent": self.intent["id"],
                "status": self.random.choice(("pending", "succeeded", "succeeded", "requires_action")),
                "metadata": {},
            }
        )
        refund["balance_transaction"] = self._book(refund, "refund", -amount)["id"]
        self.charge["amount_refunded"] += amount
        only_total = self.happens(15)
        if not only_total:
            self.emit("refund.created", refund)
        if only_total or self.happens(80):
            self.emit("charge.refunded", self.charge)
        if only_total:
            return
        if refund["status"] != "succeeded" and self.happens(80):
            refund["status"] = "succeeded" if self.happens(75) else "canceled"
            self.emit(self.random.choice(("refund.updated", "charge.refund.updated")), refund)
        if refund["status"] == "canceled":
            self.charge["amount_refunded"] -= amount
        elif self.happens(20):
            refund["status"] = "failed"
            refund["failure_balance_transaction"] = self._book(refund, "refund_failure", amount)["id"]
            self.charge["amount_refunded"] -= amount
            self.emit("refund.failed", refund)
            self.emit("charge.refund.updated", refund)

    def _dispute(self) -> None:
        inquiry = self.happens(30)
        dispute = self.store(
            {
                "id": self.new_id("dp_"),
                "object": "dispute",
                "amount": self.amount if self.happens(60) else self.random.randint(self.amount // 2, self.amount),
                "balance_transactions": [],
                "charge": self.charge["id"],
                "created": self.now,
                "currency": self.currency,
                "evidence_details": {"due_by": self.now + SECONDS_FOR_EVIDENCE},
                "payment_intent": self.intent["id"] if self.happens(50) else None,
                "reason": "fraudulent",
                "status": "warning_needs_response" if inquiry else "needs_response",
                "livemode": False,
            }
        )
        if not inquiry:
            self._withdraw(dispute)
        self.emit("charge.dispute.created", dispute)
        if inquiry:
            if self.happens(50):
                dispute["status"] = "warning_closed"
                self.emit("charge.dispute.closed", dispute)
                return
            dispute["status"] = "needs_response"
            self._withdraw(dispute)
            self.emit("charge.dispute.updated", dispute)
        self.emit("charge.dispute.funds_withdrawn", dispute)
        if self.happens(30):
            return
        dispute["status"] = "under_review"
        self.emit("charge.dispute.updated", dispute)
        dispute["status"] = self.random.choice(("won", "lost"))
        self.emit("charge.dispute.closed", dispute)
        if dispute["status"] == "won":
            # A part is at most four fifths, so that it differs from the whole also after it is exchanged.
            whole = dispute["amount"]
            reinstated = whole if self.happens(70) else self.random.randint(1, whole * 4 // 5)
            dispute["balance_transactions"].append(self._book(dispute, "dispute_reversal", reinstated))
            self.emit("charge.dispute.funds_reinstated", dispute)

    def _withdraw(self, dispute: StripeDict) -> None:
        dispute["balance_transactions"].append(self._book(dispute, "dispute", -dispute["amount"]))
        if self.happens(30):
            dispute["balance_transactions"].append(self._book(dispute, "network_cost", -20))
