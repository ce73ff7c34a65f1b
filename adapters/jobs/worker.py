"""The work on recordings as durable jobs: queued with the event that asks for them, rescued after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import procrastinate
import structlog
from procrastinate import App, JobContext, PsycopgConnector, RetryDecision, SyncPsycopgConnector
from procrastinate.jobs import Job
from psycopg import AsyncConnection, Cursor
from psycopg.rows import TupleRow

from adapters.observability import counters, log_context, tracing
from adapters.postgres.database import STATEMENT_SECONDS, Database, Opened, conninfo, is_pooled, settings
from domain.commands import Commands
from domain.errors import DomainError, StepFailed, UnavailableError
from domain.values import Step

QUEUE = "steps"
TASK = "work"
FORGET = "forget"
CHORES = "chores"
# Once in ten minutes, on one worker of all.
CHORES_AT = "*/10 * * * *"

# Longer than whoever was in the middle of writing something takes to end it.
FORGET_AFTER_SECONDS = 60

# A fault that may pass is tried again after so many seconds; then the person is told.
PAUSES_SECONDS = (2, 10, 60)
# A job that was handed back or rescued this often takes its worker down with it.
MOST_ATTEMPTS = 12

# A worker that was silent for this long is dead, and its jobs go to another.
HEARTBEAT_SECONDS = 1.0
STALLED_SECONDS = 6.0
RESCUE_SECONDS = 2.0
# How long a worker that stops lets its steps notice; then their jobs go to another all the same.
GRACE_SECONDS = 5.0
POLL_SECONDS = 0.5
# How soon a worker whose database is away looks again.
AWAY_SECONDS = 0.2

logger = structlog.get_logger()

_queue = App(connector=SyncPsycopgConnector())


def enqueue(cursor: Cursor[TupleRow], ticket: UUID, step: Step, recording: UUID) -> None:
    """Put a step on the queue, in the cursor's transaction."""
    # Named only where somebody traces: a worker of an older version knows no such argument.
    trace = {"trace": carried} if (carried := tracing.carried()) else {}
    _queue.configure_task(TASK, queue=QUEUE, connection=cursor.connection).defer(
        ticket=str(ticket), step=step.value, recording=str(recording), **trace
    )


def enqueue_forgetting(cursor: Cursor[TupleRow], ticket: UUID) -> None:
    """Have what is kept of a person removed once more, some time after the cursor's transaction."""
    _queue.configure_task(
        FORGET, queue=QUEUE, schedule_in={"seconds": FORGET_AFTER_SECONDS}, connection=cursor.connection
    ).defer(ticket=str(ticket))


class _HandedBack(Exception):
    """The worker stops before the job is done; another takes it up."""


class _TryAgain(Exception):
    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class _Retry(procrastinate.BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002
        match exception:
            # Cancelled is what a step is that did not end in time when the worker stopped.
            case _HandedBack() | asyncio.CancelledError():
                return RetryDecision(retry_in={"seconds": 0})
            case _TryAgain(seconds=seconds):
                return RetryDecision(retry_in={"seconds": seconds})
            case _:
                return None


class Worker:
    """Takes steps off the queue in a thread of its own between `start` and `stop`; run as many as wanted."""

    def __init__(
        self,
        url: str,
        database: Database,
        commands: Commands,
        concurrency: int = 2,
        *,
        chores: Sequence[Callable[[], None]] = (),
        chores_at: str = CHORES_AT,
        opened: Opened | None = None,
    ) -> None:
        self._url = url
        self._opened = opened or Opened()
        self._database = database
        self._commands = commands
        self._concurrency = concurrency
        self._chores = chores
        self._chores_at = chores_at
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Take up no more jobs and hand the running ones back, in the background."""
        self._stopping.set()

    def stop(self) -> None:
        """Hand running jobs back and end, within some seconds."""
        self.finish()
        if self._thread is not None:
            self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._database.available:
                self._stopping.wait(AWAY_SECONDS)
                continue
            try:
                asyncio.run(self._serve())
            except procrastinate.exceptions.ConnectorException:
                self._stopping.wait(AWAY_SECONDS)
            except Exception:
                logger.exception("worker failed")
                self._stopping.wait(1.0)

    async def _serve(self) -> None:
        app = self._app()
        async with app.open_async():
            work = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._concurrency,
                    fetch_job_polling_interval=POLL_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                    shutdown_graceful_timeout=GRACE_SECONDS,
                    delete_jobs="successful",
                    install_signal_handlers=False,
                    listen_notify=not is_pooled(self._url),
                )
            )
            rescue = asyncio.create_task(_rescue(app))
            # Its own pool would come back to a database that was away in ever longer pauses: we begin anew instead.
            while not self._stopping.is_set() and not work.done() and self._database.available:
                await asyncio.sleep(0.1)
            for task in (rescue, work):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rescue
            with contextlib.suppress(asyncio.CancelledError):
                await work

    def _app(self) -> App:
        async def opened(connection: AsyncConnection[Any]) -> None:
            self._opened.add(connection)

        connector = PsycopgConnector(
            conninfo=conninfo(self._url),
            min_size=1,
            max_size=self._concurrency + 3,
            configure=opened,
            kwargs=settings(self._url, STATEMENT_SECONDS, "storyledger worker"),
        )
        app = App(connector=connector)

        @app.task(name=TASK, queue=QUEUE, pass_context=True, retry=_Retry())
        async def work(context: JobContext, ticket: str, step: str, recording: str, trace: str | None = None) -> None:
            assert context.job is not None
            job, attempts = context.job.id, context.job.attempts
            await _in_thread(lambda: self._seen(job, trace, Step(step), UUID(ticket), UUID(recording), attempts))

        @app.task(name=FORGET, queue=QUEUE, retry=_Retry())
        async def forget(ticket: str) -> None:
            await _in_thread(lambda: self._forget(UUID(ticket)))

        if self._chores:
            # Every worker says so at the time, and the queue takes it from one.
            @app.periodic(cron=self._chores_at)
            @app.task(name=CHORES, queue=QUEUE, queueing_lock=CHORES)
            async def chores(timestamp: int) -> None:  # noqa: ARG001 - when it was due, which is nothing to us
                await _in_thread(self._do_chores)

        return app

    def _do_chores(self) -> None:
        """One that fails holds up no other, and is due again the next time."""
        for chore in self._chores:
            try:
                chore()
            except Exception as error:
                logger.error("chore failed", error=type(error).__name__, where=where(error))

    def _forget(self, ticket: UUID) -> None:
        """Until it is done: nobody else asks for it again."""
        try:
            self._commands.forgetting.forget(ticket)
        except Exception as error:
            logger.error("not forgotten yet", ticket=str(ticket), error=type(error).__name__, where=where(error))
            raise _TryAgain(PAUSES_SECONDS[-1]) from None

    def _seen(
        self, job: int | None, trace: str | None, step: Step, ticket: UUID, recording: UUID, attempts: int
    ) -> None:
        """Work, for everybody to see: counted, traced and logged under its ids."""
        log_context.begin(job=job, ticket=str(ticket))
        with (
            counters.job_run(step.value) as run,
            tracing.span("job", parent=trace, job=job, step=step.value, ticket=str(ticket), attempts=attempts),
        ):
            try:
                run.outcome = "done" if self._work(step, ticket, recording, attempts) else "failed"
            except _HandedBack:
                run.outcome = "handed_back"
                raise
            except _TryAgain:
                run.outcome = "again"
                raise

    def _work(self, step: Step, ticket: UUID, recording: UUID, attempts: int) -> bool:
        """Whether it is done; if not, the person has been told."""
        log = logger.bind(ticket=str(ticket), step=step.value, recording=str(recording), attempts=attempts)
        started = time.monotonic()
        try:
            if attempts >= MOST_ATTEMPTS:
                raise StepFailed("abandoned", "Working on this recording kept failing on our side.", retryable=True)
            self._commands.work(step, ticket, recording, self._reporter(ticket, recording, step))
            log.info("step done", seconds=round(time.monotonic() - started, 3))
            return True
        except _HandedBack:
            log.info("step handed back")
            raise
        except UnavailableError:
            raise _TryAgain(PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS) - 1)]) from None
        except StepFailed as error:
            fault = error
        except Exception as error:
            # Whatever was erased meanwhile ends here too, and is dropped when the step is taken up again.
            log.error("step broke", error=type(error).__name__, where=where(error))
            fault = StepFailed("internal_error", "Something went wrong on our side.", retryable=True)
        if fault.retryable and attempts < len(PAUSES_SECONDS):
            log.warning("step failed, will be tried again", code=fault.code)
            raise _TryAgain(PAUSES_SECONDS[attempts])
        log.warning("step failed", code=fault.code)
        self._tell(step, ticket, recording, fault)
        return False

    def _tell(self, step: Step, ticket: UUID, recording: UUID, fault: StepFailed) -> None:
        """Give up, in a way that is sure to be heard: a job that ended without it would leave the person waiting."""
        try:
            self._commands.give_up(step, ticket, recording, fault)
        except DomainError:
            raise _TryAgain(PAUSES_SECONDS[-1]) from None

    def _reporter(self, ticket: UUID, recording: UUID, step: Step) -> Callable[[float], None]:
        def report(done: float) -> None:
            if self._stopping.is_set():
                raise _HandedBack
            with self._database.connection() as connection:
                connection.execute(
                    "INSERT INTO step_progress (ticket_id, recording_id, step, done) VALUES (%s, %s, %s, %s)"
                    " ON CONFLICT (ticket) DO UPDATE"
                    " SET recording = EXCLUDED.recording, step = EXCLUDED.step, done = EXCLUDED.done",
                    (ticket, recording, step.value, max(0.0, min(1.0, done))),
                )

        return report


async def _in_thread(call: Callable[[], None]) -> None:
    """Run the call in a thread that nobody waits for when the process ends: its job went to somebody else by then."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        error: BaseException | None = None
        try:
            call()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, error)

    def settle(error: BaseException | None) -> None:
        if not done.done():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    threading.Thread(target=run, name="step", daemon=True).start()
    await done


async def _rescue(app: App) -> None:
    """Give the jobs of dead workers to living ones."""
    while True:
        try:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
                await app.job_manager.retry_job(job)
                logger.warning("job rescued", job=job.id, ticket=job.task_kwargs.get("ticket"))
        except procrastinate.exceptions.ProcrastinateException:
            logger.warning("rescue failed")
        await asyncio.sleep(RESCUE_SECONDS)


def where(error: BaseException) -> str:
    """The place in our code, without the message: that may quote a person."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
