"""Metrics of the state that all processes share, read from the database in one short transaction for each scrape."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from psycopg import Cursor
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
        with self._database.snapshot(STATEMENT_SECONDS) as cursor:
            keys = _epoch_keys(cursor, self._epoch_hours)
            return [*_history(cursor), *_inbox(cursor), *_jobs(cursor), *_outbox(cursor), *keys]


def _gauge(
    name: str, documentation: str, samples: float | Iterable[tuple[Sequence[str], float]], *labels: str
) -> Metric:
    """Return a gauge with one value, or with one for the values of each sample's labels."""
    gauge = GaugeMetricFamily(f"storyledger_{name}", documentation, labels=labels)
    for values, value in [((), samples)] if isinstance(samples, int | float) else samples:
        gauge.add_metric(values, value)
    return gauge


def _history(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    rows = lag.projection_rows(cursor)
    position = [((name,), reached) for name, reached, _, _ in rows]
    behind = [((name,), head - reached) for name, reached, head, _ in rows]
    age = [((name,), seconds) for name, _, _, seconds in rows]
    yield _gauge(
        "projection_position", "Position of the last event that a read model has folded.", position, "projection"
    )
    yield _gauge(
        "projection_lag_events", "Number of events that a read model has not folded yet.", behind, "projection"
    )
    yield _gauge(
        "projection_lag_seconds", "Age of the first event that a read model has not folded yet.", age, "projection"
    )
    cursor.execute(_COVERED)
    head, signed = cursor.fetchone() or (0, 0)
    yield CounterMetricFamily(
        "storyledger_events_appended", "Events in the history: positions have no gaps.", value=head
    )
    yield _gauge("proof_lag_events", "Events that are not in the Merkle tree yet.", head - tiles.size(cursor))
    yield _gauge("checkpoint_events", "Events under the newest signed checkpoint.", signed)
    yield _gauge("checkpoint_lag_events", "Events that no signed checkpoint covers yet.", head - signed)


def _inbox(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    cursor.execute(_INBOX)
    states = {state: (count, seconds) for state, count, seconds in cursor.fetchall()}
    labels = (("received", "waiting"), ("held", "held"), ("dead", "dead"))
    yield _gauge(
        "inbox_events",
        "Webhook events that wait to be applied, are held until their payment is known, or are dead letters.",
        [((label,), states.get(state, (0, 0))[0]) for state, label in labels],
        "state",
    )
    oldest = max(0.0, states.get("received", (0, 0.0))[1])
    yield _gauge("inbox_oldest_seconds", "Age of the oldest webhook event that waits to be applied.", oldest)


def _jobs(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    cursor.execute(_JOBS)
    no_jobs = dict.fromkeys(_KINDS, (0, 0, 0))
    kinds = no_jobs | {kind: counts for kind, *counts in cursor.fetchall()}
    jobs = [
        ((kind, state), count)
        for kind, counts in kinds.items()
        for state, count in zip(_JOB_STATES, counts, strict=True)
    ]
    yield _gauge("jobs", "Jobs that wait, run, or have failed.", jobs, "kind", "state")


def _outbox(cursor: Cursor[TupleRow]) -> Iterator[Metric]:
    health = outbox.health(cursor)
    mails = [(("waiting",), health.waiting), (("dead",), health.dead)]
    yield _gauge("outbox_mails", "Mails that wait to be sent, or are dead.", mails, "state")
    yield _gauge("outbox_oldest_seconds", "Age of the oldest mail that waits to be sent.", health.oldest_seconds)


def _epoch_keys(cursor: Cursor[TupleRow], hours: float) -> Iterator[Metric]:
    oldest = oldest_key_seconds(cursor) or 0.0
    yield _gauge("epoch_key_age_seconds", "Age of the oldest epoch key that is not destroyed.", oldest)
    yield _gauge("epoch_seconds", "How often the epoch key is to be replaced (EPOCH_HOURS).", hours * 3600)
    damaged = [((table,), count) for table, count in cursor.execute(_DAMAGED.encode()).fetchall()]
    yield _gauge("damaged_values", "Sealed values that their epoch key did not open.", damaged, "table")


def pools(databases: Iterable[tuple[str, Database]]) -> Iterator[Metric]:
    """Return the metrics of this process's connection pools by name, without a query."""
    occupied = [(name, database.occupancy()) for name, database in databases]
    connections = [
        sample for name, pool in occupied for sample in (((name, "in_use"), pool.in_use), ((name, "idle"), pool.idle))
    ]
    largest = [((name,), pool.max_size) for name, pool in occupied]
    waiting = [((name,), pool.waiting) for name, pool in occupied]
    yield _gauge("pool_connections", "Connections of a pool that are in use or idle.", connections, "pool", "state")
    yield _gauge("pool_size_max", "The largest size of a pool.", largest, "pool")
    yield _gauge("pool_waiting", "Callers that wait for a connection of a pool.", waiting, "pool")
