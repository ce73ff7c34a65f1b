"""Payments of other business on the same Stripe account, none of which may count as a donation."""

from random import Random

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox.simulation.payment_simulation import PaymentSimulation


class ShopPayment(PaymentSimulation):
    """A payment of a shop; somebody wrote the ids of a donation into its refunds, where they mean nothing."""

    def __init__(self, random: Random, id_random: Random, now: int, donation: dict[str, str]) -> None:
        super().__init__(random, id_random, now, random.randint(100, 50_000), "usd")
        self.create_session(self.new_id("cs_test_"), {"order": "a shop of the same account"})
        self._donation = donation

    def emit(self, type: str, stripe_object: StripeDict) -> None:
        if stripe_object["object"] == "refund":
            stripe_object["metadata"] = self._donation
        super().emit(type, stripe_object)

    def run(self) -> None:
        self.pay()
        self.refund_and_dispute()


class Subscription(PaymentSimulation):
    """A subscription with an invoice and a payment a month; its objects may have the ids of a donation."""

    def __init__(self, random: Random, id_random: Random, now: int, metadata: dict[str, str]) -> None:
        super().__init__(random, id_random, now, random.randint(100, 5_000), "usd")
        self.create_session(self.new_id("cs_test_"), metadata)
        # The intents of invoices have no metadata.
        self.metadata = {}
        self._subscription_id = self.new_id("sub_")

    def emit(self, type: str, stripe_object: StripeDict) -> None:
        if stripe_object is not self.session:
            super().emit(type, stripe_object)
        elif self.session["mode"] == "payment":
            # The checkout of a subscription has an invoice and no intent, and renewals have no checkout.
            self.session["mode"] = "subscription"
            super().emit(type, self.session | {"payment_intent": None, "subscription": self._subscription_id})

    def run(self) -> None:
        subscription = {
            "id": self._subscription_id,
            "object": "subscription",
            "status": "active",
            "metadata": self.session["metadata"],
        }
        self.emit("customer.subscription.created", self.store(subscription))
        for _ in range(self.random.randint(1, 3)):
            self._pay_invoice()
        self.refund_and_dispute()

    def _pay_invoice(self) -> None:
        invoice = self.store(
            {
                "id": self.new_id("in_"),
                "object": "invoice",
                "amount_due": self.amount,
                "currency": self.currency,
                "status": "open",
                "subscription": self._subscription_id,
                "metadata": self.session["metadata"],
            }
        )
        self.emit("invoice.created", invoice)
        self.session["payment_intent"] = None
        self.decline(self.random.choice((0, 0, 1)))
        self.pay()
        invoice["status"] = "paid"
        self.emit("invoice.paid", invoice)
        self.emit("invoice_payment.paid", {"id": self.new_id("inpay_"), "object": "invoice_payment"})


class CopiedPayment(PaymentSimulation):
    """A payment without a checkout of ours, whose intent has the metadata of a donation of ours.

    Nobody can know whether it is a donation, so each of its events needs the decision of a person.
    """

    def __init__(self, random: Random, id_random: Random, now: int, donation: dict[str, str]) -> None:
        super().__init__(random, id_random, now, random.randint(100, 50_000), "usd")
        self.create_session(self.new_id("cs_test_"), donation)

    def emit(self, type: str, stripe_object: StripeDict) -> None:
        # Failed attempts move no money, so metadata alone is believed about them.
        if stripe_object is not self.session and type != "payment_intent.payment_failed":
            super().emit(type, stripe_object)

    def run(self) -> None:
        self.pay()
        self.refund_and_dispute()
