"""Runs `storyledger serve` as a process whose folders, log and database a test can search."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2

from adapters.postgres.database import connect
from adapters.postgres.embedded.binaries import wheel_bin_dir
from tests.client import eventually
from tests.commands import run_here
from tests.journeys.canaries import found_in
from tests.postgres import server_bin_dir
from tests.processes import COMMAND_SECONDS, Serving

# The sandbox has no pending delivery, and none is due in the next minute.
_NOTHING_TO_REPORT = """
SELECT NOT EXISTS (SELECT FROM sandbox.deliveries WHERE delivered_at IS NULL)
   AND NOT EXISTS (SELECT FROM sandbox.objects WHERE step_at < extract(epoch FROM now()) + 60)
"""


class ObservedService(Serving):
    """A service with a data folder, a temporary folder and a log of its own; without `database_url` it is embedded."""

    def __init__(self, database_url: str, folder: Path, **settings: Any) -> None:
        self.data, self.temporary, self.log = folder / "var", folder / "tmp", folder / "log"
        self.temporary.mkdir(exist_ok=True)
        super().__init__(
            log=self.log,
            database_url=database_url,
            data_dir=self.data,
            tmpdir=self.temporary,
            log_level="DEBUG",
            save_qr_images="true",
            **settings,
        )

    @property
    def secrets(self) -> dict[str, str]:
        """Return the secrets that the service generated in its data folder."""
        secrets_by_name: dict[str, str] = json.loads((self.data / "secrets.json").read_text())
        return secrets_by_name

    @property
    def outbox(self) -> Path:
        return self.data / "outbox"

    def run_json(self, *arguments: str) -> Any:
        """Run a command with the service's settings and return its JSON output. Fail if the command fails."""
        ran = run_here(*arguments, "--json", **self.settings)
        assert ran.returncode == 0, ran.stderr
        assert not found_in(ran.stderr.encode())
        return json.loads(ran.stdout)

    def dump(self) -> bytes:
        """Return the whole database as text."""
        pg_dump = (server_bin_dir() or wheel_bin_dir()) / "pg_dump"
        command = [pg_dump, "--dbname", str(self.settings["database_url"])]
        ran = subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def wait_until_idle(self) -> None:
        """Wait until all events of Stripe and the sandbox are in the ledger and visible."""

        def idle() -> bool:
            # In the order in which an event of the sandbox passes through the service.
            with connect(str(self.settings["database_url"])) as connection:
                reported = connection.execute(_NOTHING_TO_REPORT).fetchone() == (True,)
            health = httpx2.get(f"{self.url}/health/ready", timeout=60, verify=False).json()
            followed = all(model["position"] == model["head"] for model in health["projections"].values())
            return bool(reported and health["inbox"]["waiting"] == 0 and followed)

        eventually(idle)
