"""One process of the service: its components are built in order, started in order, and stopped in the reverse order."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Protocol

from prometheus_client.core import InfoMetricFamily, Metric

import projections
from adapters import contacts
from adapters.observability import counters, gauges
from adapters.observability.process_metrics import ProcessMetrics
from adapters.postgres.background import DueWork
from adapters.read_models import rebuild
from adapters.read_models.rebuild_jobs import RebuildJobs
from entrypoints.composition.access import Access
from entrypoints.composition.aggregates import Aggregates
from entrypoints.composition.content import Content
from entrypoints.composition.foundation import Foundation, Parts
from entrypoints.composition.health import Health
from entrypoints.composition.history import History
from entrypoints.composition.jobs import Jobs
from entrypoints.composition.mail import MailDelivery
from entrypoints.composition.payments import Payments
from entrypoints.composition.proof import Proof
from entrypoints.composition.queries import Queries
from entrypoints.composition.settings import Settings

VERSION = version("storyledger")


class Running(Protocol):
    """Background work between `start` and `stop`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Service:
    """The components of one process; each holds the collaborators of its area.

    With no `parts` nothing runs in the background, and commands and queries work all the same.
    """

    version = VERSION

    def __init__(self, settings: Settings, url: str, parts: frozenset[str] = Parts.ALL) -> None:
        foundation = Foundation(settings, url, parts)
        self.settings, self.url, self.parts = settings, url, parts
        self.public_url, self.page_url = settings.public_url, foundation.page_url
        self.secrets, self.database, self.epochs = foundation.secrets, foundation.database, foundation.epochs
        self.history = History(foundation)
        self.mail = MailDelivery(foundation, self.history)
        self.aggregates = Aggregates(foundation, self.history, self.mail)
        self.content = Content(foundation, self.history)
        self.proof = Proof(foundation, self.content.storage)
        self.access = Access(foundation, self.history, self.mail)
        self.payments = Payments(foundation, self.history, self.mail, self.aggregates, self.content.safety)
        self.jobs = Jobs(
            foundation, self.history, self.mail, self.aggregates, self.content, self.payments, self.access, self.proof
        )
        self.health = Health(foundation, self.content)
        self.commands = self.jobs.commands
        self.queries = Queries(self.database, self.history.log, self.history.replica)
        self.rebuilds = RebuildJobs(url, foundation.registry)
        self.pools = list(foundation.pools.items())
        if self.history.replica is not None:
            self.pools.append(("reads", self.history.replica.database))
        self.metrics = ProcessMetrics(self._metrics)
        self._registry = foundation.registry
        # Loaded after the start, in this order: libraries that take long to load and that the start does not need.
        self.loads: list[Callable[[], object]] = []
        if parts & {Parts.WEB, Parts.WORKER}:
            self.loads += [contacts.load, *self.mail.loads, *self.payments.loads, *self.content.loads]
        self._due_work = DueWork(
            self.database,
            [
                self.payments.applier,
                self.payments.retrievals,
                self.jobs.refund_runs,
                self.jobs.checkout_expirer,
                self.access.login_codes,
                self.payments.donor_emails,
                self.jobs.gift_news,
                self.payments.donor_names,
                self.mail.sender,
            ],
        )
        self.finishing = False

    def _metrics(self) -> Iterator[Metric]:
        """Yield the metrics that this process counts for itself."""
        yield from counters.REGISTRY.collect()
        about = {"version": self.version, "parts": ",".join(sorted(self.parts))}
        yield InfoMetricFamily("storyledger", "The version and the parts of this process.", about)
        yield from gauges.pools(self.pools)

    def _running(self) -> Iterator[Running]:
        """The background work of this process, in the order in which it starts."""
        for component in (self.history.replica, self.history.follower, self.proof.follower):
            if component is not None:
                yield component
        if self.jobs.worker is not None:
            yield self.jobs.worker
            yield self.jobs.call_retrier
            yield self._due_work
        if self.parts:
            yield self.health.sampler

    def start(self) -> None:
        """Start the background work; the web part starts with its server."""
        self.health.watchdog.start()
        rebuild.ensure_live(self.url, projections.ALL, lambda *_: None, self._registry)
        # Beginning the first epoch takes a second connection, which many first requests at once would wait for.
        self.epochs.current()
        self.access.admit()
        if Parts.WEB in self.parts:
            self.access.load()
        for component in self._running():
            component.start()
        if self.payments.sandbox is not None and Parts.WEB in self.parts:
            self.payments.sandbox.start()

    def finish(self) -> None:
        """Accept no new work; work that has begun ends in the background."""
        self.finishing = True
        if self.jobs.worker is not None:
            self.jobs.worker.finish()

    def stop(self) -> None:
        """Finish started work, return unfinished jobs to the queue, and close every connection."""
        self.finish()
        if self.payments.sandbox is not None:
            self.payments.sandbox.close()
        for component in reversed(list(self._running())):
            component.stop()
        self.health.watchdog.stop()
        for _, database in reversed(self.pools):
            database.close()
