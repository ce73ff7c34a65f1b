"""The service works behind a PgBouncer with transaction pooling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

import projections
from adapters.postgres import migrations
from adapters.postgres.database import connect
from adapters.proof import audit
from adapters.read_models import rebuild
from entrypoints.composition.service import Parts
from entrypoints.composition.startup_checks import NotReadyError, reach
from tests.client import RECORDING, LiveService
from tests.fakes.openai_transcriptions import speech_settings
from tests.fakes.pgbouncer import PROGRAM, pgbouncer
from tests.stripe_events import Payment

AMOUNTS = range(10, 15)

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed: apt-get install pgbouncer")


@pytest.fixture
def pooled(database_url: str) -> Iterator[str]:
    """Yield the URL of an empty database through a pooler, which the URL names."""
    with pgbouncer(database_url) as url:
        yield f"{url}?pgbouncer=true"


def test_the_main_journey_runs_through_a_pooler(pooled: str, tmp_path: Path):
    with connect(pooled) as connection:
        migrations.migrate(connection)
    reach(pooled)
    with speech_settings() as speech, LiveService(pooled, tmp_path / "var", Parts.ALL, **speech) as live:
        ticket = live.client().open_ticket()
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        assert ticket.post("/process").status_code == 202
        for amount in AMOUNTS:
            checkout = ticket.pay(amount)
            payment = Payment(UUID(ticket.id), amount * 100, donation_id=UUID(checkout["donationId"]))
            for event in (payment.succeeded(), payment.completed(), payment.succeeded()):
                assert live.webhook(event).status_code == 200
        live.applied()
        totals = ticket.get("/donations/total").json()
        assert totals["byCurrency"][0]["paidMinor"] == sum(AMOUNTS) * 100
        assert totals["counts"]["paid"] == len(AMOUNTS)
        assert ticket.when("DONE")["error"] is None
        assert ticket.patch("/draft", {"title": "By hand"}).json()["title"] == "By hand"
        for projection in projections.ALL:
            rebuild.rebuild(pooled, projection, lambda *_: None)
            assert rebuild.verify(pooled, projection, lambda *_: None).differences == []
    assert audit.verify(pooled).ok


def test_times_are_in_utc_behind_a_pooler_too(pooled: str):
    with connect(pooled) as connection:
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


@pytest.mark.parametrize("settings", [(), ("ignore_startup_parameters = options",)])
def test_a_pooler_that_the_url_does_not_name_is_detected(database_url: str, settings: tuple[str, ...]):
    with pgbouncer(database_url, *settings) as url, pytest.raises(NotReadyError, match="pgbouncer=true"):
        reach(url)


def test_a_database_without_a_pooler_passes_the_check(migrated_url: str):
    reach(migrated_url)
