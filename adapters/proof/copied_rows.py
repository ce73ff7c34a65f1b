"""Verification of the history from rows in COPY's binary format, while a backup copies them."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from struct import Struct
from typing import Protocol

import msgspec
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from adapters.postgres.database import connect
from adapters.proof.audit import Bad, Row, Verification
from adapters.worker_process import WorkerEnded, assigned, worker_process

# The bytes before the first row: the signature, the flags and the length of an extension.
HEADER_BYTES = 19

# The least number of events for which starting a process is worth it.
MIN_EVENTS = 100_000
WORKER_CODE = "from adapters.proof.copied_rows import worker_main; worker_main()"
_TASK = "verifies the history"

# A file in COPY's binary format, and the lengths of its rows.
Piece = tuple[bytes, list[int]]


class Verifier(Protocol):
    """Verifies a history from its pieces in their order; WorkerEnded if it cannot."""

    def extend(self, piece: Piece) -> None: ...

    def first_bad(self) -> Bad | None:
        """Return the first bad event, or None, after all pieces."""


@contextmanager
def verifier(url: str, snapshot: str, events: int) -> Iterator[Verifier]:
    """Yield a verifier that reads the tree in the exported snapshot; one of a long history is a process of its own."""
    if events < MIN_EVENTS:
        with _connected(url, snapshot) as connection:
            yield _Here(connection)
    else:
        with worker_process(WORKER_CODE, {"url": url, "snapshot": snapshot}, stdout=subprocess.PIPE) as process:
            yield _InWorker(process)


@contextmanager
def _connected(url: str, snapshot: str) -> Iterator[Connection[TupleRow]]:
    with connect(url, name="storyledger backup") as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        yield connection


class _Here:
    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._verification = Verification(connection)

    def extend(self, piece: Piece) -> None:
        self._verification.extend(copied(*piece))

    def first_bad(self) -> Bad | None:
        return self._verification.verdict().first_bad


class _InWorker:
    """Sends pieces to the worker, which reads the next one after it has verified the last."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._pieces, self._result = process, process.stdin, process.stdout

    def extend(self, piece: Piece) -> None:
        try:
            pickle.dump(piece, self._pieces)
            self._pieces.flush()
        except BrokenPipeError:
            raise WorkerEnded(_TASK) from None

    def first_bad(self) -> Bad | None:
        self._pieces.close()
        result = self._result.read()
        if self._process.wait() != 0:
            raise WorkerEnded(_TASK)
        first_bad: Bad | None = msgspec.json.decode(result, type=Bad | None)
        return first_bad


def worker_main() -> None:
    """Verify the pieces that come on standard input, and print the first bad event."""
    assignment = assigned()
    with _connected(assignment["url"], assignment["snapshot"]) as connection:
        here = _Here(connection)
        with suppress(EOFError):
            while True:
                here.extend(pickle.load(sys.stdin.buffer))  # noqa: S301 - from the process that started this one
        sys.stdout.write(json.dumps(here.first_bad()))


def copied(file: bytes, lengths: Iterable[int]) -> Iterator[Row]:
    """Yield what `audit.COVERED` selects, from a file of rows of `events` that have these lengths."""
    start = HEADER_BYTES
    for row_length in lengths:
        layout = _layout(file[start + 42 : start + 46])
        position, stream, version, topic, ticket, recorded_at, length = layout.unpack_from(file, start)
        state = start + layout.size
        end = state + length
        covered = b"".join((file[start + 6 : start + 14], stream, version, ticket, recorded_at, topic, file[state:end]))
        start += row_length
        yield position, covered, file[end + 4 : start]


@lru_cache
def _layout(topic: bytes) -> Struct:
    """Return the layout of the columns before the state; `topic` is the length prefix of the topic."""
    return Struct(f">6x q 4x 16s 4x 4s {4 + int.from_bytes(topic, 'big')}s 4x 16s 4x 8s I")
