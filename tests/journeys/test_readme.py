"""The script of the README runs as it stands."""

import os
import re
import subprocess
from pathlib import Path

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
