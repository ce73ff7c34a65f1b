"""Verification of the history while a backup copies its rows; that of a long one by a process of its own."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from psycopg import sql

from adapters.postgres.database import connect
from adapters.proof.audit import Piece, Verdict, Verification
from adapters.worker_process import WorkerEnded, assigned, worker_process

# The least number of events for which starting a process is worth it.
MIN_EVENTS = 100_000
WORKER_CODE = "from adapters.proof.copied_rows import worker_main; worker_main()"
_TASK = "verifies the history"


class VerifyingProcess:
    """Verifies a history as `Verification`. It reads a piece after it has verified the one before."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def extend_copied(self, piece: Piece) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(piece, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerEnded(_TASK) from None

    def verdict(self) -> Verdict:
        verdict, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise WorkerEnded(_TASK)
        return msgspec.json.decode(verdict, type=Verdict)


@contextmanager
def verifier(url: str, snapshot: str, events: int) -> Iterator[Verification | VerifyingProcess]:
    """Yield what verifies so many events, and reads the tree in the exported snapshot."""
    if events < MIN_EVENTS:
        with _verification(url, snapshot) as verification:
            yield verification
    else:
        with worker_process(WORKER_CODE, {"url": url, "snapshot": snapshot}) as process:
            yield VerifyingProcess(process)


@contextmanager
def _verification(url: str, snapshot: str) -> Iterator[Verification]:
    with connect(url, name="storyledger backup") as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        yield Verification(connection)


def worker_main() -> None:
    """Verify the pieces that come on standard input, and write the verdict."""
    assignment = assigned()
    with _verification(assignment["url"], assignment["snapshot"]) as verification:
        with suppress(EOFError):
            while True:
                verification.extend_copied(pickle.load(sys.stdin.buffer))  # noqa: S301 - its parent wrote it
        sys.stdout.buffer.write(msgspec.json.encode(verification.verdict()))
