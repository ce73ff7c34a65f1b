"""What an operator does on the command line is in the access log, like what an administrator does over HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.identity.access_log import BEGUN, DONE, FAILED, AccessLog, AccessRecord
from domain.values import Actor, Role

OPERATOR = Actor(Role.ADMIN, "command line")


@dataclass
class About:
    """What the act is about; may be filled in once it is known."""

    object: str


@contextmanager
def on_record(log: AccessLog, operation: str, object: str = "") -> Iterator[About]:
    """The block is on record before it begins, and how it ended after."""
    about, request_id = About(object), secrets.token_hex(12)

    def note(outcome: str) -> None:
        log.append(AccessRecord(str(OPERATOR), operation, about.object, outcome, request_id))

    note(BEGUN)
    try:
        yield about
    except Exception:
        note(FAILED)
        raise
    note(DONE)
