"""A stand-in for Stripe in development: its API, its pay page's acts, its events and its webhooks."""

from adapters.stripe_sandbox.api import Answer
from adapters.stripe_sandbox.checkout import Outcome
from adapters.stripe_sandbox.disputes import DisputeOutcome
from adapters.stripe_sandbox.payment import PaymentTiming
from adapters.stripe_sandbox.refunds import RefundOutcome
from adapters.stripe_sandbox.refusal import StripeRefusal
from adapters.stripe_sandbox.service import Sandbox
from adapters.stripe_sandbox.shapes import Payer
from adapters.stripe_sandbox.store import SCHEMA, ensure_schema

__all__ = [
    "SCHEMA",
    "Answer",
    "DisputeOutcome",
    "Outcome",
    "Payer",
    "PaymentTiming",
    "RefundOutcome",
    "Sandbox",
    "StripeRefusal",
    "ensure_schema",
]
