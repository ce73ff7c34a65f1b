"""A real PostgreSQL of our own in a folder, for whoever brings no database along."""

from adapters.postgres.embedded.errors import EmbeddedPostgresError
from adapters.postgres.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
