"""The database gate: while the database is unavailable, requests are refused at once instead of waiting for it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.postgres.database import Database
from domain.errors import UnavailableError

# These paths report the outage.
ALWAYS_ANSWERED = ("/health", "/metrics")


class DatabaseGate:
    """ASGI middleware: raises UnavailableError while the database is unavailable, except for health and metrics."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app = app
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._database.available and not scope["path"].startswith(ALWAYS_ANSWERED):
            raise UnavailableError("The database is not available.")
        await self._app(scope, receive, send)
