"""Network addresses, sealed with a key of the service, because they are personal."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption.keyring import NONCE_BYTES, Keyring
from adapters.encryption.service_key import ServiceKey
from adapters.postgres.database import Database

_CONTEXT = b"network address"


class AddressCipher:
    """Seals network addresses, and opens them again as long as they are kept."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._key = ServiceKey(database, keyring, "network addresses")

    def load(self) -> None:
        """Read the key, or make it, so that all later calls cost the same."""
        self._key.get()

    def seal(self, address: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._key.get()).encrypt(nonce, address.encode(), _CONTEXT)

    def open(self, sealed: bytes | None) -> str | None:
        """Return the address, or None if it is no longer kept or cannot be opened any more."""
        if sealed is None:
            return None
        try:
            return AESGCM(self._key.get()).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _CONTEXT).decode()
        except InvalidTag:
            return None
