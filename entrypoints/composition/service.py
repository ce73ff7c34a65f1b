"""One process of the service: its parts built in order, started in order, and stopped the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, Protocol

import projections
from adapters.identity import contacts
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
    """Something that goes on by itself."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Service(Queries):
    """Everything one process of the service consists of, by the names that handlers and commands ask for.

    With no `parts` nothing runs by itself: commands and queries work all the same.
    """

    version = VERSION

    def __init__(self, settings: Settings, url: str, parts: frozenset[str] = Parts.ALL) -> None:
        ground = Foundation(settings, url, parts)
        history = History(ground)
        mails = MailDelivery(ground, history)
        aggregates = Aggregates(ground, history, mails)
        proof = Proof(ground)
        content = Content(ground, history)
        access = Access(ground, history, mails)
        money = Payments(ground, history, mails, aggregates)
        work = Jobs(ground, mails, aggregates, content, money, access, proof)
        health = Health(ground)
        super().__init__(ground.database, history.log, history.replica)
        self.settings, self.url, self.parts = settings, url, parts
        self.public_url, self.page_url = settings.public_url, ground.page_url
        self.master_keys, self.admin_key = ground.secrets.master, ground.secrets.admin_key
        self.keys, self.cipher, self.history = history.keys, history.cipher, history.application
        self.follower, self.barrier, self.fresh = history.follower, history.barrier, history.fresh
        self.tickets, self.donations, self.support = aggregates.tickets, aggregates.donations, aggregates.support
        self.subscriptions, self.outbox, self.mail_sender = mails.subscriptions, mails.outbox, mails.sender
        self.dead_mails = mails.dead
        self.signer, self.checkpoints, self.exporter = proof.signer, proof.checkpoints, proof.exporter
        self.prover = proof.follower
        self.storage, self.contents, self.transcripts = content.storage, content.contents, content.transcripts
        self.inspector, self.printer, self.qr_codes = content.inspector, content.printer, content.qr_codes
        self.save_qr_image = content.save_qr_image
        self.credentials, self.access_log, self.contact_index = access.credentials, access.log, access.contact_index
        self.idempotency, self.login_codes, self._admit = access.idempotency, access.login_codes, access.admit
        self.sandbox, self.gateway, self.webhook_secret = money.sandbox, money.gateway, money.webhook_secret
        self.webhook_verifier, self.inbox, self.dead_letters = money.webhook_verifier, money.inbox, money.dead_letters
        self.applier, self.retrievals, self.reconciler = money.applier, money.retrievals, money.reconciler
        self.donor_emails = money.donor_emails
        self.commands, self.worker = work.commands, work.worker
        self.call_retrier, self.key_rotation, self.retention = (
            work.call_retrier,
            work.key_rotation,
            work.retention,
        )
        self.watchdog, self.gave_up, self.self_test = health.watchdog, health.gave_up, health.self_test
        self.health_probe, self.gauges = health.health_probe, health.gauges
        self.pools, self.rebuilds = list(ground.pools.items()), RebuildJobs(url, ground.registry)
        if self.replica is not None:
            self.pools.append(("reads", self.replica.database))

        self._registry = ground.registry
        # What takes long to load and is not needed at the start, the soonest needed first.
        self.loads: list[Callable[[], object]] = []
        if parts & {Parts.WEB, Parts.WORKER}:
            self.loads += [contacts.load, *mails.loads, *money.loads, *content.loads]
        self.finishing = False
        # The interface described: the web part says how.
        self.describe: Callable[[], dict[str, Any]] = dict

    @property
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the web part."""
        return self.describe()

    def _running(self) -> Iterator[Running]:
        """What goes on by itself in this process, in the order of starting."""
        if self.replica is not None:
            yield self.replica
        if self.follower is not None:
            yield self.follower
        if self.prover is not None:
            yield self.prover
        if self.worker is not None:
            yield self.worker
            yield self.applier
            yield self.retrievals
            yield self.call_retrier
            yield self.login_codes
            yield self.donor_emails
            yield self.mail_sender

    def start(self) -> None:
        """Begin to work; the web part begins when its server does."""
        self.watchdog.start()
        rebuild.ensure_live(self.url, projections.ALL, lambda *_: None, self._registry)
        self._admit()
        for one in self._running():
            one.start()
        if self.sandbox is not None and Parts.WEB in self.parts:
            self.sandbox.start()

    def finish(self) -> None:
        """Take up no new work: what is begun ends meanwhile, in the background."""
        self.finishing = True
        if self.worker is not None:
            self.worker.finish()

    def stop(self) -> None:
        """Finish what was begun, hand back what cannot be, and let go of everything."""
        self.finish()
        if self.sandbox is not None:
            self.sandbox.close()
        for one in reversed(list(self._running())):
            one.stop()
        self.watchdog.stop()
        for _, database in reversed(self.pools):
            database.close()
