"""Network addresses, sealed with a key of the service, because they are personal."""

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption.epochs import EpochKeyMissingError
from adapters.encryption.keyring import DecryptionError, Keyring, open_with, seal_with
from adapters.encryption.service_key import ServiceKey
from adapters.observability.counters import unsealed_addresses
from adapters.postgres.database import Database

_CONTEXT = b"network address"

logger = structlog.get_logger()


class AddressCipher:
    """Seals network addresses, and opens them again as long as they are kept.

    If the key cannot be opened, what happened is recorded without an address: no act and no page fails because of it.
    """

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._key = ServiceKey(database, keyring, "network addresses")
        self._is_reported = False

    def load(self) -> None:
        """Read the key, or make it, so that all later calls cost the same."""
        self._present_key()

    def seal(self, address: str) -> bytes | None:
        """Return the sealed address, or None if the key cannot be opened."""
        key = self._present_key()
        if key is None:
            unsealed_addresses.inc()
            return None
        return seal_with(AESGCM(key), address.encode(), _CONTEXT)

    def open(self, sealed: bytes | None) -> str | None:
        """Return the address, or None if it is no longer kept or cannot be opened any more."""
        key = None if sealed is None else self._present_key()
        if sealed is None or key is None:
            return None
        try:
            return open_with(AESGCM(key), sealed, _CONTEXT).decode()
        except DecryptionError:
            return None

    def _present_key(self) -> bytes | None:
        """Return the key, or None if it cannot be opened, which is logged once."""
        try:
            return self._key.get()
        except (DecryptionError, EpochKeyMissingError) as error:
            if not self._is_reported:
                self._is_reported = True
                logger.error("network addresses are not recorded: their key is lost", error=type(error).__name__)
            return None
