"""The handler for Stripe's webhooks."""

from dataclasses import dataclass

from msgspec import UNSET

from adapters.observability import counters, log_context, tracing
from adapters.payments.inbox import Inbox
from adapters.payments.webhooks import InvalidWebhook, WebhookVerifier
from entrypoints.http.operations import Call
from entrypoints.presentation.webhooks import WebhookReceipt

_NEW, _REPEATED, _REFUSED = (counters.webhooks_received.labels(name) for name in ("new", "repeated", "refused"))


@dataclass(frozen=True)
class WebhookHandlers:
    verifier: WebhookVerifier
    inbox: Inbox

    async def receive(self, call: Call) -> WebhookReceipt:
        """Answer once the event is stored; the applier reads its content later."""
        try:
            event = self.verifier.verify(call.raw_body, call.headers.get("stripe-signature"))
        except InvalidWebhook:
            _REFUSED.inc()
            raise
        log_context.add(stripe_event=event.id)
        # The span that applies the event in this process links to the span of this request.
        tracing.make_linkable(event.id)
        is_new = await self.inbox.accept_async(event)
        (_NEW if is_new else _REPEATED).inc()
        return WebhookReceipt(True, event.type, UNSET if is_new else True)
