"""Put jobs on the procrastinate queue, in the transaction of the event that asks for them."""

from uuid import UUID

from procrastinate import App, SyncPsycopgConnector
from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.observability import tracing
from domain.values import Step

QUEUE = "steps"
# The names under which jobs are stored: they never change.
STEP_TASK = "work"
ERASURE_TASK = "forget"
CHORES_TASK = "chores"

# By then every request and job that was writing at the moment of an erasure has ended.
REPEAT_ERASURE_SECONDS = 60

_app = App(connector=SyncPsycopgConnector())


def enqueue(cursor: Cursor[TupleRow], ticket: UUID, step: Step, recording: UUID) -> None:
    """Put a step of the work on a recording on the queue, in the cursor's transaction."""
    # The argument is left out unless tracing is on, because workers of older versions do not accept it.
    trace = {"trace": traceparent} if (traceparent := tracing.traceparent()) else {}
    _app.configure_task(STEP_TASK, queue=QUEUE, connection=cursor.connection).defer(
        ticket=str(ticket), step=step.value, recording=str(recording), **trace
    )


def enqueue_repeated_erasure(cursor: Cursor[TupleRow], ticket: UUID) -> None:
    """Schedule a second removal of the ticket's personal data, in the cursor's transaction."""
    _app.configure_task(
        ERASURE_TASK, queue=QUEUE, schedule_in={"seconds": REPEAT_ERASURE_SECONDS}, connection=cursor.connection
    ).defer(ticket=str(ticket))
