"""Payments: the gateway that calls Stripe, and the way of a webhook from its signature to the event log."""
