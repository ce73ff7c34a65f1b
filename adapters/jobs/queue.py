"""Put jobs on the procrastinate queue, in the transaction of the event that asks for them.

Transcriptions take long, so they share the workers fairly. One of an address or ticket runs at a time. Shorter ones go
first, but a recording waits for shorter ones that came later only as long as it is itself. Long ones have a queue of
their own, so they never hold every slot of a worker.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from uuid import UUID

from procrastinate import App, SyncPsycopgConnector
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.observability import tracing
from domain.values import Step

# The names under which jobs are stored: they never change.
QUEUE = "steps"
LONG_QUEUE = "long steps"
UPKEEP_QUEUE = "upkeep"
STEP_TASK = "work"
ERASURE_TASK = "forget"
CHORES_TASK = "chores"

# A longer recording goes to the queue of long steps.
LONG_SECONDS = 600

# The priority of a transcription counts from 2026, because it has 32 bits. The other steps are short and go first.
PRIORITY_EPOCH = 1_767_225_600
SHORT_STEP_PRIORITY = 0

# By then every request and job that was writing at the moment of an erasure has ended.
REPEAT_ERASURE_SECONDS = 60

_app = App(connector=SyncPsycopgConnector())
_client: ContextVar[str | None] = ContextVar("client", default=None)


@contextmanager
def requested_by(client: str | None) -> Iterator[None]:
    """Let transcriptions that are enqueued in the block share one slot per client, or per ticket if it is None."""
    token = _client.set(client)
    try:
        yield
    finally:
        _client.reset(token)


def enqueue(cursor: Cursor[TupleRow], ticket: UUID, step: Step, recording: UUID, audio_seconds: float = 0) -> None:
    """Put a step of the work on a recording on the queue, in the cursor's transaction."""
    queue, lock, priority = QUEUE, None, SHORT_STEP_PRIORITY
    if step is Step.TRANSCRIBE:
        queue = LONG_QUEUE if audio_seconds > LONG_SECONDS else QUEUE
        lock = _client.get() or f"ticket:{ticket}"
        priority = -(int(time.time()) - PRIORITY_EPOCH + ceil(audio_seconds))
    # The argument is left out unless tracing is on, because workers of older versions do not accept it.
    trace = {"trace": traceparent} if (traceparent := tracing.traceparent()) else {}
    _app.configure_task(STEP_TASK, queue=queue, lock=lock, priority=priority, connection=cursor.connection).defer(
        ticket=str(ticket), step=step.value, recording=str(recording), **trace
    )


def enqueue_repeated_erasure(cursor: Cursor[TupleRow], ticket: UUID) -> None:
    """Schedule a second removal of the ticket's personal data, in the cursor's transaction."""
    _app.configure_task(
        ERASURE_TASK,
        queue=UPKEEP_QUEUE,
        schedule_in={"seconds": REPEAT_ERASURE_SECONDS},
        connection=cursor.connection,
    ).defer(ticket=str(ticket))
