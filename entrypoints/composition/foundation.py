"""What every other part stands on: settings, secrets, the database, and which parts run in this process."""

from __future__ import annotations

from adapters.postgres.database import ConnectionRegistry, Database
from entrypoints.composition.secrets import Secrets
from entrypoints.composition.settings import Settings

POOL_CONNECTIONS = 24


class Parts:
    """What `serve --only` names."""

    WEB = "web"
    WORKER = "worker"
    PROJECTIONS = "projections"
    ALL = frozenset({WEB, WORKER, PROJECTIONS})


class Foundation:
    """`url` is the database's; `pools` are all that lend connections to it, by name, the main one first; `registry`
    are the connections outside of them, whose owners go on by themselves.
    """

    def __init__(self, settings: Settings, url: str, parts: frozenset[str]) -> None:
        self.settings = settings
        self.url = url
        self.parts = parts
        self.secrets = Secrets(settings)
        self.pools: dict[str, Database] = {}
        self.registry = ConnectionRegistry()
        self.database = self.pool("service", POOL_CONNECTIONS, "storyledger")

    def pool(self, name: str, connections: int, application: str | None = None) -> Database:
        """Connections of its own, for who must not wait for those of others; the watchdog's word counts for all."""
        made = Database(self.url, size=connections, name=application or f"storyledger {name}")
        made.open()
        self.pools[name] = made
        return made

    def page_url(self, slug: str) -> str:
        """The public page of a ticket: printed on paper, so it never changes."""
        return f"{self.settings.public_url}/d/{slug}"

    @property
    def inside_url(self) -> str:
        """Where this service reaches its own web part, whatever strangers call it.

        A process without that part has an address of its own, so it goes where everybody does, if it is told where.
        """
        settings = self.settings
        if Parts.WEB not in self.parts and settings.base_url is not None:
            return settings.public_url
        host = settings.host if settings.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # noqa: S104
        return f"http://{host}:{settings.port}"
