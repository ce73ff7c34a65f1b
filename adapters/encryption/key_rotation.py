"""Rotation: what older secrets sealed and hashed is brought to the newest, so that the older ones can be dropped.

Everything is done row by row and only while a row is as it was read, so that it may be stopped, taken up again and run
twice at once, and never brings back what was erased meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from adapters.encryption.keyring import DecryptionError, Keyring
from adapters.encryption.service_key import SERVICE_KEYRING
from adapters.encryption.ticket_keys import TICKET_KEYRING
from adapters.identity.contacts import ContactIndex
from adapters.mail.outbox import OUTBOX_RING
from adapters.payments.inbox import INBOX_RING
from adapters.postgres.database import Database
from domain.errors import DomainError, NotFoundError
from domain.stores import Tickets
from domain.values import SYSTEM

PAGE = 500

# Told what is worked on, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sealed:
    """A column of sealed bytes: rows are found by `key`, and `context` makes of it what the seal belongs to."""

    name: str
    table: str
    key: str
    column: str
    purpose: str
    context: Callable[[object], bytes]
    where: str
    names_key: bool = False


def _id(key: object) -> bytes:
    assert isinstance(key, UUID)
    return key.bytes


def _text(key: object) -> bytes:
    return str(key).encode()


# Everything that the master key seals itself; what a ticket's key seals follows that key.
SEALED = (
    Sealed("ticketKeys", "ticket_keys", "ticket_id", "wrapped", TICKET_KEYRING, _id, "true", names_key=True),
    Sealed("serviceKeys", "service_keys", "name", "wrapped", SERVICE_KEYRING, _text, "true", names_key=True),
    Sealed("inbox", "stripe_inbox", "event_id", "body", INBOX_RING, _text, "ticket_id IS NULL"),
    Sealed("outbox", "outbox", "id", "sealed", OUTBOX_RING, _id, "ticket_id IS NULL"),
)


@dataclass(frozen=True)
class RotatedRows:
    """How many rows were brought to the newest secret, and how many could not be."""

    name: str
    done: int
    left: int


class KeyRotation:
    """Brings everything to the newest secrets, as far as the older ones are at hand."""

    def __init__(self, database: Database, master: tuple[str, ...], index: ContactIndex, tickets: Tickets) -> None:
        self._database = database
        self._master = master
        self._index = index
        self._tickets = tickets

    def run(self, progress: Progress = lambda *_: None) -> list[RotatedRows]:
        return [*(self._reseal(sealed, progress) for sealed in SEALED), self._reindex(progress)]

    def _reseal(self, sealed: Sealed, progress: Progress) -> RotatedRows:
        ring = Keyring(self._master, sealed.purpose)
        old, done, failed = self._old(sealed, ring), 0, 0
        for key, before in self._rows(sealed, ring):
            try:
                plain = ring.open(before, sealed.context(key))
            except DecryptionError:
                failed += 1
                continue
            after = ring.seal(plain, sealed.context(key))
            assert ring.open(after, sealed.context(key)) == plain
            done += self._replace(sealed, ring, key, before, after)
            progress(sealed.name, done, old)
        return RotatedRows(sealed.name, done, self._old(sealed, ring))

    def _replace(self, sealed: Sealed, ring: Keyring, key: object, before: bytes, after: bytes) -> int:
        also, values = (", wrapped_by = %s", [ring.current]) if sealed.names_key else ("", [])
        with self._database.connection() as connection:
            return connection.execute(
                f"UPDATE {sealed.table} SET {sealed.column} = %s{also}"  # noqa: S608 - names of ours
                f" WHERE {sealed.key} = %s AND {sealed.column} = %s".encode(),
                (after, *values, key, before),
            ).rowcount

    def _rows(self, sealed: Sealed, ring: Keyring) -> Iterator[tuple[object, bytes]]:
        """What is not sealed with the newest yet, a page in memory at a time."""
        after: object = None
        while True:
            with self._database.connection() as connection:
                page = connection.execute(
                    f"SELECT {sealed.key}, {sealed.column} FROM {sealed.table} WHERE {self._is_old(sealed)}"  # noqa: S608
                    f" AND (%s::text IS NULL OR {sealed.key} > %s) ORDER BY {sealed.key} LIMIT %s".encode(),
                    (bytes.fromhex(ring.current), None if after is None else "", after, PAGE),
                ).fetchall()
            yield from ((key, bytes(value)) for key, value in page)
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def _old(self, sealed: Sealed, ring: Keyring) -> int:
        with self._database.connection() as connection:
            row = connection.execute(
                f"SELECT count(*) FROM {sealed.table} WHERE {self._is_old(sealed)}".encode(),  # noqa: S608
                (bytes.fromhex(ring.current),),
            ).fetchone()
        assert row is not None
        return int(row[0])

    def _is_old(self, sealed: Sealed) -> str:
        return f"{sealed.where} AND {sealed.column} <> '' AND substring({sealed.column} FROM 1 FOR 8) <> %s"

    # The contact index.

    def _reindex(self, progress: Progress) -> RotatedRows:
        old, done = self._unindexed(), 0
        for ticket in old:
            try:
                self._tickets.change(ticket, lambda t: t.reindex(SYSTEM, self._index.of(t.contact)))
            except (NotFoundError, DecryptionError):
                continue
            done += 1
            progress("contacts", done, len(old))
        left = 0
        for ticket in old:
            found = self._tickets.get(ticket)
            left += not found.erased and not found.contact_index.startswith(self._index.current)
        return RotatedRows("contacts", done, left)

    def _unindexed(self) -> list[UUID]:
        with self._database.connection() as connection:
            rows = connection.execute(
                "SELECT ticket_id FROM read.contact_index WHERE NOT starts_with(contact_index, %s) ORDER BY ticket_id",
                (self._index.current,),
            ).fetchall()
        return [ticket for (ticket,) in rows]


class MissingSecretError(DomainError):
    """The database holds what only a secret opens that was not given."""


def check_master_key(database: Database, master: tuple[str, ...]) -> None:
    """Gate: every key in the database can be opened with the master keys that were given; MissingSecretError if not."""
    with database.connection() as connection:
        for table, purpose in (("ticket_keys", TICKET_KEYRING), ("service_keys", SERVICE_KEYRING)):
            # From one name to the next in the index, however many rows each has.
            rows = connection.execute(
                f"""
                WITH RECURSIVE names AS (
                    (SELECT min(wrapped_by) AS name FROM {table} WHERE wrapped <> ''::bytea)
                    UNION ALL
                    SELECT (SELECT min(wrapped_by) FROM {table} WHERE wrapped <> ''::bytea AND wrapped_by > name)
                      FROM names WHERE name IS NOT NULL
                )
                SELECT name FROM names WHERE name IS NOT NULL
                """.encode()  # noqa: S608 - names of ours
            ).fetchall()
            known = Keyring(master, purpose).names if master else frozenset()
            if {name for (name,) in rows} - known:
                raise MissingSecretError(
                    "MASTER_KEY: the database holds keys that another master key wraps: give that one too, after the"
                    " new one, and run `storyledger keys rewrap` before it is dropped"
                )
