"""The documents list what the code contains, and their links lead to files."""

import re
from pathlib import Path

import pytest

from adapters.payments import event_parsers
from domain import events

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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
    assert set(names) == set(event_parsers.EVENT_PARSERS)


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda path: path.name)
def test_links_between_documents_lead_to_files(document: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
