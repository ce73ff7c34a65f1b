"""Who is calling: credentials, login codes, contacts, idempotency keys, and the access log."""
