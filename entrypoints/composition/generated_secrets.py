"""Secrets for development, generated in the data folder."""

import json
import os
import secrets as random
from collections.abc import Callable
from pathlib import Path

from adapters.postgres.embedded.locks import EXCLUSIVE, FileLock
from entrypoints.composition.settings import SettingsError

SECRETS_FILE = "secrets.json"
LOCK_SECONDS = 10.0
_GENERATORS: dict[str, Callable[[], str]] = {
    "master_key": lambda: random.token_urlsafe(32),
    "email_pepper": lambda: random.token_urlsafe(32),
    "checkpoint_key": lambda: random.token_urlsafe(32),
    "webhook_secret": lambda: "whsec_" + random.token_urlsafe(32),
    "sandbox_key": lambda: "sk_test_" + random.token_urlsafe(32).replace("-", "x").replace("_", "y"),
    "admin_key": lambda: "slk_" + random.token_urlsafe(32),
}


class GeneratedSecrets:
    """The secrets that the service generates in a data folder for development; only their owner may read the file."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / SECRETS_FILE
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._values = self._read()
            if not _GENERATORS.keys() <= self._values.keys():
                self._generate_missing()
        except OSError as error:
            raise SettingsError(f"DATA_DIR: {error.filename or data_dir}: {error.strerror or 'failed'}") from None

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        try:
            values = json.loads(self._path.read_bytes())
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) and value for value in values.values()):
            # New secrets could not decrypt the existing data.
            raise SettingsError(f"DATA_DIR: {self._path} is damaged: bring it back from a copy")
        return values

    def _generate_missing(self) -> None:
        """Add the secrets that a new folder, or one of an older version, does not have yet.

        The lock makes concurrent processes agree, and the rename keeps others from reading a half-written file.
        """
        lock = FileLock(self._path.with_suffix(".lock"))
        if not lock.acquire(EXCLUSIVE, LOCK_SECONDS):
            raise SettingsError(f"DATA_DIR: another process holds {SECRETS_FILE}")
        try:
            self._values = {name: generate() for name, generate in _GENERATORS.items()} | self._read()
            draft = self._path.with_suffix(".new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(self._values, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            lock.release()

    def __getitem__(self, name: str) -> str:
        return self._values[name]
