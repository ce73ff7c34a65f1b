"""The address of the database."""

import threading

import structlog

from adapters.postgres import migrations
from adapters.postgres.database import CONNECTION_ERRORS, ConnectionRegistry, connect, wait_for_notifications
from adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from entrypoints.composition.settings import NoDataError, Settings

PAUSE_SECONDS = 0.25

logger = structlog.get_logger()


def require_data(settings: Settings) -> None:
    """Raise NoDataError if there is no database: neither DATABASE_URL nor an embedded one in the data folder."""
    if settings.database_url is None and not _embedded(settings).has_data:
        raise NoDataError(settings.data_dir)


def _embedded(settings: Settings) -> EmbeddedPostgres:
    return EmbeddedPostgres(settings.data_dir / "postgres")


class DatabaseUrl:
    """The database at DATABASE_URL, or an embedded one that is started, migrated and stopped with the context.

    Without `create`, NoDataError is raised if the embedded one does not exist yet.
    """

    def __init__(self, settings: Settings, *, migrate: bool = True, create: bool = True) -> None:
        self._settings = settings
        self._migrate = migrate
        self._create = create
        self.embedded = None if settings.database_url else _embedded(settings)
        self._left = threading.Event()
        self._watched = ConnectionRegistry()

    def __enter__(self) -> str:
        if self.embedded is None:
            assert self._settings.database_url is not None
            return self._settings.database_url
        if not self._create:
            require_data(self._settings)
        url = self.embedded.start()
        if self._migrate:
            with connect(url) as connection:
                migrations.migrate(connection)
        self._watch = threading.Thread(target=self._keep_running, args=(self.embedded,), daemon=True)
        self._watch.start()
        return url

    def __exit__(self, *_: object) -> None:
        if self.embedded is not None:
            self._left.set()
            self._watched.disconnect_all()
            self._watch.join(timeout=10)
            self.embedded.stop()

    def _keep_running(self, embedded: EmbeddedPostgres) -> None:
        """Start the embedded server again if it was killed, which ends an idle connection at once."""
        while not self._left.is_set():
            try:
                with connect(embedded.ensure(), name="storyledger watch", registry=self._watched) as connection:
                    # Registered before this look at `_left`, so that leaving ends the wait.
                    while not self._left.is_set():
                        wait_for_notifications(connection)
            except CONNECTION_ERRORS:
                self._left.wait(PAUSE_SECONDS)
            except EmbeddedPostgresError as error:
                logger.error("embedded PostgreSQL is unavailable", reason=str(error))
                self._left.wait(PAUSE_SECONDS)
