"""Personal fields sealed with the key of their ticket."""

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
    """The field of the event that a sealed text belongs to."""

    stream: UUID
    version: int
    topic: str
    field: str

    def __str__(self) -> str:
        return f"{self.stream}:{self.version}:{self.topic}:{self.field}"


def is_sealed(text: str) -> bool:
    """Return True if the text is an envelope, as far as its beginning shows."""
    return text.startswith(f"{SEAL}:")


class FieldCipher:
    """Seals single texts into printable envelopes that name their context, and opens them again."""

    def __init__(self, keys: TicketKeys) -> None:
        self._keys = keys

    def seal(self, ticket: UUID, context: FieldContext, text: str, *, new_ticket: bool = False) -> str:
        nonce = os.urandom(NONCE_BYTES)
        key = AESGCM(self._keys.get(ticket, create=new_ticket))
        sealed = nonce + key.encrypt(nonce, text.encode(), str(context).encode())
        return f"{SEAL}:{context}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, ticket: UUID, envelope: str, context: FieldContext | None = None) -> str:
        """Return the text of an envelope.

        Raise DecryptionError if it was changed or belongs to another context, and NotFoundError if the ticket's key
        was destroyed.
        """
        prefix, _, code = envelope.rpartition(":")
        context_name = prefix.removeprefix(f"{SEAL}:")
        if context_name == prefix or (context is not None and context_name != str(context)):
            raise DecryptionError("sealed for another context")
        try:
            sealed = base64.urlsafe_b64decode(code)
            key = AESGCM(self._keys.get(ticket))
            return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context_name.encode()).decode()
        except (InvalidTag, ValueError):
            raise DecryptionError("the sealed value is damaged") from None
