"""`storyledger serve` with its own PostgreSQL, both of which can be killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from tests.client import eventually, free_port

STORYLEDGER = Path(sys.executable).parent / "storyledger"
READY_SECONDS = 60
UNLIMITED = {f"RATE_LIMIT_{name}": "1000000/minute" for name in ("DEFAULT", "PAYMENT", "CREATE")}


class Standing:
    """One service on one data folder, which comes back on the same port each time that it is killed."""

    def __init__(self, folder: Path) -> None:
        self.data, self.log = folder / "var", folder / "log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env = os.environ | {"DATA_DIR": str(self.data), "PORT": str(port)} | UNLIMITED
        self.env.pop("DATABASE_URL", None)
        self.start()
        self.secrets: dict[str, str] = json.loads((self.data / "secrets.json").read_text())

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([STORYLEDGER, "serve"], env=self.env, stdout=log, stderr=log)
        eventually(self.ready, READY_SECONDS)

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2_000:]
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/health/ready", timeout=5, verify=False).status_code == 200
        return False

    def kill(self) -> None:
        """-9, and up again."""
        self.process.kill()
        self.process.wait()
        self.start()

    def kill_database(self) -> None:
        """-9 to PostgreSQL; the service brings it back by itself."""
        [pid_file] = self.data.rglob("postmaster.pid")
        with suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)
        eventually(self.ready, READY_SECONDS)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def run(self, *arguments: str) -> Any:
        """What a command prints as JSON; it must do what it says."""
        ran = subprocess.run([STORYLEDGER, *arguments, "--json"], env=self.env, capture_output=True, timeout=300)
        assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-2_000:]
        return json.loads(ran.stdout)
