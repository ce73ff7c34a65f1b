"""A service that is killed at chosen commits of a whole journey ends in the same state as without the kills."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.line import Commit, Line
from tests.fakes.openai_transcriptions import speech_settings
from tests.journeys.harness.commit_kills import Chosen, CommitKills, When
from tests.journeys.harness.journey import run_journey
from tests.journeys.harness.load import Client, Moments
from tests.journeys.harness.promise_check import PromiseCheck
from tests.journeys.harness.running_service import APART, WHOLE, RunningService
from tests.postgres import migrated_server

logger = logging.getLogger(__name__)

# After the end of a transcription, and before the confirmation of a donation. The soak test kills at every commit.
AT = (("transcribed", When.UNHEARD), ("payment_received", When.UNHEARD))
LONGEST_SECONDS = 45 * 60


@pytest.fixture
def url() -> Iterator[str]:
    with migrated_server() as server:
        yield server.url


class Run:
    """A service that connects to its database through a proxy, one client, and the kills."""

    def __init__(self, url: str, folder: Path, parts: tuple[str, ...], stack: ExitStack) -> None:
        lines = {part: stack.enter_context(Line(url)) for part in parts}
        self.instants = CommitKills(lines)
        urls = {part: line.url for part, line in lines.items()}
        self.service = RunningService(folder, parts, urls, **stack.enter_context(speech_settings()))
        stack.callback(self.service.stop)
        self.client = Client(self.service, Moments(), seed=1, transcriptions=0)

    def run_with_kills(self, chosen: Chosen) -> int:
        """Run a journey with kills at the chosen commits and return the number of kills."""
        before = len(self.instants.struck)
        self.instants.begin(self.service, chosen)
        try:
            run_journey(self.client)
        finally:
            self.instants.end()
        return len(self.instants.struck) - before

    def times_transcribed(self) -> int:
        """Return how often the first ticket, whose recording is processed once, was transcribed and drafted."""
        ticket = self.client.tickets[0]
        events = self.client.request("GET", f"/api/tickets/{ticket.id}/history?limit=100", ticket).json()["events"]
        types = [event["type"] for event in events]
        assert types.count("Transcribed") == types.count("DraftProposed")
        return types.count("Transcribed")

    def faults(self) -> list[str]:
        with PromiseCheck(self.service, [self.client]) as check:
            check.wait_until_settled()
            faults = check.faults()
            check.recompute()
        return faults


def test_a_service_killed_in_a_job_and_in_a_webhook_finishes_both_once(url: str, tmp_path: Path):
    remaining = list(AT)

    def chosen(commit: Commit, when: When) -> bool:
        matching = [moment for moment in remaining if moment[1] is when and moment[0] in commit.wrote]
        if matching:
            remaining.remove(matching[0])
        return bool(matching)

    with ExitStack() as stack:
        run = Run(url, tmp_path, (WHOLE,), stack)
        run.run_with_kills(chosen)
        logger.info("killed at %s", run.instants.struck)
        assert remaining == []
        assert run.faults() == []
        assert run.times_transcribed() == 1


@pytest.mark.soak
@pytest.mark.parametrize("parts", [(WHOLE,), APART], ids=["whole", "apart"])
def test_a_service_killed_at_every_commit_ends_in_the_same_state(url: str, tmp_path: Path, parts: tuple[str, ...]):
    tried: set[tuple[Commit, When]] = set()
    deadline = time.monotonic() + LONGEST_SECONDS

    def chosen(commit: Commit, when: When) -> bool:
        if (commit, when) in tried or time.monotonic() > deadline:
            return False
        tried.add((commit, when))
        return True

    with ExitStack() as stack:
        run = Run(url, tmp_path, parts, stack)
        stories = 1
        while run.run_with_kills(chosen):
            stories += 1
        logger.info("%d stories, killed %d times: %s", stories, len(run.instants.struck), run.instants.struck)
        assert {when for _, when in tried} == set(When)
        assert run.faults() == []
