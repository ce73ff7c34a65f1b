"""The history in PostgreSQL: its codec, its append, and what the library `eventsourcing` builds on them."""
