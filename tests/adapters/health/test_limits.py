"""The alerts for Prometheus have the limits of `adapters.health.limits`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.health import limits

ALERTS = Path(__file__).parents[3] / "docs" / "monitoring" / "alerts.yml"


@pytest.mark.parametrize(
    ("alert", "pattern", "limit"),
    [
        ("StoryledgerReadModelBehind", r"expr: .* > (\d+)", limits.MOST_LAG_SECONDS),
        ("StoryledgerWebhooksWait", r"expr: .* > (\d+)", limits.MOST_WEBHOOK_WAIT_SECONDS),
        ("StoryledgerJobsWait", r"for: (\d+)m", limits.MOST_JOB_WAIT_SECONDS // 60),
        ("StoryledgerJobsFail", r"expr: .*\[1h\].* > (\d+)", limits.MOST_FAILED_RUNS_PER_HOUR),
        ("StoryledgerMailsWait", r"expr: .* > (\d+)", limits.MOST_MAIL_WAIT_SECONDS),
        ("StoryledgerProofBehind", r"for: (\d+)m", limits.MOST_UNSIGNED_SECONDS // 60),
        ("StoryledgerSlow", r"expr: .* > (\d+)", limits.MOST_ANSWER_SECONDS),
    ],
)
def test_an_alert_has_the_limit_of_the_code(alert: str, pattern: str, limit: float):
    rules = dict(re.findall(r"- alert: (\w+)\n(.*?)(?=\n\n|\Z)", ALERTS.read_text(), re.DOTALL))
    match = re.search(pattern, rules[alert])
    assert match is not None
    assert float(match[1]) == limit
