"""The error of the embedded server."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message says why, or what to change, in one line."""
