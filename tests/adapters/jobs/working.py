"""A worker process whose steps never end, which a test kills: `python -m … URL`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO
from uuid import UUID

from adapters.jobs.worker import Worker
from adapters.postgres.database import Database
from domain.ports import Report
from domain.values import Content, Transcript
from tests.fakes.outside import fake_commands
from tests.fakes.speech import FakeTranscriber
from tests.fakes.stores import MemoryContents
from tests.stores import Stores


class AnyContents(MemoryContents):
    """Has a recording under every name."""

    @contextmanager
    def open(self, ticket_id: UUID, content: Content) -> Iterator[BinaryIO]:
        yield BytesIO(b"sound")


class EndlessTranscriber(FakeTranscriber):
    """Reports its start on standard output."""

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        sys.stdout.write("transcribing\n")
        sys.stdout.flush()
        time.sleep(600)
        return super().transcribe(recording, report, hints)


def main(url: str) -> None:
    with Database(url, size=4) as database:
        stores = Stores(database)
        commands = fake_commands(
            tickets=stores.tickets,
            donations=stores.donations,
            contents=AnyContents(),
            transcriber=EndlessTranscriber(),
        )
        Worker(url, database, commands).start()
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
