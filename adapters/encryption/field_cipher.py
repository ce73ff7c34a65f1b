"""Personal fields sealed with the key of their ticket, of their donation, or of both.

An envelope names for whom it is sealed, and its context, whose stream is that of the donation.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption.keyring import DecryptionError, open_with, seal_with
from adapters.encryption.ticket_keys import TicketKeys, WrappedKey, books_of
from domain.personal import SealedFor

_MARK = "sealed"
_PREFIXES = tuple(f"{_MARK}:{owner}:" for owner in SealedFor)


@dataclass(frozen=True)
class FieldContext:
    """The field of the event that a sealed text belongs to."""

    stream: UUID
    version: int
    topic: str
    field: str

    def __str__(self) -> str:
        return f"{self.stream}:{self.version}:{self.topic}:{self.field}"


def is_sealed(text: str) -> bool:
    """Return True if the text is an envelope, as far as its beginning shows."""
    return text.startswith(_PREFIXES)


class FieldCipher:
    """Seals single texts into printable envelopes that name their context, and opens them again."""

    def __init__(self, keys: TicketKeys) -> None:
        self._keys = keys

    def create_key(self, owner: UUID) -> None:
        """Store the key of a new donation, which its first event needs."""
        self._keys.create(owner)

    def new_key(self, owner: UUID) -> WrappedKey:
        """Return the key of a new donation, which is to be stored with its first event."""
        return self._keys.new(owner)

    def preload(self, envelopes: Iterable[str]) -> None:
        """Read the keys of many donations' envelopes in one query, so that each is opened from memory."""
        parts = [envelope.split(":", 3) for envelope in envelopes if is_sealed(envelope)]
        streams = {(SealedFor(owner), UUID(stream)) for _, owner, stream, _ in parts if owner != SealedFor.TICKET}
        self.preload_keys([books_of(stream) if owner is SealedFor.BOOKS else stream for owner, stream in streams])

    def preload_keys(self, owners: Iterable[UUID]) -> None:
        """Read these keys in one query."""
        self._keys.preload(list(owners))

    def seal(
        self,
        ticket: UUID,
        context: FieldContext,
        text: str,
        *,
        owner: SealedFor = SealedFor.TICKET,
        new_ticket: bool = False,
    ) -> str:
        key = AESGCM(self._key(owner, ticket, context.stream, create=new_ticket or owner is not SealedFor.TICKET))
        sealed = seal_with(key, text.encode(), str(context).encode())
        return f"{_MARK}:{owner}:{context}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, ticket: UUID, envelope: str, context: FieldContext | None = None) -> str:
        """Return the text of an envelope.

        Raise DecryptionError if it was changed or belongs to another context, and NotFoundError if a key that it needs
        was destroyed.
        """
        prefix, _, code = envelope.rpartition(":")
        mark, _, rest = prefix.partition(":")
        owner, _, context_name = rest.partition(":")
        if mark != _MARK or (context is not None and context_name != str(context)):
            raise DecryptionError("sealed for another context")
        try:
            sealed = base64.urlsafe_b64decode(code)
            key = AESGCM(self._key(SealedFor(owner), ticket, UUID(context_name[:36])))
            return open_with(key, sealed, context_name.encode()).decode()
        except ValueError:
            raise DecryptionError("the sealed value is damaged") from None

    def _key(self, owner: SealedFor, ticket: UUID, stream: UUID, *, create: bool = False) -> bytes:
        match owner:
            case SealedFor.TICKET:
                return self._keys.get(ticket, create=create)
            case SealedFor.DONATION:
                return self._keys.get(stream, create=create)
            case SealedFor.BOTH:
                return self._keys.get_both(ticket, stream, create=create)
            case SealedFor.BOOKS:
                return self._keys.get(books_of(stream), create=create)
