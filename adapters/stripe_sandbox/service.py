"""The sandbox: a stand-in for the part of Stripe that we use, with state, events and webhooks of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from adapters.stripe_sandbox import checkout, disputes, refunds
from adapters.stripe_sandbox.api import Answer, Api
from adapters.stripe_sandbox.checkout import Outcome
from adapters.stripe_sandbox.delivery import WebhookSender
from adapters.stripe_sandbox.disputes import DisputeOutcome
from adapters.stripe_sandbox.payment import Moment, Payment, PaymentTiming
from adapters.stripe_sandbox.redaction import Redaction
from adapters.stripe_sandbox.refunds import RefundOutcome
from adapters.stripe_sandbox.refusal import StripeRefusal, missing
from adapters.stripe_sandbox.shapes import Payer, Shape
from adapters.stripe_sandbox.store import Connect, DeliveryFaults, Store, ensure_schema, transaction

MAX_REPEATS = 5


class Sandbox:
    """For development and tests only: whoever reaches it may pay, refund and dispute what no money stands behind.

    Every act is one transaction: the new state, its events and the deliveries owed. `start` begins to deliver,
    to expire what is due and to finish what was said to happen later; any number of processes may do so at once.
    Acts that Stripe would refuse raise StripeRefusal,
    a RefusedError. A payment is named by the id of its session or of anything that came of it.
    """

    def __init__(
        self,
        connect: Connect,
        base_url: str,
        webhook_url: str,
        webhook_secret: str,
        api_key: str,
        clock: Callable[[], float] = time.time,
        *,
        pace: PaymentTiming | None = None,
    ) -> None:
        if not api_key.startswith("sk_test_"):
            raise ValueError("the sandbox takes only a test key (sk_test_…)")
        self._connect = connect
        self._redaction = Redaction(api_key)
        self._clock = clock
        self._pace = pace or PaymentTiming()
        with connect() as connection:
            ensure_schema(connection)
        self._api = Api(self, api_key, f"{base_url.rstrip('/')}/sandbox/pay")
        self._postman_settings = (
            self.transaction,
            webhook_url,
            webhook_secret,
            clock,
            self.do_what_is_due,
            self._pace.retry,
        )
        self._postman = WebhookSender(*self._postman_settings)

    def load(self) -> None:
        """So that the first who asks need not wait for the rules of what may be asked."""
        from adapters.stripe_sandbox import parameters  # noqa: F401

    def start(self) -> None:
        """Deliver from now on, in a thread of its own; calling it again changes nothing."""
        if not self._postman.is_alive():
            self._postman = WebhookSender(*self._postman_settings)
            self._postman.start()

    def close(self) -> None:
        """Stop delivering; what is owed stays on record."""
        self._postman.leave()

    def answer(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Answer:
        """What Stripe's API answers to this request; `path` begins with /v1, header names are in lower case."""
        answer = self._api.answer(method, path, query, body, headers)
        self._postman.wake()
        return answer

    # What people do.

    def pay(self, session_id: str, outcome: Outcome = Outcome.PAID, payer: Payer | None = None) -> Shape:
        """One attempt to pay a session; the session as it is then."""
        with self._payment(session_id) as payment:
            checkout.pay(payment, outcome, payer or Payer())
            return payment.session

    def settle(self, payment_id: str, succeeded: bool = True) -> Shape:
        """End a delayed payment now; the session as it is then."""
        with self._payment(payment_id) as payment:
            checkout.settle(payment, succeeded)
            return payment.session

    def expire(self, session_id: str) -> Shape:
        """End an open checkout; the session as it is then."""
        with self._payment(session_id) as payment:
            checkout.expire(payment)
            return payment.session

    def refund(
        self,
        payment_id: str,
        amount: int | None = None,
        outcome: RefundOutcome = RefundOutcome.SUCCEEDED,
        reason: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Shape:
        """Give back `amount` in the smallest unit, all that is left if None; the refund."""
        with self._payment(payment_id) as payment:
            return refunds.refund(payment, amount, outcome, reason, metadata or {})

    def finish_refund(self, refund_id: str, succeeded: bool) -> Shape:
        """A pending refund arrives, or any refund comes back; the refund."""
        with self._payment(refund_id) as payment:
            return refunds.finish_refund(payment, refund_id, succeeded)

    def dispute(
        self, payment_id: str, amount: int | None = None, inquiry: bool = False, reason: str = "fraudulent"
    ) -> Shape:
        """The payer's bank disputes a payment, or only asks about it; the dispute."""
        with self._payment(payment_id) as payment:
            return disputes.dispute(payment, amount, inquiry, reason)

    def escalate(self, dispute_id: str) -> Shape:
        """An inquiry becomes a dispute; the dispute."""
        with self._payment(dispute_id) as payment:
            return disputes.escalate(payment, dispute_id)

    def close_dispute(self, dispute_id: str, outcome: DisputeOutcome, reinstated: int | None = None) -> Shape:
        """The end of a dispute (WON or LOST) or an inquiry (WARNING_CLOSED); the dispute."""
        with self._payment(dispute_id) as payment:
            return disputes.close_dispute(payment, dispute_id, outcome, reinstated)

    # Deliveries.

    def set_habits(self, repeats: int = 0, shuffled: bool = False) -> None:
        """How events are delivered from now on: each that many times more, and in order or not."""
        if not 0 <= repeats <= MAX_REPEATS:
            raise StripeRefusal(f"An event is repeated at most {MAX_REPEATS} times.")
        with transaction(self._connect, self._redaction) as store:
            store.set_habits(DeliveryFaults(repeats, shuffled))

    def deliver_again(self, payment_id: str, shuffled: bool = False) -> None:
        """Owe every event of a payment once more, in order or not."""
        with self._payment(payment_id) as payment:
            for row in payment.store.events_of(payment.session["id"]):
                payment.store.owe(row["event"]["id"], shuffle_seconds=self._pace.shuffle if shuffled else 0)

    def wait_delivered(self, timeout_seconds: float) -> bool:
        """Whether every event has been taken in, at the latest after that time."""
        until = time.monotonic() + timeout_seconds
        while self._owed():
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        return True

    def do_what_is_due(self) -> None:
        """Expire sessions and finish delayed payments and refunds whose time has come."""
        while True:
            with transaction(self._connect, self._redaction) as store:
                due = store.next_step(self._clock())
            if due is None:
                return
            id, step = due
            try:
                with self._payment(id) as payment:
                    if payment.store.planned(id) == step:
                        self._do(payment, id, step)
            except StripeRefusal:
                # It cannot happen any more, and must not hold up what can.
                with transaction(self._connect, self._redaction) as store:
                    store.plan(id, None)

    def forget(self, ticket_id: UUID) -> None:
        """Name nobody any more in what was paid under this ticket, whoever asks; what is still open stays payable."""
        with self.transaction() as store:
            for session_id in store.sessions_of({"ticketId": str(ticket_id)}):
                store.lock(session_id)
                store.forget(session_id)

    # What the pages show.

    def session(self, session_id: str) -> Shape | None:
        """The session and, as `product`, what is paid for; None if there is none of that id."""
        with transaction(self._connect, self._redaction) as store:
            session = store.find("checkout.session", session_id)
            return session and session | {"product": store.hidden(session_id)["product"]}

    def overview(self, limit: int = 20) -> dict[str, Any]:
        """The latest sessions with all that came of them, for the operator."""
        with transaction(self._connect, self._redaction) as store:
            sessions, _ = store.page("checkout.session", limit=limit) or ([], False)
            return {
                "habits": store.delivery_faults(),
                "owed": store.owed(),
                "payments": [
                    {
                        "session": session,
                        "product": store.hidden(session["id"])["product"],
                        "intent": next(iter(store.of_session(session["id"], "payment_intent")), None),
                        "charges": store.of_session(session["id"], "charge"),
                        "refunds": store.of_session(session["id"], "refund"),
                        "disputes": store.of_session(session["id"], "dispute"),
                        "events": store.events_of(session["id"]),
                    }
                    for session in sessions
                ],
            }

    # Inside.

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """One transaction on the sandbox's state."""
        with transaction(self._connect, self._redaction) as store:
            yield store

    def payment(self, store: Store, id: str, idempotency_key: str | None = None) -> Payment:
        """The payment that the object of this id belongs to, locked."""
        session_id = store.session_of(id)
        if session_id is None:
            raise missing("payment", id)
        return Payment(store, session_id, Moment(self.now(), self._pace, idempotency_key))

    def now(self) -> float:
        return self._clock()

    @contextmanager
    def _payment(self, id: str) -> Iterator[Payment]:
        with transaction(self._connect, self._redaction) as store:
            yield self.payment(store, id)
        self._postman.wake()

    def _owed(self) -> int:
        with transaction(self._connect, self._redaction) as store:
            return store.owed()

    def _do(self, payment: Payment, id: str, step: str) -> None:
        if step == "expire":
            checkout.expire(payment)
        elif id == payment.session["id"]:
            checkout.settle(payment, step == "succeed")
        else:
            refunds.finish_refund(payment, id, step == "succeed")
