"""The event log in PostgreSQL, its codec, and the interfaces of the library `eventsourcing` over them."""
