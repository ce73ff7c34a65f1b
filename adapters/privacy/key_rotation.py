"""Key rotation: seals and hashes made with older secrets are renewed with the newest, so that the older can be dropped.

A row is updated only if it did not change since it was read. So a rotation may be interrupted, repeated and run twice
at once, and never restores what was erased meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from adapters.contacts import ContactIndex
from adapters.encryption.keyring import DecryptionError, Keyring
from adapters.encryption.service_key import SERVICE_KEYRING
from adapters.encryption.ticket_keys import TICKET_KEYRING
from adapters.postgres.database import Database
from adapters.privacy.sealed_columns import SEALED_WITH_MASTER_KEY, SealedColumn
from adapters.search.indexing import SearchIndexing
from domain.errors import DomainError, NotFoundError
from domain.ports import Tickets, Workspaces
from domain.values import SYSTEM, Contact, ContactType
from domain.workspaces import Workspace

BATCH = 500

# Called with the name of the data, the number of rows done, and the number of rows to do.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RotatedRows:
    """The number of rows renewed with the newest secret, and of those that could not be."""

    name: str
    done: int
    left: int


@dataclass(frozen=True)
class KeyRotation:
    """Renews everything with the newest secrets, as far as the older secrets are configured.

    `keyring` returns the master key's keyring for a purpose.
    """

    database: Database
    keyring: Callable[[str], Keyring]
    index: ContactIndex
    tickets: Tickets
    workspaces: Workspaces
    search: SearchIndexing

    def run(self, progress: Progress = lambda *_: None) -> list[RotatedRows]:
        resealed = [self._reseal(sealed, progress) for sealed in SEALED_WITH_MASTER_KEY]
        return [*resealed, self._reindex(progress), self._reindex_members(), self._reindex_search(progress)]

    def _reseal(self, sealed: SealedColumn, progress: Progress) -> RotatedRows:
        keyring = self.keyring(sealed.purpose)
        old, done = self._count_old(sealed, keyring), 0
        for key, before in self._old_rows(sealed, keyring):
            try:
                plain = keyring.open(before, sealed.context(key))
            except DecryptionError:
                continue
            after = keyring.seal(plain, sealed.context(key))
            assert keyring.open(after, sealed.context(key)) == plain
            done += self._replace(sealed, keyring, key, before, after)
            progress(sealed.name, done, old)
        return RotatedRows(sealed.name, done, self._count_old(sealed, keyring))

    def _replace(self, sealed: SealedColumn, keyring: Keyring, key: object, before: bytes, after: bytes) -> int:
        also, values = (", wrapped_by = %s", [keyring.current]) if sealed.names_key else ("", [])
        return self.database.execute(
            f"UPDATE {sealed.table} SET {sealed.column} = %s{also}"  # noqa: S608 (constants)
            f" WHERE {sealed.key} = %s AND {sealed.column} = %s".encode(),
            (after, *values, key, before),
        )

    def _count_old(self, sealed: SealedColumn, keyring: Keyring) -> int:
        return sum(1 for _ in self._old_rows(sealed, keyring))

    def _old_rows(self, sealed: SealedColumn, keyring: Keyring) -> Iterator[tuple[object, bytes]]:
        """Yield the rows that are not sealed with the newest secret, one batch in memory at a time."""
        where = f"{sealed.where} AND {sealed.column} <> ''" + (" AND wrapped_by <> %(current)s" * sealed.names_key)
        after: object = None
        while True:
            rows = self.database.rows(
                f"SELECT {sealed.key}, {sealed.column} FROM {sealed.table} WHERE {where}"  # noqa: S608 (constants)
                f" AND (%(after)s::{sealed.key_type} IS NULL OR {sealed.key} > %(after)s)"
                f" ORDER BY {sealed.key} LIMIT {BATCH}".encode(),
                {"current": keyring.current, "after": after},
            )
            yield from ((key, bytes(value)) for key, value in rows if not _is_current(keyring, bytes(value)))
            if len(rows) < BATCH:
                return
            after = rows[-1][0]

    # The contact index.

    def _reindex(self, progress: Progress) -> RotatedRows:
        old, done = self._unindexed(), 0
        for ticket in old:
            try:
                self.tickets.change(ticket, lambda t: t.reindex(SYSTEM, self.index.of(t.contact)))
            except (NotFoundError, DecryptionError):
                continue
            done += 1
            progress("contacts", done, len(old))
        left = 0
        for ticket in old:
            current = self.tickets.get(ticket)
            left += not current.erased and not current.contact_index.startswith(self.index.current)
        return RotatedRows("contacts", done, left)

    def _reindex_members(self) -> RotatedRows:
        """Hash the addresses of members and invited people again: without that, they could no longer sign in."""
        old = self.database.rows(_OLD_MEMBERS, (self.index.current,))
        for workspace, member_id in old:
            with suppress(NotFoundError, DecryptionError):
                self.workspaces.change(workspace, partial(self._reindex_member, member_id=member_id))
        left = len(self.database.rows(_OLD_MEMBERS, (self.index.current,)))
        return RotatedRows("members", len(old) - left, left)

    def _reindex_member(self, workspace: Workspace, member_id: UUID) -> None:
        if person := workspace.people.get(member_id):
            index = self.index.of(Contact(ContactType.EMAIL, person.email))
            workspace.reindex(SYSTEM, member_id, index)

    def _reindex_search(self, progress: Progress) -> RotatedRows:
        old = self.search.left()
        done = self.search.index(old, lambda indexed: progress("search", indexed, old))
        return RotatedRows("search", done, self.search.left())

    def _unindexed(self) -> list[UUID]:
        rows = self.database.rows(
            "SELECT ticket_id FROM read.contact_index JOIN contact_hashes ON owner_id = ticket_id"
            " WHERE is_current AND NOT starts_with(hash, %s) ORDER BY ticket_id",
            (self.index.current,),
        )
        return [ticket for (ticket,) in rows]


_OLD_MEMBERS = (
    "SELECT workspace, member_id FROM members JOIN contact_hashes ON owner_id = member_id"
    " WHERE is_current AND NOT starts_with(hash, %s) ORDER BY workspace, member_id"
)


def _is_current(keyring: Keyring, sealed: bytes) -> bool:
    try:
        return keyring.is_current(sealed)
    except DecryptionError:
        return False


class MissingSecretError(DomainError):
    """The database holds keys that none of the configured master keys can open."""


def check_master_key(database: Database, master: tuple[str, ...]) -> None:
    """Raise MissingSecretError unless the configured master keys can open every key in the database."""
    for table, purpose in (("ticket_keys", TICKET_KEYRING), ("service_keys", SERVICE_KEYRING)):
        # Skips from one name to the next in the index, without reading all rows.
        rows = database.rows(
            f"""
            WITH RECURSIVE names AS (
                (SELECT min(wrapped_by) AS name FROM {table} WHERE wrapped <> ''::bytea)
                UNION ALL
                SELECT (SELECT min(wrapped_by) FROM {table} WHERE wrapped <> ''::bytea AND wrapped_by > name)
                  FROM names WHERE name IS NOT NULL
            )
            SELECT name FROM names WHERE name IS NOT NULL
            """.encode()  # noqa: S608 (constants)
        )
        configured = Keyring(master, purpose).names if master else frozenset()
        if {name for (name,) in rows} - configured:
            raise MissingSecretError(
                "MASTER_KEY: the database holds keys wrapped by another master key. Add that one after the new one,"
                " and run `storyledger keys rewrap` before you remove it"
            )
