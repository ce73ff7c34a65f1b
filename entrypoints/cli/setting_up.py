"""What commands share: settings and database, and errors as one clear line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from adapters.backup import BackupError
from adapters.embedded_postgres import EmbeddedPostgresError
from domain.errors import DomainError
from entrypoints import settings as environment
from entrypoints.bootstrap import Service
from entrypoints.cli.console import Found, Usage
from entrypoints.database_url import DatabaseUrl
from entrypoints.gate import NotReadyError, reach
from entrypoints.logs import configure
from entrypoints.settings import Settings, SettingsError


@contextmanager
def clear_errors() -> Iterator[None]:
    """Whatever goes wrong, one line that says what, and exit 1."""
    try:
        yield
    except (SettingsError, NotReadyError, EmbeddedPostgresError, BackupError, DomainError) as error:
        raise Found(str(error)) from None
    except psycopg.OperationalError:
        raise Found("the database is not reachable") from None


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


def as_moment(text: str | None, name: str) -> datetime | None:
    """A day or a time; a time without a zone is in UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{name} must be a date or a time like 2026-05-01T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_position(service: Service, text: str) -> int:
    """A position of the history, or the last one recorded until a time."""
    if text.isascii() and text.isdigit():
        return int(text)
    moment = as_moment(text, "--at")
    assert moment is not None
    return service.log.position_at(moment)
