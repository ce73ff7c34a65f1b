"""The worker: runs the steps on recordings as durable jobs, and rescues the jobs of workers that died."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any
from uuid import UUID

import procrastinate
import structlog
from procrastinate import App, JobContext, PsycopgConnector, RetryDecision, sql
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job
from procrastinate.worker import Worker as QueueWorker
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.jobs.queue import CHORES_TASK, ERASURE_TASK, LONG_QUEUE, QUEUE, STEP_TASK, UPKEEP_QUEUE, requested_by
from adapters.observability import counters, log_context, tracing
from adapters.observability.log_context import error_location
from adapters.postgres.database import (
    STATEMENT_SECONDS,
    ConnectionRegistry,
    Database,
    conninfo,
    settings,
    uses_pgbouncer,
)
from domain.commands import Commands
from domain.errors import DomainError, NotInstalledError, StepFailed, UnavailableError
from domain.values import Step

# Every ten minutes, on one of the workers.
CHORES_AT = "*/10 * * * *"

LONG_SLOTS = 1
# Erasures are not kept waiting by chores.
UPKEEP_SLOTS = 2

# The pauses before a retryable step is tried again; after the last one the failure is recorded.
PAUSES_SECONDS = (2, 10, 60)
# A job that was handed back or rescued this often probably crashes its worker.
MAX_ATTEMPTS = 12

# How often a step asks whether the part that it waits for is installed.
INSTALL_SECONDS = 60

# A worker without a heartbeat for STALLED_SECONDS counts as dead, and its jobs go to another worker.
HEARTBEAT_SECONDS = 2.0
STALLED_SECONDS = 6.0
RESCUE_SECONDS = 3.0
# A worker that stops gives its steps this long to notice; then their jobs go to another worker.
GRACE_SECONDS = 5.0
# A worker is notified of new jobs, and polls for those whose pause is over. Long recordings, erasures and chores are
# only polled for, because a delay of UNHURRIED_POLL_SECONDS does not matter to them.
POLL_SECONDS = 2.0
UNHURRIED_POLL_SECONDS = 5.0
# Through PgBouncer there are no notifications.
PGBOUNCER_POLL_SECONDS = 0.5
# How often a worker checks whether the database is available, and while it is not, whether it is back.
CHECK_SECONDS = 0.75
# The interval at which a waiting connection wakes up. It is long, because arriving data ends the wait at once.
WAKE_SECONDS = 60.0
UNAVAILABLE_POLL_SECONDS = 0.2

logger = structlog.get_logger()


class _HandedBack(Exception):
    """The worker stops before the job is done; another worker starts it again."""


class _TryAgain(Exception):
    """The job is to be tried again after a pause."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class _Retry(procrastinate.BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002
        match exception:
            # A step is cancelled when it does not end in time after the worker was stopped.
            case _HandedBack() | asyncio.CancelledError():
                return RetryDecision(retry_in={"seconds": 0})
            case _TryAgain(seconds=seconds):
                return RetryDecision(retry_in={"seconds": seconds})
            case _:
                return None


class _Connection(AsyncConnection[TupleRow]):
    """A connection that sleeps while it waits; psycopg's own wakes up ten times a second, also for notifications."""

    async def wait(self, gen: Any, interval: float = WAKE_SECONDS, timeout: float | None = None) -> Any:
        return await super().wait(gen, interval, timeout)


class _Connector(PsycopgConnector):
    """Takes a job whose lock another worker took in the same moment as no job, instead of failing."""

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        try:
            row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
            return row
        except UniqueViolation:
            if query != sql.queries["fetch_job"]:
                raise
            return {"id": None}


class Worker:
    """Runs jobs in a thread of its own between `start` and `stop`. Any number of workers may share the queue.

    It runs `concurrency` steps at once. Long recordings have a slot of their own, and so have erasures and chores.
    """

    def __init__(
        self,
        url: str,
        database: Database,
        commands: Commands,
        concurrency: int = 2,
        *,
        chores: Sequence[Callable[[], None]] = (),
        chores_at: str = CHORES_AT,
        registry: ConnectionRegistry | None = None,
    ) -> None:
        self._url = url
        self._registry = registry or ConnectionRegistry()
        self._database = database
        self._commands = commands
        self._concurrency = concurrency
        self._chores = chores
        self._chores_at = chores_at
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake: Callable[[], object] = lambda: None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Start no more jobs and hand the running ones back, without waiting for that."""
        self._stopping.set()
        # The loop may have ended already.
        with contextlib.suppress(RuntimeError):
            self._wake()

    def stop(self) -> None:
        """Hand the running jobs back and end, within 8 seconds."""
        self.finish()
        if self._thread is not None:
            self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._database.available:
                self._stopping.wait(UNAVAILABLE_POLL_SECONDS)
                continue
            try:
                asyncio.run(self._serve())
            except procrastinate.exceptions.ConnectorException:
                self._stopping.wait(UNAVAILABLE_POLL_SECONDS)
            except Exception:
                logger.exception("worker failed")
                self._stopping.wait(1.0)

    async def _serve(self) -> None:
        finishing = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, finishing.set)
        app = self._app()
        async with app.open_async():
            slots = {QUEUE: self._concurrency, LONG_QUEUE: LONG_SLOTS, UPKEEP_QUEUE: UPKEEP_SLOTS}
            workers = [self._worker(app, queue, count) for queue, count in slots.items()]
            work = [asyncio.create_task(worker.run()) for worker in workers]  # type: ignore[no-untyped-call]
            rescue_ends = asyncio.Event()
            rescue = asyncio.create_task(_rescue(app, rescue_ends))
            # The connector's pool reconnects in ever longer pauses after an outage, so a new app is made instead.
            while not (self._stopping.is_set() or any(task.done() for task in work)) and self._database.available:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(finishing.wait(), CHECK_SECONDS)
            # A cancellation that arrives together with the answer that a task waits for is lost. The request to stop
            # is not, and so the cancellation only has to end waits for a database that does not answer.
            rescue_ends.set()
            for worker in workers:
                worker.stop()  # type: ignore[no-untyped-call]
            tasks = [rescue, *work]
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    def _worker(self, app: App, queue: str, concurrency: int) -> QueueWorker:
        listens = queue == QUEUE and not uses_pgbouncer(self._url)
        short_poll_seconds = POLL_SECONDS if listens else PGBOUNCER_POLL_SECONDS
        poll_seconds = short_poll_seconds if queue == QUEUE else max(short_poll_seconds, UNHURRIED_POLL_SECONDS)
        return QueueWorker(
            app,
            queues=[queue],
            concurrency=concurrency,
            fetch_job_polling_interval=poll_seconds,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            shutdown_graceful_timeout=GRACE_SECONDS,
            delete_jobs="successful",
            install_signal_handlers=False,
            listen_notify=listens,
        )

    def _app(self) -> App:
        async def register(connection: AsyncConnection[TupleRow]) -> None:
            self._registry.add(connection)
            # Each of procrastinate's queries is a transaction of its own.
            await connection.set_autocommit(True)

        connector = _Connector(
            conninfo=conninfo(self._url),
            connection_class=_Connection,
            min_size=1,
            max_size=self._concurrency + LONG_SLOTS + UPKEEP_SLOTS + 3,
            configure=register,
            kwargs=settings(self._url, STATEMENT_SECONDS, "storyledger worker"),
        )
        app = App(connector=connector)

        @app.task(name=STEP_TASK, queue=QUEUE, pass_context=True, retry=_Retry())
        async def work(context: JobContext, ticket: str, step: str, recording: str, trace: str | None = None) -> None:
            assert context.job is not None
            job, attempts, lock = context.job.id, context.job.attempts, context.job.lock
            try:
                await _in_thread(
                    lambda: self._run_step(job, trace, Step(step), UUID(ticket), UUID(recording), attempts, lock)
                )
            except NotInstalledError:
                await _put_again(app, context.job)

        @app.task(name=ERASURE_TASK, queue=UPKEEP_QUEUE, retry=_Retry())
        async def erase(ticket: str) -> None:
            await _in_thread(lambda: self._repeat_erasure(UUID(ticket)))

        if self._chores:
            # Every worker defers the chores when they are due; the queueing lock lets one of them through.
            @app.periodic(cron=self._chores_at)
            @app.task(name=CHORES_TASK, queue=UPKEEP_QUEUE, queueing_lock=CHORES_TASK)
            async def chores(timestamp: int) -> None:  # noqa: ARG001 - procrastinate passes when they were due
                await _in_thread(self._run_chores)

        return app

    def _run_chores(self) -> None:
        """Run every chore; a failed one does not stop the others and runs again when it is next due."""
        for chore in self._chores:
            try:
                chore()
            except Exception as error:
                logger.error("chore failed", error=type(error).__name__, where=error_location(error))

    def _repeat_erasure(self, ticket: UUID) -> None:
        """Remove the ticket's personal data; a failure is always retried, since nothing else asks for it again."""
        try:
            self._commands.tickets.finish_erasure(ticket)
        except Exception as error:
            logger.error("erasure failed", ticket=str(ticket), error=type(error).__name__, where=error_location(error))
            raise _TryAgain(PAUSES_SECONDS[-1]) from None

    def _run_step(
        self,
        job: int | None,
        trace: str | None,
        step: Step,
        ticket: UUID,
        recording: UUID,
        attempts: int,
        lock: str | None,
    ) -> None:
        """Do the step; count it, trace it, and log it under its ids. A step that it leads to has the same lock."""
        log_context.begin(job=job, ticket=str(ticket))
        with (
            requested_by(lock),
            counters.job_run(step.value) as run,
            tracing.span("job", parent=trace, job=job, step=step.value, ticket=str(ticket), attempts=attempts),
        ):
            try:
                run.outcome = "done" if self._work(step, ticket, recording, attempts) else "failed"
            except _HandedBack:
                run.outcome = "handed_back"
                raise
            except (_TryAgain, NotInstalledError):
                run.outcome = "again"
                raise

    def _work(self, step: Step, ticket: UUID, recording: UUID, attempts: int) -> bool:
        """Do the step. Return True if it is done, False if its failure was recorded for the holder to see."""
        log = logger.bind(ticket=str(ticket), step=step.value, recording=str(recording), attempts=attempts)
        started = time.monotonic()
        try:
            if attempts >= MAX_ATTEMPTS:
                raise StepFailed("abandoned", "Working on this recording kept failing on our side.", retryable=True)
            self._commands.recordings.run_step(step, ticket, recording, self._reporter(ticket, recording, step))
            log.info("step done", seconds=round(time.monotonic() - started, 3))
            return True
        except _HandedBack:
            log.info("step handed back")
            raise
        except NotInstalledError as missing:
            log.error("step waits", missing=str(missing))
            raise
        except UnavailableError:
            raise _TryAgain(PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS) - 1)]) from None
        except StepFailed as error:
            fault = error
        except Exception as error:
            # A ticket erased during the step ends here too; the next attempt drops the step.
            log.error("step broke", error=type(error).__name__, where=error_location(error))
            fault = StepFailed("internal_error", "Something went wrong on our side.", retryable=True)
        if fault.retryable and attempts < len(PAUSES_SECONDS):
            log.warning("step failed, will be tried again", code=fault.code)
            raise _TryAgain(PAUSES_SECONDS[attempts])
        log.warning("step failed", code=fault.code)
        self._record_failure(step, ticket, recording, fault)
        return False

    def _record_failure(self, step: Step, ticket: UUID, recording: UUID, fault: StepFailed) -> None:
        """Record that the step failed for good; retried until it succeeds, or the ticket would stay in progress."""
        try:
            self._commands.recordings.fail_step(step, ticket, recording, fault)
        except DomainError:
            raise _TryAgain(PAUSES_SECONDS[-1]) from None

    def _reporter(self, ticket: UUID, recording: UUID, step: Step) -> Callable[[float], None]:
        """Return the function that a step reports its progress to, a number from 0 to 1.

        A step that begins again, because its worker ended, shows no less than before.
        """

        def report(progress: float) -> None:
            if self._stopping.is_set():
                raise _HandedBack
            self._database.execute(
                "INSERT INTO step_progress (ticket_id, recording_id, step, done) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (ticket_id) DO UPDATE"
                " SET recording_id = EXCLUDED.recording_id, step = EXCLUDED.step, done = CASE"
                " WHEN (step_progress.recording_id, step_progress.step) = (EXCLUDED.recording_id, EXCLUDED.step)"
                " THEN greatest(step_progress.done, EXCLUDED.done) ELSE EXCLUDED.done END",
                (ticket, recording, step.value, max(0.0, min(1.0, progress))),
            )

        return report


async def _put_again(app: App, job: Job) -> None:
    """Put the job on its queue anew, for as long as an operator needs: its attempts are not counted."""
    task = app.configure_task(
        STEP_TASK, queue=job.queue, lock=job.lock, priority=job.priority, schedule_in={"seconds": INSTALL_SECONDS}
    )
    await task.defer_async(**job.task_kwargs)


async def _in_thread(call: Callable[[], None]) -> None:
    """Run the call in a daemon thread: a process that ends must not wait for a job that was handed to another worker.

    The event loop's own executor threads would be joined at the end of the process.
    """
    done: Future[None] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            call()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="step", daemon=True).start()
    await asyncio.wrap_future(done)


async def _rescue(app: App, ends: asyncio.Event) -> None:
    """Give the jobs of dead workers to living ones, again and again."""
    while not ends.is_set():
        try:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
                await app.job_manager.retry_job(job)
                logger.warning("job rescued", job=job.id, ticket=job.task_kwargs.get("ticket"))
        except procrastinate.exceptions.ProcrastinateException:
            logger.warning("rescue failed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ends.wait(), RESCUE_SECONDS)
