"""Helpers of all commands: settings, database, one-line errors, the access log and the parsing of arguments."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

import projections
from adapters.backup.parts import BackupError
from adapters.identity.access_log import BEGUN, DONE, FAILED, AccessDetails, AccessLog, AccessRecord
from adapters.postgres.database import connect, fault_category
from adapters.postgres.embedded import EmbeddedPostgresError
from adapters.postgres.roles import current_role
from adapters.read_models import rebuild
from adapters.read_models.builds import BuildReplaced
from adapters.worker_process import WorkerEnded
from domain.errors import DomainError
from domain.values import Actor, Role
from entrypoints.cli.console import CommandFailed, UsageError
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl
from entrypoints.composition.logs import configure
from entrypoints.composition.settings import Settings, SettingsError
from entrypoints.composition.startup_checks import NotReadyError, reach

if TYPE_CHECKING:
    from entrypoints.composition.service import Service

OPERATOR = Actor(Role.ADMIN, "command line")

# Errors with a message for the operator.
_EXPECTED = (
    SettingsError,
    NotReadyError,
    EmbeddedPostgresError,
    BackupError,
    BuildReplaced,
    WorkerEnded,
    DomainError,
)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every expected error into CommandFailed with a message of one line."""
    try:
        yield
    except _EXPECTED as error:
        raise CommandFailed(str(error)) from None
    except psycopg.OperationalError as error:
        raise CommandFailed(f"database: {fault_category(error)}") from None
    except psycopg.Error as error:
        # The message may quote a row; the class is enough to tell a missing right from a missing table.
        raise CommandFailed(f"database: a statement failed ({type(error).__name__})") from None


@contextmanager
def database(*, check: bool = True, migrate: bool = True, create: bool = False) -> Iterator[tuple[Settings, str]]:
    """Yield the settings and the URL of a reachable database.

    With `check` the database is of exactly this version. Without `migrate` an embedded database is not migrated.
    Without `create` the command fails if the data folder has no embedded database yet.
    """
    with one_line_errors():
        settings = environment.load()
        configure(settings.log_level, quiet=True)
        with DatabaseUrl(settings, migrate=migrate, create=create) as url:
            if check:
                reach(url)
                if settings.database_url is None:
                    # `storyledger migrate` has not been run after an upgrade, unlike for an external database.
                    rebuild.ensure_live(url, projections.ALL, lambda *_: None)
            yield settings, url


def role_of(url: str) -> str:
    """Return the database role that the URL connects with."""
    with connect(url) as connection:
        return current_role(connection)


@contextmanager
def open_service() -> Iterator["Service"]:
    """Yield the service with its database; none of its parts runs."""
    # The commands that need the database alone start much faster without it.
    from entrypoints.composition.service import Service

    with database() as (settings, url):
        service = Service(settings, url, frozenset())
        try:
            yield service
        finally:
            service.stop()


@dataclass
class LoggedAct:
    """An act in the access log; what it changes, and in which workspace, may be set once that is known."""

    object: str
    workspace: str | None


@contextmanager
def logged_act(log: AccessLog, operation: str, object: str = "", workspace: str | None = None) -> Iterator[LoggedAct]:
    """Write to the access log that the operator begins an act, and afterwards how it ended."""
    act, request_id = LoggedAct(object, workspace), secrets.token_hex(12)

    def append(outcome: str) -> None:
        record = AccessRecord(str(OPERATOR), operation, act.object, outcome, request_id)
        log.append(record, AccessDetails(act.workspace))

    append(BEGUN)
    try:
        yield act
    except Exception:
        append(FAILED)
        raise
    append(DONE)


def as_uuid(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UsageError(f"{name} must be an id like 0198c0de-…") from None


def as_moment(text: str | None, name: str, *, end_of_day: bool = False) -> datetime | None:
    """Return the time that `text` names, in UTC if it names no zone.

    A date stands for the beginning of that day, or for its end with `end_of_day`.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    # Later calculations, in any time zone, stay within the range of PostgreSQL and of datetime.
    if moment is None or not 1970 <= moment.year < 9999:
        raise UsageError(f"{name} must be a date or a time like 2026-05-01T12:00:00Z") from None
    if end_of_day and _is_day(text):
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def as_position(service: "Service", text: str, name: str) -> int:
    """Return the position that `text` names: itself, or the last position recorded until that time."""
    if text.isascii() and text.isdigit():
        return int(text)
    moment = as_moment(text, name)
    assert moment is not None
    return service.history.log.position_at(moment)
