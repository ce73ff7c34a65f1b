"""The README's examples run as they stand."""

import os
import re
import subprocess
from pathlib import Path

from domain import events
from tests.client import LiveService

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


def test_the_api_calls_of_the_readme_run_from_top_to_bottom(live: LiveService):
    [script] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=os.environ | {"BASE": live.base_url},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    assert '"status":"ERASED"' in ran.stdout


def test_the_readme_names_every_event_that_can_happen():
    known = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and issubclass(kind, events.TicketEvent) and "TOPIC" in vars(kind)
    }
    assert known - set(re.findall(r"`(\w+)`", README)) == set()
