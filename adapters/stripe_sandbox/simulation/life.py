"""The life of one donation at Stripe: retries, delayed methods, refunds that fail, inquiries and disputes."""

import string
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

Shape = dict[str, Any]

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
_ID = string.digits + string.ascii_letters


class Life:
    """Everything that happens to one checkout; `events` in their order, `objects` as they are in the end."""

    def __init__(self, random: Random, marks: Random, now: int, amount: int, currency: str) -> None:
        self.random = random
        self.marks = marks
        self.now = now
        self.amount = amount
        self.currency = currency
        self.events: list[Shape] = []
        self.objects: dict[str, Shape] = {}

    # What all acts are made of.

    def new_id(self, prefix: str) -> str:
        return prefix + "".join(self.marks.choices(_ID, k=20))

    def chance(self, per_cent: int) -> bool:
        return self.random.random() * 100 < per_cent

    def emit(self, type: str, thing: Shape) -> None:
        """Tell of the thing as it is now."""
        self.now += self.random.choice((0, 0, 1, 5, 3600, 86_400))
        event: Shape = {
            "id": self.new_id("evt_"),
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": self.now,
            "livemode": False,
            "type": type,
            "data": {"object": deepcopy(thing)},
        }
        if self.chance(5) and thing["object"] in ("refund", "dispute", "payment_intent"):
            event = self._thin(event, thing)
        self.events.append(event)

    def _thin(self, event: Shape, thing: Shape) -> Shape:
        """The same news without the object, which has to be asked for."""
        moment = datetime.fromtimestamp(event["created"], UTC).isoformat().replace("+00:00", "Z")
        return {
            "id": event["id"],
            "object": "v2.core.event",
            "type": f"v1.{event['type']}",
            "created": moment,
            "livemode": False,
            "related_object": {"id": thing["id"], "type": thing["object"], "url": f"/v1/things/{thing['id']}"},
        }

    def keep(self, thing: Shape) -> Shape:
        self.objects[thing["id"]] = thing
        return thing

    # The checkout.

    def begin(self, session_id: str, metadata: dict[str, str]) -> None:
        self.metadata = metadata
        name, email = self.random.choice(NAMES), self.random.choice(("Ada@Example.com ", "x@y.org", None))
        self.details = {"name": name, "email": email, "address": {"country": self.random.choice(COUNTRIES)}}
        self.session = self.keep(
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

    def go_on(self) -> None:
        """Let happen what happens."""
        end = self.random.choices(("paid", "delayed", "expired", "failed", "nothing"), (62, 14, 10, 9, 5))[0]
        if end == "paid":
            self._fail_first(self.random.choice((0, 0, 0, 1, 2)))
            self.pay()
        elif end == "delayed":
            self._delay()
        elif end == "expired":
            self._fail_first(self.random.choice((0, 1)))
            self._expire()
        elif end == "failed":
            self._fail_first(self.random.randint(1, 3))
        if self.session["payment_status"] == "paid":
            self._afterwards()

    def _attempt(self) -> None:
        if self.session["payment_intent"] is None:
            self.intent = self.keep(
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

    def _fail_first(self, times: int) -> None:
        for _ in range(times):
            self._attempt()
            self.intent["last_payment_error"] = {"code": "card_declined", "decline_code": "generic_decline"}
            self.emit("payment_intent.payment_failed", self.intent)

    def _expire(self) -> None:
        self.session["status"] = "expired"
        if self.session["payment_intent"]:
            self.intent["status"] = "canceled"
            self.emit("payment_intent.canceled", self.intent)
        self.emit("checkout.session.expired", self.session)

    def _delay(self) -> None:
        self._attempt()
        self.intent["status"] = "processing"
        self.session |= {"status": "complete", "customer_details": self.details}
        self.emit("checkout.session.completed", self.session)
        self.emit("payment_intent.processing", self.intent)
        end = self.random.choice(("success", "success", "failure", "wait"))
        if end == "success":
            self.pay("checkout.session.async_payment_succeeded")
        elif end == "failure":
            self.intent |= {"status": "requires_payment_method", "last_payment_error": {"code": "debit_refused"}}
            self.emit("payment_intent.payment_failed", self.intent)
            self.emit("checkout.session.async_payment_failed", self.session)

    def pay(self, session_event: str = "checkout.session.completed") -> None:
        """Capture the money, and tell of it in two to four ways; sometimes with old news after it."""
        self._attempt()
        self.now += self.random.randint(0, 3)
        self.charge = self.keep(
            {
                "id": self.new_id("ch_"),
                "object": "charge",
                "amount": self.amount,
                "amount_captured": self.amount,
                "amount_refunded": 0,
                "balance_transaction": None,
                "billing_details": self.details if self.chance(70) else {"name": None, "email": None, "address": None},
                "captured": True,
                "created": self.now,
                "currency": self.currency,
                "payment_intent": self.intent["id"],
                "status": "succeeded",
                "livemode": False,
                "metadata": self.metadata if self.chance(50) else {},
            }
        )
        received = {"status": "succeeded", "amount_received": self.amount, "latest_charge": self.charge["id"]}
        self.intent |= received | {"last_payment_error": None}
        self.session |= {"status": "complete", "payment_status": "paid", "customer_details": self.details}
        told = [("payment_intent.succeeded", self.intent), (session_event, self.session)]
        if self.chance(20):
            told.pop(self.random.randrange(2))
        if self.chance(90):
            told.insert(0, ("charge.succeeded", self.charge))
        for type, thing in told:
            self.emit(type, thing)
        fee = min(self.amount, self.amount * 29 // 1000 + 30)
        self.charge["balance_transaction"] = self._settle(self.charge, "charge", self.amount, fee, foreign=True)["id"]
        if self.chance(85):
            self.emit("charge.updated", self.charge)
        if self.chance(8):
            self.emit("checkout.session.expired", self.session)
        if self.chance(8):
            self.emit("payment_intent.payment_failed", self.intent)

    def _settle(self, source: Shape, category: str, amount: int, fee: int, *, foreign: bool = False) -> Shape:
        """Book something on the account's balance, now and then in a currency that is not the gift's."""
        currency = self.currency
        if foreign and self.chance(15):
            currency, amount, fee = "gbp", amount * 79 // 100, fee * 79 // 100
        return self.keep(
            {
                "id": self.new_id("txn_"),
                "object": "balance_transaction",
                "amount": amount,
                "fee": fee,
                "net": amount - fee,
                "currency": currency,
                "created": self.now,
                "source": source["id"],
                "type": "adjustment" if category.startswith("dispute") else category,
                "reporting_category": category,
            }
        )

    # Afterwards.

    def _afterwards(self) -> None:
        for _ in range(self.random.choices((0, 1, 2, 3), (60, 25, 10, 5))[0]):
            self._refund()
        if self.chance(18):
            self._dispute()

    def _refund(self) -> None:
        left = self.amount - self.charge["amount_refunded"]
        if not left:
            return
        amount = left if self.chance(40) else self.random.randint(1, left)
        refund = self.keep(
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
        refund["balance_transaction"] = self._settle(refund, "refund", -amount, 0)["id"]
        self.charge["amount_refunded"] += amount
        silent = self.chance(15)
        if not silent:
            self.emit("refund.created", refund)
        if silent or self.chance(80):
            self.emit("charge.refunded", self.charge)
        if silent:
            return
        if refund["status"] != "succeeded" and self.chance(80):
            refund["status"] = "succeeded" if self.chance(75) else "canceled"
            self.emit(self.random.choice(("refund.updated", "charge.refund.updated")), refund)
        if refund["status"] == "canceled":
            self.charge["amount_refunded"] -= amount
        elif self.chance(20):
            refund["status"] = "failed"
            refund["failure_balance_transaction"] = self._settle(refund, "refund_failure", amount, 0)["id"]
            self.charge["amount_refunded"] -= amount
            self.emit("refund.failed", refund)
            self.emit("charge.refund.updated", refund)

    def _dispute(self) -> None:
        inquiry = self.chance(30)
        dispute = self.keep(
            {
                "id": self.new_id("dp_"),
                "object": "dispute",
                "amount": self.amount if self.chance(60) else self.random.randint(1, self.amount),
                "balance_transactions": [],
                "charge": self.charge["id"],
                "created": self.now,
                "currency": self.currency,
                "payment_intent": self.intent["id"] if self.chance(50) else None,
                "status": "warning_needs_response" if inquiry else "needs_response",
                "livemode": False,
            }
        )
        if not inquiry:
            self._withdraw(dispute)
        self.emit("charge.dispute.created", dispute)
        if inquiry:
            if self.chance(50):
                dispute["status"] = "warning_closed"
                self.emit("charge.dispute.closed", dispute)
                return
            dispute["status"] = "needs_response"
            self._withdraw(dispute)
            self.emit("charge.dispute.updated", dispute)
        self.emit("charge.dispute.funds_withdrawn", dispute)
        if self.chance(30):
            return
        dispute["status"] = "under_review"
        self.emit("charge.dispute.updated", dispute)
        dispute["status"] = self.random.choice(("won", "lost"))
        self.emit("charge.dispute.closed", dispute)
        if dispute["status"] == "won":
            back = dispute["amount"] if self.chance(70) else self.random.randint(1, dispute["amount"])
            dispute["balance_transactions"].append(self._settle(dispute, "dispute_reversal", back, 0))
            self.emit("charge.dispute.funds_reinstated", dispute)

    def _withdraw(self, dispute: Shape) -> None:
        dispute["balance_transactions"].append(self._settle(dispute, "dispute", -dispute["amount"], 1500))
