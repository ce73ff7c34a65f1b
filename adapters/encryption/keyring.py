"""Keys derived from a secret, and the keyring of a secret and the older ones that it replaced.

AES-256-GCM throughout (NIST SP 800-38D) with random 96-bit nonces. The associated data names where a ciphertext
belongs, so that it cannot be opened anywhere else.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import DomainError

NONCE_BYTES = 12


class DecryptionError(DomainError):
    """A sealed value was changed, moved to another context, or made with another key."""


def derived_key(secret: str, purpose: str) -> bytes:
    """Derive a key for one purpose from a secret of any length (HKDF-SHA-256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"storyledger {purpose}".encode()).derive(
        secret.encode()
    )


def seal_with(cipher: AESGCM, plain: bytes, context: bytes | None) -> bytes:
    """Return a random nonce, followed by the ciphertext."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, context)


def open_with(cipher: AESGCM, sealed: bytes, context: bytes | None) -> bytes:
    """Return what `seal_with` sealed; DecryptionError if it was changed, or sealed with another key or context."""
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise DecryptionError("the sealed value is damaged") from None


class Keyring:
    """The keys for one purpose from a secret and the older ones: seals with the newest, opens with the right one."""

    def __init__(self, secrets: tuple[str, ...], purpose: str) -> None:
        self._keys = {self._name(key): AESGCM(key) for key in (derived_key(s, purpose) for s in secrets)}
        self.current = next(iter(self._keys))

    @staticmethod
    def _name(key: bytes) -> str:
        return hashlib.sha256(b"name of " + key).hexdigest()[:16]

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the keys in the database; a name reveals nothing about its key."""
        return frozenset(self._keys)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        return bytes.fromhex(self.current) + seal_with(self._keys[self.current], plain, context)

    def is_current(self, sealed: bytes) -> bool:
        """Return True if the newest secret sealed the value."""
        return sealed[:8].hex() == self.current

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes; DecryptionError if they were not sealed by this keyring in this context."""
        key = self._keys.get(sealed[:8].hex())
        if key is None:
            raise DecryptionError("sealed with an unknown key")
        return open_with(key, sealed[8:], context)
