"""What commands share: settings and database, and errors as one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import psycopg

import projections
from adapters.backup import BackupError
from adapters.postgres.database import fault_category
from adapters.postgres.embedded import EmbeddedPostgresError
from adapters.read_models import rebuild
from domain.errors import DomainError
from entrypoints.cli.console import Found, Usage
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.logs import configure
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings, SettingsError
from entrypoints.composition.startup_checks import NotReadyError, reach


@contextmanager
def clear_errors() -> Iterator[None]:
    """Whatever goes wrong, one line that says what, and exit 1."""
    try:
        yield
    except (SettingsError, NotReadyError, EmbeddedPostgresError, BackupError, DomainError) as error:
        raise Found(str(error)) from None
    except psycopg.OperationalError as error:
        raise Found(f"database: {fault_category(error)}") from None
    except psycopg.Error as error:
        # Its words may quote a row; its kind tells of missing rights, tables and the like.
        raise Found(f"database: refuses our questions ({type(error).__name__})") from None


@contextmanager
def database(*, check: bool = True, migrate: bool = True) -> Iterator[tuple[Settings, str]]:
    """The settings, and the URL of a database that is reachable and, if `check`, of this version.

    Without `migrate` an embedded database is left as it is.
    """
    with clear_errors():
        settings = environment.load()
        configure(settings.log_level, quiet=True)
        with DatabaseUrl(settings, migrate=migrate) as url:
            if check:
                reach(url)
                if settings.database_url is None:
                    # As `migrate` leaves an outside one: nobody may have served from this folder yet.
                    rebuild.ensure_live(url, projections.ALL, lambda *_: None)
            yield settings, url


@contextmanager
def service() -> Iterator[Service]:
    """The service with its database and none of its parts running."""
    with database() as (settings, url):
        built = Service(settings, url, frozenset())
        try:
            yield built
        finally:
            built.stop()


def as_uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Usage(f"{name} must be an id like 0198c0de-…") from None


def as_moment(text: str | None, name: str, *, end_of_day: bool = False) -> datetime | None:
    """A time, in UTC if it names no zone; or a day, which stands for its beginning or for the end of it."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # Whatever is done with a time, in whatever zone, stays within what a database and a calendar can hold.
    if moment is None or not 1970 <= moment.year < 9999:
        raise Usage(f"{name} must be a date or a time like 2026-05-01T12:00:00Z") from None
    if end_of_day and _is_day(text):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def as_position(service: Service, text: str, name: str) -> int:
    """A position of the history, or the last one recorded until a time."""
    if text.isascii() and text.isdigit():
        return int(text)
    moment = as_moment(text, name)
    assert moment is not None
    return service.log.position_at(moment)
