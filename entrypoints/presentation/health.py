"""The health of the service as responses."""

from typing import Literal

from msgspec import UNSET, UnsetType

from adapters.read_models.replica import State
from entrypoints.presentation.responses import ResponseBody, Time

Verdict = Literal["PASS", "FAIL"]


class Liveness(ResponseBody):
    """The process runs; `uptime` is in seconds."""

    status: Literal["alive"]
    timestamp: Time
    uptime: float
    version: str


class DatabaseHealth(ResponseBody):
    """The state of the database when the watchdog last checked it."""

    ready: bool
    last_ping_at: Time | None
    last_error: str | None
    failure_count: int
    database_url: Literal["configured"]
    message: str


class ProjectionLag(ResponseBody):
    """The positions of a read model and of the event log (`head`), and the age of the first event not yet applied."""

    position: int
    head: int
    lag_seconds: float


class InboxState(ResponseBody):
    """The numbers of waiting events and dead letters in the webhook inbox, and the age of the oldest waiting event."""

    waiting: int
    dead_letters: int
    oldest_seconds: float


class JobCounts(ResponseBody):
    """The numbers of background jobs by state."""

    waiting: int
    running: int
    failed: int


class ReplicaState(ResponseBody):
    """The state of the standby that serves reads, and how far it is behind the primary."""

    state: State
    lag_bytes: int | None
    lag_seconds: float | None
    error: str | None


class Readiness(ResponseBody):
    """`ready` is true if this process can serve requests; lag and dead letters do not change it."""

    ready: bool
    database: bool
    projections: dict[str, ProjectionLag]
    inbox: InboxState | None
    jobs: JobCounts | None
    replica: ReplicaState | UnsetType = UNSET


class SelfTestResult(ResponseBody):
    """The verdict on each group of the self-test."""

    overall: Verdict
    tests: dict[str, Verdict]
    timestamp: Time
