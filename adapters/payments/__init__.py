"""Payments: the gateway that calls Stripe, and the processing of webhooks from the signature to the event log."""
