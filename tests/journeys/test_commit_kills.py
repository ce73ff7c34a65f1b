"""The service is killed at chosen commits of a whole story, and ends in the same state as without the kills."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.line import Commit, Line
from tests.journeys.harness.commit_kills import Chosen, CommitKills, When
from tests.journeys.harness.journey import tell
from tests.journeys.harness.load import Client, Moments
from tests.journeys.harness.promise_check import PromiseCheck
from tests.journeys.harness.running_service import APART, WHOLE, RunningService
from tests.postgres import migrated_server

logger = logging.getLogger(__name__)

# After a transcription has ended, and before a gift in the ledger is confirmed; the soak kills at every commit.
AT = (("transcribed", When.UNHEARD), ("payment_received", When.UNHEARD))
LONGEST_SECONDS = 45 * 60


@pytest.fixture
def url() -> Iterator[str]:
    with migrated_server() as server:
        yield server.url


class Run:
    """The service on connections through a proxy, one client, and the kills."""

    def __init__(self, url: str, folder: Path, parts: tuple[str, ...], stack: ExitStack) -> None:
        lines = {part: stack.enter_context(Line(url)) for part in parts}
        self.instants = CommitKills(lines)
        self.service = RunningService(folder, parts, {part: line.url for part, line in lines.items()})
        stack.callback(self.service.stop)
        self.client = Client(self.service, Moments(), seed=1, transcriptions=0)

    def tell(self, chosen: Chosen) -> int:
        """Run a story with kills at the chosen commits; return how many there were."""
        before = len(self.instants.struck)
        self.instants.begin(self.service, chosen)
        try:
            tell(self.client)
        finally:
            self.instants.end()
        return len(self.instants.struck) - before

    def times_transcribed(self) -> int:
        """Return how often the first ticket, whose recording is processed once, was transcribed and drafted."""
        ticket = self.client.tickets[0]
        events = self.client.ask("GET", f"/api/tickets/{ticket.id}/history?limit=100", ticket).json()["events"]
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
    left = list(AT)

    def chosen(commit: Commit, when: When) -> bool:
        found = [one for one in left if one[1] is when and one[0] in commit.wrote]
        if found:
            left.remove(found[0])
        return bool(found)

    with ExitStack() as stack:
        run = Run(url, tmp_path, (WHOLE,), stack)
        run.tell(chosen)
        logger.info("killed at %s", run.instants.struck)
        assert left == []
        assert run.faults() == []
        assert run.times_transcribed() == 1


@pytest.mark.soak
@pytest.mark.parametrize("parts", [(WHOLE,), APART], ids=["whole", "apart"])
def test_a_service_killed_at_every_commit_ends_in_the_same_state(url: str, tmp_path: Path, parts: tuple[str, ...]):
    done: set[tuple[Commit, When]] = set()
    deadline = time.monotonic() + LONGEST_SECONDS

    def chosen(commit: Commit, when: When) -> bool:
        if (commit, when) in done or time.monotonic() > deadline:
            return False
        done.add((commit, when))
        return True

    with ExitStack() as stack:
        run = Run(url, tmp_path, parts, stack)
        stories = 1
        while run.tell(chosen):
            stories += 1
        logger.info("%d stories, killed %d times: %s", stories, len(run.instants.struck), run.instants.struck)
        assert {when for _, when in done} == set(When)
        assert run.faults() == []
