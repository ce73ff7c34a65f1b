"""A flood of hostile uploads slows no other request, and what is refused of it leaves nothing."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.benchmarks.hostile_uploads import GOAL_MS, UPLOADS, flood, hostile_recordings, percentile_99
from tests.benchmarks.web_speed import serving
from tests.client import RECORDING, Client, Ticket, eventually

AT_ONCE = 30
# A ticket may store 20 recordings a day.
QUOTA, BEYOND = 20, 5


def upload_at_once(visitor: Client) -> Counter[int]:
    """Upload hostile recordings of one address to as many tickets at once."""
    tickets, recordings = [visitor.open_ticket() for _ in range(AT_ONCE)], hostile_recordings()
    with ThreadPoolExecutor(AT_ONCE) as executor:
        answers = executor.map(lambda n: tickets[n].upload(recordings[n % len(recordings)]), range(AT_ONCE))
    return Counter(answer.status_code for answer in answers)


def upload_beyond_quota(visitor: Client) -> tuple[Ticket, Counter[int]]:
    """Upload short recordings to one ticket, each until it is accepted or refused for good."""
    ticket, speech = visitor.open_ticket(), RECORDING.read_bytes()

    def status(number: int) -> int:
        code = ticket.upload(speech + bytes([number])).status_code
        return 0 if code == 503 else code

    return ticket, Counter(eventually(lambda number=number: status(number)) for number in range(QUOTA + BEYOND))


@pytest.mark.soak
def test_a_flood_of_uploads_slows_no_other_request_and_leaves_nothing_of_what_is_refused(
    migrated_url: str, tmp_path: Path
):
    with (
        serving("ours", migrated_url, str(tmp_path / "var")) as base_url,
        Client(base_url=base_url) as visitor,
        ThreadPoolExecutor(2) as executor,
    ):
        at_once = executor.submit(upload_at_once, visitor)
        beyond_quota = executor.submit(upload_beyond_quota, visitor)
        latencies = flood(base_url)
        ticket, answers = beyond_quota.result()
        assert ticket.get("/status").json()["contentStatus"] == "RECORDING"
    assert answers == {200: QUOTA, 429: BEYOND}
    assert set(at_once.result()) <= {200, 413, 503}
    assert at_once.result()[503] > 0
    assert latencies.uploads.total() == UPLOADS
    assert set(latencies.uploads) <= {200, 413, 503}
    assert percentile_99(latencies.status) <= GOAL_MS
    assert percentile_99(latencies.page) <= GOAL_MS
    accepted = answers[200] + at_once.result()[200] + latencies.uploads[200]
    files = (tmp_path / "var" / "storage" / "objects" / "tickets").rglob("*")
    assert sum(path.is_file() for path in files) == accepted
    with psycopg.connect(migrated_url) as connection:
        recorded = connection.execute("SELECT count(*) FROM events WHERE topic = 'audio_uploaded'").fetchone()
        counted = connection.execute("SELECT sum(recordings) FROM quota_use WHERE owner LIKE 'ticket:%'").fetchone()
    assert (recorded, counted) == ((accepted,), (accepted,))
