"""Uploads in parts: what has arrived of a recording is kept, sealed, until the rest arrives or a day is over."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from datetime import date, datetime, timedelta
from typing import BinaryIO
from uuid import UUID

from adapters.clock import utc_now
from adapters.disk import translated_os_errors
from adapters.encryption.content_cipher import seal, unseal, unsealed_file
from adapters.encryption.field_cipher import FieldCipher, FieldContext
from adapters.encryption.ticket_keys import TicketKeys
from adapters.ids import uuid7
from adapters.postgres.database import Database
from adapters.quotas import Quotas, Reservation, Use
from adapters.storage.protocol import Storage
from domain.errors import NotFoundError, RefusedError
from domain.ports import Clock

KEPT = timedelta(hours=24)
# A further upload for the same ticket ends the oldest one.
UNFINISHED_PER_TICKET = 5
# A part that follows a smaller one is joined to it, so that many small parts never become many objects.
JOINED_BYTES = 1024 * 1024
SWEPT_AT_ONCE = 1000


def use_of(length: int) -> Use:
    """Return what an upload of so many bytes counts as."""
    return Use(recordings=1, bytes=length)


class OffsetConflict(RefusedError):
    """Other bytes arrived in the meantime, or the upload has ended."""


@dataclass(frozen=True)
class Upload:
    """A recording that arrives in parts. Its id becomes the recording's id."""

    id: UUID
    ticket_id: UUID
    metadata: str
    length: int
    received: int
    expires_at: datetime
    # What it counts as in the quotas; None for one that an earlier version of the service began.
    reservation: Reservation | None = None

    @property
    def finished(self) -> bool:
        return self.received == self.length


@dataclass(frozen=True)
class Uploads:
    """The unfinished uploads of all processes: their state is in the database, their bytes are in the storage."""

    database: Database
    storage: Storage
    keys: TicketKeys
    now: Clock = utc_now
    _: KW_ONLY
    quotas: Quotas | None = None

    def create(self, ticket_id: UUID, length: int, metadata: str, reservation: Reservation | None = None) -> Upload:
        """Begin an upload. If it ends without a recording, what it reserved of the quotas is given back."""
        upload = Upload(uuid7(), ticket_id, metadata, length, 0, self.now() + KEPT, reservation)
        sealed = FieldCipher(self.keys).seal(ticket_id, _context(ticket_id, upload.id), metadata)
        with self.database.transaction() as cursor:
            cursor.execute(
                "INSERT INTO uploads (id, ticket_id, metadata, length, created_at, expires_at, quota_day, quota_owners)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    upload.id,
                    ticket_id,
                    sealed,
                    length,
                    self.now(),
                    upload.expires_at,
                    reservation.day if reservation else None,
                    list(reservation.owners) if reservation else None,
                ),
            )
            cursor.execute(
                "SELECT id FROM uploads WHERE ticket_id = %s AND received < length"
                " ORDER BY created_at DESC, id DESC OFFSET %s",
                (ticket_id, UNFINISHED_PER_TICKET),
            )
            surplus = [id for (id,) in cursor.fetchall()]
        for id in surplus:
            self.delete(ticket_id, id)
        return upload

    def get(self, ticket_id: UUID, upload_id: UUID | None) -> Upload:
        """Return the upload; NotFoundError if there is none or it has expired."""
        row = self.database.row(
            "SELECT metadata, length, received, expires_at, quota_day, quota_owners FROM uploads"
            " WHERE id = %s AND ticket_id = %s AND expires_at > %s",
            (upload_id, ticket_id, self.now()),
        )
        if row is None or upload_id is None:
            raise NotFoundError("There is no such upload, or it has expired.")
        metadata, length, received, expires_at, day, owners = row
        opened = FieldCipher(self.keys).open(ticket_id, metadata, _context(ticket_id, upload_id))
        return Upload(upload_id, ticket_id, opened, length, received, expires_at, _reservation(length, day, owners))

    def append(self, upload: Upload, part: BinaryIO, size_bytes: int) -> Upload:
        """Keep the bytes that follow those that have arrived; OffsetConflict if others arrived since it was read."""
        first_byte, name, previous = upload.received, uuid7(), self._last_part(upload)
        with ExitStack() as resources:
            if previous is not None and upload.received - previous[0] < JOINED_BYTES:
                first_byte = previous[0]
                joined = resources.enter_context(self._opened(upload, previous[1]))
                joined.seek(0, 2)
                part.seek(0)
                with translated_os_errors("temporary files"):
                    shutil.copyfileobj(part, joined)
                part = joined
            part.seek(0)
            key = self._key(upload, name)
            self.storage.put(key, seal(part, self.keys.get(upload.ticket_id), key.encode()))
        with self.database.transaction() as cursor:
            cursor.execute(
                "UPDATE uploads SET received = received + %s WHERE id = %s AND received = %s AND expires_at > %s",
                (size_bytes, upload.id, upload.received, self.now()),
            )
            is_next = cursor.rowcount == 1
            if is_next:
                cursor.execute(
                    "INSERT INTO upload_parts (upload_id, first_byte, name) VALUES (%s, %s, %s)"
                    " ON CONFLICT (upload_id, first_byte) DO UPDATE SET name = EXCLUDED.name",
                    (upload.id, first_byte, name),
                )
        # If the transaction fails, its outcome may be unknown: the object stays until the upload ends.
        if not is_next:
            self.storage.delete(key)
            raise OffsetConflict("Other bytes of this upload arrived in the meantime.")
        if previous is not None and first_byte == previous[0]:
            self.storage.delete(self._key(upload, previous[1]))
        return replace(upload, received=upload.received + size_bytes)

    @contextmanager
    def whole(self, upload: Upload, rest: BinaryIO) -> Iterator[BinaryIO]:
        """Open the whole recording, whose last bytes are the rest, as a temporary file without a name."""
        names = self.database.rows(
            "SELECT name FROM upload_parts WHERE upload_id = %s ORDER BY first_byte", (upload.id,)
        )
        with translated_os_errors("temporary files"):
            file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
        with file:
            for (name,) in names:
                key = self._key(upload, name)
                with self._stored(key) as sealed:
                    for plain in unseal(sealed, self.keys.get(upload.ticket_id), key.encode()):
                        with translated_os_errors("temporary files"):
                            file.write(plain)
            rest.seek(0)
            with translated_os_errors("temporary files"):
                shutil.copyfileobj(rest, file)
                file.flush()
            if file.tell() != upload.length:
                raise OffsetConflict("Other bytes of this upload arrived in the meantime.")
            file.seek(0)
            yield file

    def finish(self, upload: Upload) -> Upload:
        """Note that the recording is stored, and delete its parts. Until it expires, its state can be asked for."""
        with self.database.transaction() as cursor:
            cursor.execute("UPDATE uploads SET received = length WHERE id = %s", (upload.id,))
            ended_meanwhile = cursor.rowcount == 0
            cursor.execute("DELETE FROM upload_parts WHERE upload_id = %s", (upload.id,))
        if ended_meanwhile and self.quotas is not None and upload.reservation is not None:
            self.quotas.take_again(upload.reservation)
        self.storage.delete_prefix(_folder(upload.ticket_id, upload.id))
        return replace(upload, received=upload.length)

    def delete(self, ticket_id: UUID, upload_id: UUID) -> None:
        """End the upload and delete what has arrived of it.

        What it reserved of today's quotas is given back, unless it has become a recording.
        """
        # Without its row, nothing more is added to an upload.
        rows = self.database.rows(
            "DELETE FROM uploads WHERE id = %s AND ticket_id = %s"
            " RETURNING length, received < length, quota_day, quota_owners",
            (upload_id, ticket_id),
        )
        for length, unfinished, day, owners in rows:
            if unfinished and self.quotas is not None and (reservation := _reservation(length, day, owners)):
                self.quotas.give_back(reservation)
        self.storage.delete_prefix(_folder(ticket_id, upload_id))

    def purge(self) -> None:
        """Delete the expired uploads. The row goes last, so that an interrupted purge is repeated.

        The day whose quotas they used is over.
        """
        expired = self.database.rows(
            "SELECT id, ticket_id FROM uploads WHERE expires_at <= %s ORDER BY expires_at LIMIT %s",
            (self.now(), SWEPT_AT_ONCE),
        )
        for id, ticket_id in expired:
            self.storage.delete_prefix(_folder(ticket_id, id))
            self.database.execute("DELETE FROM uploads WHERE id = %s", (id,))

    def erase(self, ticket_id: UUID) -> None:
        """Delete the uploads of an erased ticket."""
        self.database.execute("DELETE FROM uploads WHERE ticket_id = %s", (ticket_id,))
        self.storage.delete_prefix(f"tickets/{ticket_id}/uploads")

    def _last_part(self, upload: Upload) -> tuple[int, UUID] | None:
        return self.database.row(
            "SELECT first_byte, name FROM upload_parts WHERE upload_id = %s ORDER BY first_byte DESC LIMIT 1",
            (upload.id,),
        )

    @contextmanager
    def _opened(self, upload: Upload, name: UUID) -> Iterator[BinaryIO]:
        key = self._key(upload, name)
        with self._stored(key) as sealed:
            plain = unsealed_file(sealed, self.keys.get(upload.ticket_id), key.encode())
        with plain:
            yield plain

    def _stored(self, key: str) -> BinaryIO:
        try:
            return self.storage.open(key)
        except NotFoundError:
            raise OffsetConflict("Other bytes of this upload arrived in the meantime.") from None

    @staticmethod
    def _key(upload: Upload, name: UUID) -> str:
        return f"{_folder(upload.ticket_id, upload.id)}/{name}"


def _reservation(length: int, day: date | None, owners: list[str] | None) -> Reservation | None:
    return Reservation(day, tuple(owners), use_of(length)) if day and owners else None


def _folder(ticket_id: UUID, upload_id: UUID) -> str:
    # Below the ticket's other content, which erasure deletes as a whole.
    return f"tickets/{ticket_id}/uploads/{upload_id}"


def _context(ticket_id: UUID, upload_id: UUID) -> FieldContext:
    return FieldContext(ticket_id, 0, "upload", str(upload_id))
