"""Payments: Stripe or the sandbox, the webhook verifier, and everything that applies webhooks."""

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.event_store.history import SealingMapper
from adapters.payments.applier import Applier
from adapters.payments.dead_letters import DeadLetters
from adapters.payments.donor_emails import DonorEmails
from adapters.payments.donor_names import PURPOSE, DonorNames
from adapters.payments.gateway import StripeGateway
from adapters.payments.reconcile import Reconciler
from adapters.payments.refunds import StripeRefunds
from adapters.payments.retrieval import PendingRetrievals, Retriever
from adapters.payments.webhooks import WebhookVerifier
from adapters.stripe_sandbox import Sandbox
from domain.commands.refunds import RefundCommands
from domain.ports import SafetyReviewer
from entrypoints.composition.aggregates import Aggregates
from entrypoints.composition.foundation import Foundation
from entrypoints.composition.history import History
from entrypoints.composition.mail import MailDelivery

SANDBOX_CONNECTIONS = 6


class Payments:
    """The collaborators for payments.

    `sandbox` exists only in sandbox mode, where the gateway calls it. Without webhook secrets every webhook is refused.
    """

    def __init__(
        self,
        foundation: Foundation,
        history: History,
        mail: MailDelivery,
        aggregates: Aggregates,
        safety: SafetyReviewer,
    ) -> None:
        settings, secrets, database = foundation.settings, foundation.secrets, foundation.database
        donations, livemode = aggregates.donations, settings.livemode
        self.sandbox: Sandbox | None = None
        key, api_base = settings.stripe_secret_key, settings.stripe_api_base
        if secrets.sandbox_key is not None:
            key, api_base = secrets.sandbox_key, f"{foundation.inside_url}/sandbox/stripe"
            self._open_sandbox(foundation, key)
        assert key is not None
        self.webhook_secret = secrets.webhooks[0] if secrets.webhooks else None
        self.gateway = StripeGateway(key, api_base)
        self.loads = [self.gateway.load]
        if self.sandbox is not None:
            self.loads.append(self.sandbox.load)
        self.webhook_verifier = WebhookVerifier(secrets.webhooks, livemode=livemode)
        self.inbox = aggregates.inbox
        self.dead_letters = DeadLetters(database, self.inbox)
        retriever = Retriever(self.gateway.retrieve, livemode=livemode)
        self.retrievals = PendingRetrievals(database, self.inbox, retriever)
        self.donor_addresses = KeyedHashes(secrets.peppers, "donor e-mail")
        self.applier = Applier(
            database,
            self.inbox,
            SealingMapper(history.cipher),
            self.donor_addresses.of,
            history.wake_follower,
            on_retrieval_added=self.retrievals.wake,
        )
        self.donor_emails = DonorEmails(
            database,
            self.inbox,
            aggregates.tickets,
            donations,
            aggregates.receipts,
            mail.outbox,
            foundation.page_url,
            mail.forget_links.link,
            safety,
            issuer=settings.operator_name,
            livemode=livemode,
        )
        self.donor_names = DonorNames(database, history.cipher, KeyedHashes(secrets.peppers, PURPOSE))
        self.reconciler = Reconciler(
            database, self.gateway, self.inbox, self.applier, self.retrievals, retriever, donations, livemode=livemode
        )
        self.refunds = RefundCommands(donations, StripeRefunds(self.gateway), settings.refund_two_person_over)

    def _open_sandbox(self, foundation: Foundation, key: str) -> None:
        # The sandbox has a pool of its own, because requests that hold a connection of the main pool call it.
        database = foundation.pool("sandbox", SANDBOX_CONNECTIONS)
        self.sandbox = Sandbox(
            database.connection,
            base_url=foundation.settings.public_url,
            webhook_url=f"{foundation.inside_url}/api/webhooks/stripe",
            webhook_secret=foundation.secrets.webhooks[0],
            api_key=key,
        )
