"""A record of the health of all parts for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.health.parts import Part
from adapters.health.records import minute_of
from tests.client import WAIT_SECONDS, LiveService

# The record of three hours, in the second of which webhooks waited. Text messages are not set up.
_RECORD = """
INSERT INTO health_samples (at, part, state, measures)
SELECT %(now)s - age * interval '1 minute', part,
       CASE WHEN part = 'texts' THEN 'off'
            WHEN part = 'webhooks' AND age BETWEEN 60 AND 119 THEN 'slow' ELSE 'works' END,
       CASE WHEN part = 'webhooks' THEN '{"waiting": 7, "oldest_seconds": 412.5}' ELSE '{}' END::jsonb
  FROM generate_series(0, 179) AS age, unnest(%(parts)s::text[]) AS part
"""


def record_three_hours(live: LiveService) -> datetime:
    """Record the last three hours in place of what was recorded, and return the present minute."""
    live.service.health.sampler.stop(WAIT_SECONDS)
    now = minute_of(datetime.now(UTC))
    live.service.database.execute("DELETE FROM health_samples")
    live.service.database.execute(_RECORD, {"now": now, "parts": list(Part)})
    return now
