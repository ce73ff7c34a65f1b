"""What can be the matter with the embedded server."""

from __future__ import annotations


class EmbeddedPostgresError(Exception):
    """There is no embedded PostgreSQL; the message says in one line what would have to change."""
