"""The service's secrets are in no process's arguments, and in the environment of none but itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.client import DEMO_RECORDING, Client, eventually, free_port
from tests.fakes.children import speech_children

STORYLEDGER = str(Path(sys.executable).with_name("storyledger"))
CANARY = "canary0Kq9Zw3vXbT5pRmLs8YdHf2Gn4"
SECRETS = {
    "MASTER_KEY": f"{CANARY}-master",
    "EMAIL_PEPPER": f"{CANARY}-pepper",
    "CHECKPOINT_KEY": f"{CANARY}-checkpoint",
    "STRIPE_WEBHOOK_SECRET": f"whsec_{CANARY}",
    "SMTP_URL": f"smtp://ada:{CANARY}@127.0.0.1:1",
    "MAIL_FROM": "hello@example.org",
}

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Client, Path]]:
    """The service with an embedded database, as its own process, and where its log is."""
    port, log = free_port(), tmp_path / "log"
    environment = {**os.environ, **SECRETS, "DATA_DIR": str(tmp_path / "var"), "PORT": str(port)}
    environment.pop("DATABASE_URL", None)
    with log.open("wb") as written:
        process = subprocess.Popen([STORYLEDGER, "serve"], env=environment, stdout=written, stderr=written)
    try:
        with Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

            def alive() -> bool:
                with suppress(httpx2.TransportError):
                    return client.get("/health/live").status_code == 200
                return False

            eventually(alive)
            yield process, client, log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_no_secret_is_visible_to_other_processes_or_in_the_log(
    serving: tuple[subprocess.Popen[bytes], Client, Path], tmp_path: Path
):
    process, client, log = serving
    ticket = client.open_ticket(contactValue="canary.person@example.com", displayName="Canary Person")
    token = ticket.token
    assert ticket.upload(DEMO_RECORDING.read_bytes()).status_code == 200
    assert ticket.post("/process").status_code == 202
    eventually(lambda: speech_children(process.pid))
    read = 0
    for other in psutil.process_iter():
        # The database's processes are no children of the one that started them.
        with suppress(OSError, psutil.Error):
            arguments = Path(f"/proc/{other.pid}/cmdline").read_bytes()
            assert CANARY.encode() not in arguments, other
            assert token.encode() not in arguments, other
            if other.pid == process.pid or other.pid == os.getpid():
                continue
            environment = Path(f"/proc/{other.pid}/environ").read_bytes()
            ours = str(tmp_path).encode() in arguments or other.pid in speech_children(process.pid)
            read += ours
            assert CANARY.encode() not in environment, (other, arguments)
    assert read >= 2
    client.get("/api/tickets/search", params={"contact": "canary.person@example.com"})
    client.get(ticket.path, headers={"Authorization": "Bearer tkt_canary-guessed"})
    written = log.read_text()
    assert '"request"' in written
    # In development the admin key is told on purpose; nothing else is.
    for secret in (CANARY, token, "canary.person", "Canary Person", "canary-guessed"):
        assert secret not in written
