"""Metrics of the state that all processes share, read from the database in one short transaction for each scrape."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from adapters.encryption.epochs import oldest_key_seconds
from adapters.health import lag
from adapters.mail import outbox
from adapters.payments.inbox import IS_DEAD_LETTER
from adapters.postgres.database import Database
from adapters.postgres.group_commit import AsyncGroupCommit
from adapters.privacy.sealed_columns import SEALED_IN_EPOCH
from adapters.proof import tiles
from domain.values import Step

# No statement may take longer, so that a scrape does not slow the service down.
STATEMENT_SECONDS = 1.0
MOST_CALLERS_AT_ONCE = 1_000

# The kind of a job is the step of the work on a recording, or the name of the task.
_JOBS = (
    "SELECT coalesce(args->>'step', task_name), count(*) FILTER (WHERE status = 'todo'),"
    " count(*) FILTER (WHERE status = 'doing'), count(*) FILTER (WHERE status = 'failed') FROM procrastinate_jobs"
    " WHERE status IN ('todo', 'doing', 'failed') GROUP BY 1"
)
_JOB_STATES = ("waiting", "running", "failed")
_KINDS = [step.value for step in Step]
_INBOX = (
    f"SELECT CASE WHEN {IS_DEAD_LETTER} THEN 'dead' ELSE state END, count(*),"  # noqa: S608
    " extract(epoch FROM now() - min(received_at))::float FROM stripe_inbox"
    " WHERE state = 'received' OR state = 'held' OR state = 'dead' GROUP BY 1"
)
_COVERED = (
    "SELECT (SELECT coalesce(max(position), 0) FROM events), (SELECT coalesce(max(size), 0) FROM proof_checkpoints)"
)
_DAMAGED = " UNION ALL ".join(
    f"SELECT '{column.table}', count(*) FROM {column.table} WHERE {column.damaged}"  # noqa: S608
    for column in SEALED_IN_EPOCH
)


class Gauges:
    """Reads on its own connection; concurrent callers share one read."""

    def __init__(self, database: Database, epoch_hours: float) -> None:
        self._database = database
        self._epoch_hours = epoch_hours
        self._reads: AsyncGroupCommit[None, Sequence[Metric]] = AsyncGroupCommit(
            lambda callers: [self._read()] * len(callers), MOST_CALLERS_AT_ONCE
        )

    async def read(self) -> Sequence[Metric]:
        """Return the metrics now; UnavailableError when the database is not available or too slow."""
        return await self._reads.submit(None)

    def _read(self) -> Sequence[Metric]:
        # In one snapshot: an event that leaves the inbox between two reads would neither wait nor lag.
        with self._database.snapshot() as cursor:
            limit = sql.Literal(f"{int(STATEMENT_SECONDS * 1000)}ms")
            cursor.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(limit))
            keys = _epoch_keys(cursor, self._epoch_hours)
            return [*_history(cursor), *_inbox(cursor), *_jobs(cursor), *_outbox(cursor), *keys]


def _history(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    position = GaugeMetricFamily(
        "storyledger_projection_position",
        "Position of the last event that a read model has folded.",
        labels=["projection"],
    )
    behind = GaugeMetricFamily(
        "storyledger_projection_lag_events",
        "Number of events that a read model has not folded yet.",
        labels=["projection"],
    )
    age = GaugeMetricFamily(
        "storyledger_projection_lag_seconds",
        "Age of the first event that a read model has not folded yet.",
        labels=["projection"],
    )
    for name, reached, head, seconds in lag.projection_rows(cursor):
        position.add_metric([name], reached)
        behind.add_metric([name], head - reached)
        age.add_metric([name], seconds)
    yield from (position, behind, age)
    cursor.execute(_COVERED)
    head, signed = cursor.fetchone() or (0, 0)
    yield CounterMetricFamily(
        "storyledger_events_appended", "Events in the history: positions have no gaps.", value=head
    )
    yield GaugeMetricFamily(
        "storyledger_proof_lag_events", "Events that are not in the Merkle tree yet.", head - tiles.size(cursor)
    )
    yield GaugeMetricFamily("storyledger_checkpoint_events", "Events under the newest signed checkpoint.", signed)
    yield GaugeMetricFamily(
        "storyledger_checkpoint_lag_events", "Events that no signed checkpoint covers yet.", head - signed
    )


def _inbox(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    cursor.execute(_INBOX)
    states = {state: (count, seconds) for state, count, seconds in cursor.fetchall()}
    events = GaugeMetricFamily(
        "storyledger_inbox_events",
        "Webhook events that wait to be applied, are held until their payment is known, or are dead letters.",
        labels=["state"],
    )
    for state, label in (("received", "waiting"), ("held", "held"), ("dead", "dead")):
        events.add_metric([label], states.get(state, (0, 0))[0])
    yield events
    yield GaugeMetricFamily(
        "storyledger_inbox_oldest_seconds",
        "Age of the oldest webhook event that waits to be applied.",
        max(0.0, states.get("received", (0, 0.0))[1]),
    )


def _jobs(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    cursor.execute(_JOBS)
    jobs = GaugeMetricFamily("storyledger_jobs", "Jobs that wait, run, or have failed.", labels=["kind", "state"])
    no_jobs = dict.fromkeys(_KINDS, (0, 0, 0))
    for kind, counts in (no_jobs | {kind: counts for kind, *counts in cursor.fetchall()}).items():
        for state, count in zip(_JOB_STATES, counts, strict=True):
            jobs.add_metric([kind, state], count)
    yield jobs


def _outbox(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    health = outbox.health(cursor)
    mails = GaugeMetricFamily("storyledger_outbox_mails", "Mails that wait to be sent, or are dead.", labels=["state"])
    mails.add_metric(["waiting"], health.waiting)
    mails.add_metric(["dead"], health.dead)
    yield mails
    yield GaugeMetricFamily(
        "storyledger_outbox_oldest_seconds", "Age of the oldest mail that waits to be sent.", health.oldest_seconds
    )


def _epoch_keys(cursor: Cursor[TupleRow], hours: float) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "storyledger_epoch_key_age_seconds",
        "Age of the oldest epoch key that is not destroyed.",
        oldest_key_seconds(cursor) or 0.0,
    )
    yield GaugeMetricFamily(
        "storyledger_epoch_seconds", "How often the epoch key is to be replaced (EPOCH_HOURS).", hours * 3600
    )
    damaged = GaugeMetricFamily(
        "storyledger_damaged_values", "Sealed values that their epoch key did not open.", labels=["table"]
    )
    cursor.execute(_DAMAGED.encode())
    for table, count in cursor.fetchall():
        damaged.add_metric([table], count)
    yield damaged


def pools(databases: Iterable[tuple[str, Database]]) -> Iterator[Metric]:
    """Return the metrics of this process's connection pools by name, without a query."""
    connections = GaugeMetricFamily(
        "storyledger_pool_connections", "Connections of a pool that are in use or idle.", labels=["pool", "state"]
    )
    most = GaugeMetricFamily("storyledger_pool_size_max", "The largest size of a pool.", labels=["pool"])
    waiting = GaugeMetricFamily(
        "storyledger_pool_waiting", "Callers that wait for a connection of a pool.", labels=["pool"]
    )
    for name, database in databases:
        pool = database.occupancy()
        connections.add_metric([name, "in_use"], pool.in_use)
        connections.add_metric([name, "idle"], pool.idle)
        most.add_metric([name], pool.max_size)
        waiting.add_metric([name], pool.waiting)
    yield from (connections, most, waiting)
