"""The demonstration can be looked at until it is stopped."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.client import Client, eventually
from tests.fakes.openai_transcriptions import speech_settings
from tests.forks import Fork
from tests.processes import READY_SECONDS, STOP_SECONDS, environment


def test_a_demo_that_is_kept_shows_its_campaign_until_ctrl_c(migrated_url: str, tmp_path: Path):
    log = tmp_path / "log"
    with speech_settings() as speech, log.open("wb") as output:
        settings = {"database_url": migrated_url, "data_dir": tmp_path / "var", "browser": "true", **speech}
        demo = Fork(["demo", "--keep"], environment(settings), output)
        try:
            eventually(lambda: "Ctrl+C" in log.read_text() or demo.poll() is not None, READY_SECONDS)
            assert demo.poll() is None, log.read_text()
            addresses = dict(
                re.findall(r"^  (\S.*?)  +(\S+)$", log.read_text().rpartition("The service runs on")[2], re.M)
            )
            assert addresses["the campaign"].startswith("http://127.0.0.1:"), log.read_text()
            with Client(headers={"Accept": "text/html"}) as visitor:
                assert "David Miller" in visitor.get(addresses["the campaign"]).text
                for page, credential in (("my page", "its access code"), ("the history", "key for the history")):
                    seen = visitor.get(addresses[page], headers={"Cookie": f"session={addresses[credential]}"})
                    assert (seen.status_code, "30" in seen.text) == (200, True)
            demo.send_signal(signal.SIGINT)
            assert demo.wait(STOP_SECONDS) == 0
        finally:
            demo.kill()
            demo.wait()
