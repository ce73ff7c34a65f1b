"""The script in the README runs unchanged, and leads from the recording to the ledger."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.client import LiveService

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


def objects(printed: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects, which curl prints without a newline in between."""
    while printed := printed.lstrip():
        value, end = json.JSONDecoder().raw_decode(printed)
        if isinstance(value, dict):
            yield value
        printed = printed[end:]


def test_the_api_calls_of_the_readme_lead_from_a_recording_to_a_paid_donation(live: LiveService):
    [script] = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=os.environ | {"BASE": live.base_url},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    answers = list(objects(ran.stdout))

    [drafted] = [answer for answer in answers if answer.get("transcriptions")]
    text = drafted["transcriptions"][0]["text"].lower()
    for phrase in ("david miller", "chicago", "a fire in our house", "$5,000 for my family"):
        assert phrase in text
    draft = drafted["donationDraft"]
    assert (draft["goalAmount"], draft["currency"], draft["beneficiary"]) == (5000, "USD", "David Miller")
    [totals] = [answer for answer in answers if "entries" in answer]
    assert (totals["total"], totals["counts"]["paid"]) == (50.00, 1)
    assert sum(entry["amountMinor"] for entry in totals["entries"]) == totals["totalMinor"] == 5000
    types = [event["type"] for answer in answers for event in answer.get("events", [])]
    assert {"Transcribed", "DraftProposed", "DocumentGenerated", "Published", "PaymentReceived"} <= set(types)
    assert answers[-1]["status"] == "ERASED"
