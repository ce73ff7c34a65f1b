"""`storyledger serve` as a process of its own, with everything that it leaves anywhere in the test's hands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

from adapters.postgres.embedded.binaries import wheel_bin_dir
from tests.client import eventually, free_port
from tests.journeys.canaries import found_in
from tests.postgres import server_bin_dir

STORYLEDGER = Path(sys.executable).parent / "storyledger"


class House:
    """`storyledger serve` as a process of its own, and everywhere that it leaves something."""

    def __init__(self, url: str, folder: Path, **environment: str) -> None:
        self.url, self.data, self.temporary, self.log = url, folder / "var", folder / "tmp", folder / "log"
        self.temporary.mkdir(exist_ok=True)
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self.env = os.environ | {
            "DATABASE_URL": url,
            "DATA_DIR": str(self.data),
            "PORT": str(port),
            "TMPDIR": str(self.temporary),
            "LOG_LEVEL": "DEBUG",
            "SAVE_QR_IMAGES": "true",
            **environment,
            **{f"RATE_LIMIT_{name}": "1000000/minute" for name in ("DEFAULT", "PAYMENT", "CREATE")},
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([STORYLEDGER, "serve"], env=self.env, stdout=log, stderr=log)
        eventually(self._ready, 60)
        self.secrets: dict[str, str] = json.loads((self.data / "secrets.json").read_text())

    @property
    def outbox(self) -> Path:
        return self.data / "outbox"

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx2.get(f"{self.base_url}/health/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0

    def run(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must do what it says."""
        ran = subprocess.run([STORYLEDGER, *arguments, "--json"], env=self.env, capture_output=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        assert not found_in(ran.stderr)
        return json.loads(ran.stdout)

    def dump(self) -> bytes:
        """The whole database as text."""
        pg_dump = (server_bin_dir() or wheel_bin_dir()) / "pg_dump"
        ran = subprocess.run([pg_dump, "--dbname", self.url], capture_output=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def quiet(self) -> None:
        """Wait until all that Stripe and the sandbox said is in the ledger and visible."""

        def done() -> bool:
            told = httpx2.get(f"{self.base_url}/health/ready").json()
            seen = all(one["position"] == one["head"] for one in told["projections"].values())
            return bool(told["inbox"]["waiting"] == 0 and seen)

        time.sleep(1.5)  # what the sandbox still owes
        eventually(done, 60)
