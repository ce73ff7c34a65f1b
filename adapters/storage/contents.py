"""Content too big for an event: stored under its hash and sealed with its ticket's key."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import UUID

from pydantic import TypeAdapter

from adapters.encryption.content_cipher import seal, unseal_range, unsealed_file
from adapters.encryption.ticket_keys import KeyDestroyed, TicketKeys
from adapters.storage.protocol import Storage
from domain.values import Content, Transcript

CHUNK_BYTES = 1024 * 1024

_TRANSCRIPT = TypeAdapter(Transcript)


class SealedContents:
    """The port `Contents` over storage and the tickets' keys."""

    def __init__(self, storage: Storage, keys: TicketKeys) -> None:
        self._storage = storage
        self._keys = keys

    def keep(self, ticket_id: UUID, source: BinaryIO) -> Content:
        digest, size = hashlib.sha256(), 0
        source.seek(0)
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
        content = Content(digest.hexdigest(), size)
        key = storage_key(ticket_id, content.sha256)
        if not self._storage.exists(key):
            source.seek(0)
            self._storage.put(key, seal(source, self._keys.get(ticket_id), key.encode()))
            # Erasure destroys the key before it deletes files: it also deletes what was written while the key existed.
            if not self._keys.key_exists(ticket_id):
                self._storage.delete(key)
                raise KeyDestroyed("There is no key for this ticket.")
        return content

    def has(self, ticket_id: UUID, content: Content) -> bool:
        return self._storage.exists(storage_key(ticket_id, content.sha256))

    def discard(self, ticket_id: UUID, content: Content) -> None:
        self._storage.delete(storage_key(ticket_id, content.sha256))

    def shred(self, ticket_id: UUID, content: Content) -> None:
        self._storage.shred(storage_key(ticket_id, content.sha256))

    @contextmanager
    def open(self, ticket_id: UUID, content: Content) -> Iterator[BinaryIO]:
        key = storage_key(ticket_id, content.sha256)
        with self._storage.open(key) as sealed:
            plain = unsealed_file(sealed, self._keys.get(ticket_id), key.encode())
        with plain:
            yield plain

    def read(self, ticket_id: UUID, content: Content, start: int, stop: int) -> Iterator[bytes]:
        key = storage_key(ticket_id, content.sha256)
        ticket_key = self._keys.get(ticket_id)
        sealed = self._storage.open_parts(key)
        return _closing(sealed, unseal_range(sealed, ticket_key, key.encode(), content.size_bytes, start, stop))

    def erase(self, ticket_id: UUID) -> None:
        self._keys.destroy(ticket_id)
        self._storage.delete_prefix(f"tickets/{ticket_id}")


def storage_key(ticket_id: UUID, sha256: str) -> str:
    """Return the storage key of a ticket's content."""
    return f"tickets/{ticket_id}/{sha256}"


def _closing(file: BinaryIO, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with file:
        yield from pieces


class JsonTranscripts:
    """The port `Transcripts`: JSON without the fields that have their default value."""

    def dump(self, transcript: Transcript) -> bytes:
        return _TRANSCRIPT.dump_json(transcript, exclude_defaults=True)

    def load(self, data: bytes) -> Transcript:
        return _TRANSCRIPT.validate_json(data)
