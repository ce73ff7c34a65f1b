"""The chain recomputed from the stored bytes: an event changed, missing, added or moved shows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from adapters.database import connect

GENESIS = bytes(32)
PAGE_EVENTS = 10_000
# Where reading begins: positions are counted from 1, but somebody may have put an event before it.
BEFORE_ALL = -(2**63)

# What one link covers, in the order of `chain_hash` in the first migration; all of it as stored.
COVERED = """
SELECT position,
       int8send(position) || uuid_send(stream) || int4send(version) || uuid_send(ticket)
       || timestamptz_send(recorded_at) || int4send(octet_length(topic)) || convert_to(topic, 'UTF8') || state,
       hash
  FROM events WHERE position > %s ORDER BY position LIMIT %s
"""


@dataclass(frozen=True)
class Verdict:
    """What verifying found: how many links hold, and the first position that does not, with the reason."""

    events: int
    first_bad: tuple[int, str] | None
    head: bytes

    @property
    def ok(self) -> bool:
        return self.first_bad is None


def verify(url: str, progress: Callable[[int], None] = lambda _: None) -> Verdict:
    """Recompute every link in one consistent view of the history; `progress` is told the position reached."""
    with connect(url, statement_seconds=0, name="storyledger audit") as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        expected, last, events = GENESIS, 0, 0
        with connection.cursor(binary=True) as cursor:
            while True:
                cursor.execute(COVERED, (last or BEFORE_ALL, PAGE_EVENTS), prepare=True)
                page = cursor.fetchall()
                if not page:
                    return Verdict(events, None, expected)
                for position, covered, stored in page:
                    if position < 1:
                        return Verdict(events, (position, "added"), expected)
                    if position != last + 1:
                        return Verdict(events, (last + 1, "missing"), expected)
                    expected = hashlib.sha256(expected + covered).digest()
                    if expected != stored:
                        return Verdict(events, (position, "does not match its hash"), expected)
                    last = position
                    events += 1
                progress(last)
