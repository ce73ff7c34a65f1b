"""Keyed hashes, to look up texts that are stored only sealed."""

import hashlib
import hmac

from adapters.encryption.keyring import derived_key


class KeyedHashes:
    """HMAC-SHA-256 of texts for one purpose: equal texts have equal hashes, which reveal nothing without the secret.

    A hash is `NAME:HEX` with the name of the secret that made it. New hashes are made with the newest secret; hashes
    made with older ones can still be looked up.
    """

    def __init__(self, secrets: tuple[str, ...], purpose: str) -> None:
        keys = [derived_key(secret, purpose) for secret in secrets]
        self._keys = {hashlib.sha256(b"name of " + key).hexdigest()[:8]: key for key in keys}

    def of(self, text: str) -> str:
        return self.all_of(text)[0]

    def all_of(self, text: str) -> list[str]:
        """Return every hash that may be stored for this text, the newest first."""
        digests = {name: hmac.digest(key, text.encode(), hashlib.sha256).hex() for name, key in self._keys.items()}
        # The first version stored hashes without a name.
        return [f"{name}:{digest}" for name, digest in digests.items()] + list(digests.values())

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the key of each secret, the newest first."""
        return tuple(self._keys.values())

    @property
    def current(self) -> str:
        """Return the prefix of every hash that the newest secret made."""
        return f"{next(iter(self._keys))}:"
