"""Personal fields sealed with the key of their ticket."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption.keyring import NONCE_BYTES, DecryptionError
from adapters.encryption.ticket_keys import TicketKeys

SEAL = "sealed:1"


@dataclass(frozen=True)
class FieldContext:
    """Where a sealed text belongs: this field of this event, and no other."""

    stream: UUID
    version: int
    topic: str
    field: str

    def __str__(self) -> str:
        return f"{self.stream}:{self.version}:{self.topic}:{self.field}"


class FieldCipher:
    """Seals single texts into readable envelopes that name their place, and opens them again."""

    def __init__(self, keys: TicketKeys) -> None:
        self._keys = keys

    def seal(self, ticket: UUID, place: FieldContext, text: str, *, new_ticket: bool = False) -> str:
        nonce = os.urandom(NONCE_BYTES)
        key = AESGCM(self._keys.get(ticket, create=new_ticket))
        sealed = nonce + key.encrypt(nonce, text.encode(), str(place).encode())
        return f"{SEAL}:{place}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, ticket: UUID, envelope: str, place: FieldContext | None = None) -> str:
        """The text in an envelope; BrokenSealError if it was changed, or belongs elsewhere than in `place`.

        NotFoundError when the ticket's key was destroyed: the text is gone for good.
        """
        prefix, _, code = envelope.rpartition(":")
        named = prefix.removeprefix(f"{SEAL}:")
        if named == prefix or (place is not None and named != str(place)):
            raise DecryptionError("sealed for another place")
        try:
            sealed = base64.urlsafe_b64decode(code)
            key = AESGCM(self._keys.get(ticket))
            return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], named.encode()).decode()
        except (InvalidTag, ValueError):
            raise DecryptionError("the seal is broken") from None
