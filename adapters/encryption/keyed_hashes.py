"""Keyed hashes, to look up texts that are stored only sealed."""

from __future__ import annotations

import hashlib
import hmac

from adapters.encryption.keyring import derived_key


class KeyedHashes:
    """HMAC-SHA-256 of texts for one purpose: equal texts compare equal, and nobody without the secret can guess them.

    A hash is `NAME:HEX`, where NAME is that of the secret that made it: the newest. Of the secrets before it all hashes
    are still found.
    """

    def __init__(self, secrets: tuple[str, ...], purpose: str) -> None:
        keys = [derived_key(secret, purpose) for secret in secrets]
        self._keys = {hashlib.sha256(b"name of " + key).hexdigest()[:8]: key for key in keys}

    def of(self, text: str) -> str:
        return self.all_of(text)[0]

    def all_of(self, text: str) -> list[str]:
        """Every hash that this text may have been given, the newest first."""
        digests = {name: hmac.digest(key, text.encode(), hashlib.sha256).hex() for name, key in self._keys.items()}
        # Those without a name are older than names are.
        return [f"{name}:{digest}" for name, digest in digests.items()] + list(digests.values())

    @property
    def current(self) -> str:
        """How every hash begins that the newest secret made."""
        return f"{next(iter(self._keys))}:"
