"""The foundation of all components: settings, secrets, database pools, and the parts that this process runs."""

from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import EpochKeyring, Epochs
from adapters.encryption.keyring import Keyring
from adapters.encryption.service_key import SERVICE_KEYRING
from adapters.identity.network_addresses import AddressCipher
from adapters.identity.security_events import SecurityEvents
from adapters.postgres.database import ConnectionRegistry, Database
from entrypoints.composition.secrets import Secrets
from entrypoints.composition.settings import Settings

POOL_CONNECTIONS = 24


class Parts:
    """The parts of the service that `serve --only` chooses from."""

    WEB = "web"
    WORKER = "worker"
    PROJECTIONS = "projections"
    ALL = frozenset({WEB, WORKER, PROJECTIONS})


class Foundation:
    """The database at `url` with its connection pools by name, the main one first.

    `registry` holds the connections outside the pools, so that the watchdog can cut them.
    """

    def __init__(self, settings: Settings, url: str, parts: frozenset[str]) -> None:
        self.settings = settings
        self.url = url
        self.parts = parts
        self.secrets = Secrets(settings)
        self.pools: dict[str, Database] = {}
        self.registry = ConnectionRegistry()
        self.database = self.pool("service", POOL_CONNECTIONS, "storyledger")
        self.epochs = Epochs(self.database, EpochStore(settings.epoch_keys))
        self.addresses = AddressCipher(self.database, self.keyring(SERVICE_KEYRING))
        self.security_events = SecurityEvents(self.database, self.addresses)

    def pool(self, name: str, connections: int, application: str | None = None) -> Database:
        """Open a separate pool for a component that must not wait for others; the watchdog guards every pool."""
        pool = Database(self.url, size=connections, name=application or f"storyledger {name}")
        pool.open()
        self.pools[name] = pool
        return pool

    def keyring(self, purpose: str) -> Keyring:
        """Return the keyring of the master key for one purpose, whose values are sealed in the current epoch."""
        return EpochKeyring(self.secrets.master, purpose, self.epochs)

    def page_url(self, slug: str) -> str:
        """Return the URL of a ticket's public page, which is printed on paper and therefore never changes."""
        return f"{self.settings.public_url}/d/{slug}"

    @property
    def inside_url(self) -> str:
        """Return the URL at which this process reaches the web part.

        A process without the web part uses BASE_URL, if it is set.
        """
        settings = self.settings
        if Parts.WEB not in self.parts and settings.base_url is not None:
            return settings.public_url
        host = settings.host if settings.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # noqa: S104
        return f"http://{host}:{settings.port}"
