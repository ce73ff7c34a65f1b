"""Payments: the gateway we call, the door its webhooks come in by, and a sandbox that stands in for it all."""
