"""The gate at the start: what the service needs is there and fit, or one clear line says what is not."""

from __future__ import annotations

import threading
import time

import psycopg

from adapters.postgres import schema_check
from adapters.postgres.database import connect, fault_category, goes_through_undeclared_pooler
from adapters.storage.protocol import Storage
from domain.errors import UnavailableError

REACHING_TRIES = 3
REACHING_PAUSE_SECONDS = 0.5
REACHING_SECONDS = 8.0
UNSAID_POOLER = "reached through a pooler: add ?pgbouncer=true to DATABASE_URL"


class NotReadyError(Exception):
    """The service refuses to start; the message is one clear line that says what to do."""


def reach(url: str, *, production: bool = False) -> None:
    """The database answers, loses nothing, and its schema is exactly this version's; NotReadyError otherwise.

    Whatever hangs, be it the name service, there is an answer within REACHING_SECONDS.
    """
    found: list[str | None] = []
    asking = threading.Thread(target=lambda: found.append(_fault(url, production)), daemon=True)
    asking.start()
    asking.join(REACHING_SECONDS)
    fault = found[0] if found else "does not answer"
    if fault is not None:
        raise NotReadyError(f"database: {fault}")


def check_storage(storage: Storage) -> None:
    """Something can be kept, read and taken away again; NotReadyError otherwise."""
    try:
        storage.check()
    except UnavailableError as error:
        raise NotReadyError(str(error)) from None


def _fault(url: str, production: bool) -> str | None:
    for attempt in range(REACHING_TRIES):
        try:
            with connect(url) as connection:
                if goes_through_undeclared_pooler(connection, url):
                    return UNSAID_POOLER
                return schema_check.server_fault(connection, production=production) or schema_check.schema_fault(
                    connection
                )
        except psycopg.OperationalError as error:
            # PgBouncer takes no settings at the start of a session.
            if "unsupported startup parameter" in str(error):
                return UNSAID_POOLER
            fault = fault_category(error)
        except psycopg.Error as error:
            return f"refuses our questions ({type(error).__name__})"
        if attempt < REACHING_TRIES - 1:
            time.sleep(REACHING_PAUSE_SECONDS)
    return fault
