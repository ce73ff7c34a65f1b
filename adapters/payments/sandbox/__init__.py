"""A stand-in for Stripe in development: its API, its pay page's acts, its events and its webhooks."""

from adapters.payments.sandbox.api import Answer
from adapters.payments.sandbox.checkout import Outcome
from adapters.payments.sandbox.disputes import DisputeOutcome
from adapters.payments.sandbox.payment import Pace
from adapters.payments.sandbox.refunds import RefundOutcome
from adapters.payments.sandbox.refusal import StripeRefusal
from adapters.payments.sandbox.service import Sandbox
from adapters.payments.sandbox.shapes import Payer
from adapters.payments.sandbox.store import ensure_schema

__all__ = [
    "Answer",
    "DisputeOutcome",
    "Outcome",
    "Pace",
    "Payer",
    "RefundOutcome",
    "Sandbox",
    "StripeRefusal",
    "ensure_schema",
]
