"""A real PostgreSQL of our own in a folder, for whoever brings no database along."""

from adapters.embedded_postgres.errors import EmbeddedPostgresError
from adapters.embedded_postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
