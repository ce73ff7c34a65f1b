"""The README's script runs as it stands, and the documentation lists what the code contains."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from adapters.payments import event_parsers
from domain import events
from tests.client import LiveService

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
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


def test_the_readme_has_at_most_120_lines():
    assert len(README.splitlines()) <= 120


def test_the_table_of_events_names_every_event():
    classes = {
        name
        for name, kind in vars(events).items()
        if isinstance(kind, type) and issubclass(kind, events.TicketEvent) and "TOPIC" in vars(kind)
    }
    listed = {name for name in re.findall(r"`(\w+)`", (ROOT / "docs" / "events.md").read_text()) if name[0].isupper()}
    assert listed == classes


def test_the_stripe_guide_names_the_events_that_the_service_applies():
    names = re.findall(
        r"`((?:checkout|payment_intent|charge|refund)\.[a-z_.]+)`", (ROOT / "docs" / "stripe.md").read_text()
    )
    assert set(names) == set(event_parsers.READERS)


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda path: path.name)
def test_links_between_documents_lead_to_files(document: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
