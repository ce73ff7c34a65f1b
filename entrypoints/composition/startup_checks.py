"""Checks at the start; each failure is one line."""

import threading
import time
from collections.abc import Iterable
from difflib import get_close_matches

import psycopg

from adapters.postgres import schema_check
from adapters.postgres.database import connect, fault_category, goes_through_undeclared_pooler
from adapters.storage.protocol import Storage
from domain.errors import UnavailableError
from entrypoints.composition.settings import Settings

REACH_TRIES = 3
REACH_PAUSE_SECONDS = 0.5
REACH_SECONDS = 8.0
# SMPT_URL and STRIPE_WEBHOOK_SECRETS resemble a setting; HOSTNAME, MAILTO and SUPPORT do not.
SIMILARITY = 0.85
UNDECLARED_POOLER = "reached through a pooler: add ?pgbouncer=true to DATABASE_URL"


class NotReadyError(Exception):
    """The service cannot start; the message is one line."""


def reach(url: str, *, production: bool = False) -> None:
    """Raise NotReadyError unless the database answers, is durable and has exactly this version's schema.

    The check takes at most REACH_SECONDS, even if the name service hangs.
    """
    faults: list[str | None] = []
    check = threading.Thread(target=lambda: faults.append(_fault(url, production)), daemon=True)
    check.start()
    check.join(REACH_SECONDS)
    fault = faults[0] if faults else "does not answer"
    if fault is not None:
        raise NotReadyError(f"database: {fault}")


def check_storage(storage: Storage) -> None:
    """Raise NotReadyError unless an object can be stored, read and deleted."""
    try:
        storage.check()
    except UnavailableError as error:
        raise NotReadyError(str(error)) from None


def _fault(url: str, production: bool) -> str | None:
    for attempt in range(REACH_TRIES):
        try:
            with connect(url) as connection:
                if goes_through_undeclared_pooler(connection, url):
                    return UNDECLARED_POOLER
                return schema_check.server_fault(connection, production=production) or schema_check.schema_fault(
                    connection
                )
        except psycopg.OperationalError as error:
            if is_refused_by_pooler(error):
                return UNDECLARED_POOLER
            fault = fault_category(error)
        except psycopg.Error as error:
            return f"a statement failed ({type(error).__name__})"
        if attempt < REACH_TRIES - 1:
            time.sleep(REACH_PAUSE_SECONDS)
    return fault


def is_refused_by_pooler(error: psycopg.OperationalError) -> bool:
    """Return True if a PgBouncer refused the settings that a session begins with."""
    return "unsupported startup parameter" in str(error)


def unknown_variables(names: Iterable[str]) -> dict[str, str]:
    """Return the variables that resemble a setting without being one, each with that setting."""
    setting_names = [name.upper() for name in Settings.model_fields]
    unknown = (name for name in names if name.upper() not in setting_names)
    matches = {name: get_close_matches(name.upper(), setting_names, 1, SIMILARITY) for name in unknown}
    return {name: setting for name, [setting] in ((n, m) for n, m in matches.items() if m)}
