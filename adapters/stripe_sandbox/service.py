"""The sandbox: a stand-in for the part of Stripe that we use, with its own state, events and webhooks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox import checkout, disputes, refunds
from adapters.stripe_sandbox.api import Answer, Api
from adapters.stripe_sandbox.checkout import Outcome
from adapters.stripe_sandbox.delivery import POST_SECONDS, WebhookSender
from adapters.stripe_sandbox.disputes import DisputeOutcome
from adapters.stripe_sandbox.payment import Payment, PaymentTiming
from adapters.stripe_sandbox.redaction import Redaction
from adapters.stripe_sandbox.refunds import RefundOutcome
from adapters.stripe_sandbox.refusal import StripeRefusal
from adapters.stripe_sandbox.shapes import Payer
from adapters.stripe_sandbox.state import SandboxState
from adapters.stripe_sandbox.store import Connect, DeliveryFaults, ensure_schema

MAX_REPEATS = 5


class Sandbox:
    """For development and tests only: everybody with access to it may pay, refund and dispute without real money.

    Every act is one transaction with the new state, its events and their pending deliveries. `start` begins to deliver
    events, to expire sessions and to end delayed payments; any number of processes may do so. An act that Stripe would
    refuse raises StripeRefusal, a RefusedError. The id of a payment is the id of its session, or of any object that
    belongs to that session.
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
        timing: PaymentTiming | None = None,
    ) -> None:
        if not api_key.startswith("sk_test_"):
            raise ValueError("the sandbox accepts only a test key (sk_test_…)")
        self.clock = clock
        self._timing = timing or PaymentTiming()
        self._state = SandboxState(connect, Redaction(api_key), clock, self._timing)
        with connect() as connection:
            ensure_schema(connection)
        self._api = Api(self._state, api_key, f"{base_url.rstrip('/')}/sandbox/pay")
        self._webhook_sender = WebhookSender(
            self._state.transaction, webhook_url, webhook_secret, clock, self.run_due_steps, self._timing.retry
        )

    def load(self) -> None:
        """Load the models of the API's parameters, so that the first request does not wait for them."""
        from adapters.stripe_sandbox import parameters  # noqa: F401

    def start(self) -> None:
        """Deliver from now on, in a thread of its own; calling it again changes nothing."""
        self._webhook_sender.start()

    def close(self) -> None:
        """Stop delivering; pending deliveries stay stored."""
        self._webhook_sender.stop(POST_SECONDS + 1)

    def answer(self, method: str, path: str, query: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Answer a request to Stripe's API; `path` begins with /v1, header names are in lower case."""
        answer = self._api.answer(method, path, query, body, headers)
        self._webhook_sender.wake()
        return answer

    # Acts of donors, of their banks and of the operator.

    def pay(self, session_id: str, outcome: Outcome = Outcome.PAID, payer: Payer | None = None) -> StripeDict:
        """Make one attempt to pay a session; return the session."""
        with self._payment(session_id) as payment:
            checkout.pay(payment, outcome, payer or Payer())
            return payment.session

    def settle(self, payment_id: str, succeeded: bool = True) -> StripeDict:
        """End a delayed payment now; return the session."""
        with self._payment(payment_id) as payment:
            checkout.settle(payment, succeeded)
            return payment.session

    def expire(self, session_id: str) -> StripeDict:
        """End an open checkout; return the session."""
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
    ) -> StripeDict:
        """Refund `amount` in the currency's smallest unit, or all that is left; return the refund."""
        with self._payment(payment_id) as payment:
            return refunds.refund(payment, amount, outcome, reason, metadata or {})

    def finish_refund(self, refund_id: str, succeeded: bool) -> StripeDict:
        """Let a pending refund arrive, or any refund fail; return the refund."""
        with self._payment(refund_id) as payment:
            return refunds.finish_refund(payment, refund_id, succeeded)

    def dispute(
        self, payment_id: str, amount: int | None = None, inquiry: bool = False, reason: str = "fraudulent"
    ) -> StripeDict:
        """Let the payer's bank dispute a payment or open an inquiry; return the dispute."""
        with self._payment(payment_id) as payment:
            return disputes.dispute(payment, amount, inquiry, reason)

    def escalate(self, dispute_id: str) -> StripeDict:
        """Turn an inquiry into a dispute; return the dispute."""
        with self._payment(dispute_id) as payment:
            return disputes.escalate(payment, dispute_id)

    def close_dispute(self, dispute_id: str, outcome: DisputeOutcome, reinstated: int | None = None) -> StripeDict:
        """End a dispute (WON or LOST) or an inquiry (WARNING_CLOSED); return the dispute."""
        with self._payment(dispute_id) as payment:
            return disputes.close_dispute(payment, dispute_id, outcome, reinstated)

    # Deliveries.

    def set_delivery_faults(self, repeats: int = 0, shuffled: bool = False) -> None:
        """From now on deliver each event this many more times, and in random order if `shuffled`."""
        if not 0 <= repeats <= MAX_REPEATS:
            raise StripeRefusal(f"An event is repeated at most {MAX_REPEATS} times.")
        with self._state.transaction() as store:
            store.set_delivery_faults(DeliveryFaults(repeats, shuffled))

    def deliver_again(self, payment_id: str, shuffled: bool = False) -> None:
        """Deliver every event of a payment once more."""
        with self._payment(payment_id) as payment:
            for row in payment.store.events_of(payment.session["id"]):
                payment.store.add_delivery(row["event"]["id"], shuffle_seconds=self._timing.shuffle if shuffled else 0)

    def wait_delivered(self, timeout_seconds: float) -> bool:
        """Wait until no delivery is pending; return False if one still is after this time."""
        deadline = time.monotonic() + timeout_seconds
        while self._pending_deliveries():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def run_due_steps(self) -> None:
        """Expire sessions and end delayed payments and refunds that are due."""
        while True:
            with self._state.transaction() as store:
                due = store.next_step(self._state.clock())
            if due is None:
                return
            id, step = due
            try:
                with self._payment(id) as payment:
                    if payment.store.planned_step(id) == step:
                        self._run_step(payment, id, step)
            except StripeRefusal:
                # The step is no longer possible, and must not block the others.
                with self._state.transaction() as store:
                    store.plan_step(id, None)

    def erase(self, ticket_id: UUID) -> None:
        """Remove people from all payments under this ticket, past and future; an open checkout stays payable."""
        self._remove_people({"ticketId": str(ticket_id)})

    def erase_donor(self, ticket_id: UUID, donation_id: UUID) -> None:
        """Do the same for the payments of one donation."""
        self._remove_people({"ticketId": str(ticket_id), "donationId": str(donation_id)})

    def _remove_people(self, metadata: dict[str, str]) -> None:
        with self._state.transaction() as store:
            for session_id in store.sessions_of(metadata):
                store.lock(session_id)
                store.remove_people(session_id)

    # Values for the pages.

    def session(self, session_id: str) -> StripeDict | None:
        """Return the session with the name of its product added as `product`, or None if the id is unknown."""
        with self._state.transaction() as store:
            session = store.find("checkout.session", session_id)
            return session and session | {"product": store.hidden(session_id)["product"]}

    def overview(self, limit: int = 20) -> dict[str, Any]:
        """Return the latest sessions with all their objects and events, for the operator's page."""
        with self._state.transaction() as store:
            sessions, _ = store.page("checkout.session", limit=limit) or ([], False)
            return {
                "delivery_faults": store.delivery_faults(),
                "pending_deliveries": store.pending_deliveries(),
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
    def _payment(self, id: str) -> Iterator[Payment]:
        with self._state.transaction() as store:
            yield self._state.payment(store, id)
        self._webhook_sender.wake()

    def _pending_deliveries(self) -> int:
        with self._state.transaction() as store:
            return store.pending_deliveries()

    def _run_step(self, payment: Payment, id: str, step: str) -> None:
        if step == "expire":
            checkout.expire(payment)
        elif id == payment.session["id"]:
            checkout.settle(payment, step == "succeed")
        else:
            refunds.finish_refund(payment, id, step == "succeed")
