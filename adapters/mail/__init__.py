"""Outgoing mail: queued with the fact that it reports, sent after it, and removed once it is sent."""
