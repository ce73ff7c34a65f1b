"""A flood of hostile uploads slows no other request."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.hostile_uploads import GOAL_MS, UPLOADS, flood, percentile_99
from tests.benchmarks.web_speed import serving


@pytest.mark.soak
def test_status_and_page_answer_in_time_during_a_flood_of_uploads(migrated_url: str, tmp_path: Path):
    with serving("ours", migrated_url, str(tmp_path / "var")) as base_url:
        latencies = flood(base_url)
    assert sum(latencies.uploads.values()) == UPLOADS
    assert set(latencies.uploads) <= {200, 413, 503}
    assert percentile_99(latencies.status) <= GOAL_MS
    assert percentile_99(latencies.page) <= GOAL_MS
