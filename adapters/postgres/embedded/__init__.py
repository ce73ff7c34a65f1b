"""The embedded PostgreSQL: a server in a data folder, for users without a database of their own."""

from adapters.postgres.embedded.errors import EmbeddedPostgresError
from adapters.postgres.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]
