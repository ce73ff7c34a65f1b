"""Keys of the service itself."""

import os

from adapters.encryption.keyring import Keyring
from adapters.postgres.database import Database

# The purpose of the master key's keyring that wraps these keys.
SERVICE_KEYRING = "service keys"


class ServiceKey:
    """A key made at its first use and stored wrapped in the database, so that it survives master key rotation."""

    def __init__(self, database: Database, keyring: Keyring, name: str) -> None:
        self._database = database
        self._keyring = keyring
        self._name = name
        self._key: bytes | None = None

    def get(self) -> bytes:
        """Return the 32 bytes, the same in every process."""
        if self._key is None:
            wrapped = self._keyring.seal(os.urandom(32), self._name.encode())
            with self._database.connection() as connection:
                connection.execute(
                    "INSERT INTO service_keys (name, wrapped, wrapped_by) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                    (self._name, wrapped, self._keyring.current),
                )
                [row] = connection.execute("SELECT wrapped FROM service_keys WHERE name = %s", (self._name,)).fetchall()
            self._key = self._keyring.open(bytes(row[0]), self._name.encode())
        return self._key
