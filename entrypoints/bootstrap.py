"""The only place that builds things: from settings to a service with all its parts wired."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg import Cursor
from psycopg.rows import TupleRow

import projections
from adapters import fitness, forgetting, migrations, standing
from adapters.access import Credentials
from adapters.access_log import AccessLog
from adapters.contacts import ContactIndex
from adapters.contents import JsonTranscripts, SealedContents
from adapters.database import AWAY, Database, category, connect, goes_through_unsaid_pooler
from adapters.documents.printer import DocumentPrinter
from adapters.documents.qr import QrPrinter
from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.event_store.history import SealingMapper, StoredDonations, StoredTickets, Streams, TicketHistory
from adapters.event_store.log import EventLog
from adapters.forgetting import Forgets, Forgetting, Memory
from adapters.idempotency import IdempotencyKeys
from adapters.ids import uuid7
from adapters.jobs import Worker, enqueue
from adapters.mail.outbox import OUTBOX_RING, Outbox
from adapters.mail.posts import FilePost, SmtpPost
from adapters.mail.sender import Sender
from adapters.mail.subscriptions import Subscriptions
from adapters.observation.gauges import Gauges
from adapters.payments.applier import Applier
from adapters.payments.door import WebhookDoor
from adapters.payments.fetcher import Fetcher, Retriever
from adapters.payments.gateway import StripeGateway
from adapters.payments.inbox import INBOX_RING, Inbox
from adapters.payments.letters import DeadLetters
from adapters.payments.notices import DonorNotices
from adapters.payments.reconcile import Reconciler
from adapters.payments.refunds import StripeRefunds
from adapters.payments.repairer import Repairer
from adapters.payments.sandbox import Sandbox
from adapters.proof.checkpoints import Checkpoints, Signer, origin_of
from adapters.proof.export import Exporter
from adapters.proof.follower import ProofFollower
from adapters.read_models import rebuild
from adapters.read_models.background import Rebuilds
from adapters.read_models.follower import Follower, Waiter
from adapters.read_models.fresh import FreshRows
from adapters.read_models.memory import ticket_row
from adapters.reads import Reads
from adapters.replica import Replica
from adapters.retention import Retention
from adapters.returning import Returning
from adapters.rewrapping import Rewrapping
from adapters.sealing import SERVICE_RING, KeyedHashes, Keyring, Seals, TicketKeys
from adapters.self_test import SelfTest
from adapters.speech.inspector import ChildAudioInspector
from adapters.speech.local import LocalTranscriber
from adapters.standing import Lookout
from adapters.storage import open_storage
from adapters.support import StoredSupportTickets
from adapters.watchdog import Watchdog
from domain.commands import Commands
from domain.errors import InvalidError, UnavailableError
from domain.events import Erased, ErasureAnnounced, Published, TicketEvent
from domain.helping import Helping
from domain.ports import Analyser, Drafter, Mail, Transcriber
from domain.refunding import Refunding, Repairs
from domain.retention import erasure_notice
from domain.ticket import RecordingTicket
from domain.values import ContactType, Role
from entrypoints.settings import Generated, Settings
from projections import donation_ledger, fee_ledger
from projections.model import Recorded, Row

VERSION = version("storyledger")
REACHING_TRIES = 3
REACHING_PAUSE_SECONDS = 0.5
REACHING_SECONDS = 8.0
UNSAID_POOLER = "reached through a pooler: add ?pgbouncer=true to DATABASE_URL"
EXPORT_PAGE = 1_000
WATCH_SECONDS = 0.5

logger = structlog.get_logger()


class NotReadyError(Exception):
    """The service refuses to start; the message is one clear line that says what to do."""


class Parts:
    """What `serve --only` names."""

    WEB = "web"
    WORKER = "worker"
    PROJECTIONS = "projections"
    ALL = frozenset({WEB, WORKER, PROJECTIONS})


class DatabaseUrl:
    """Where the database is: outside, or embedded in the data folder and then ours to start, migrate and stop."""

    def __init__(self, settings: Settings, *, migrate: bool = True) -> None:
        self._settings = settings
        self._migrate = migrate
        self.embedded = None if settings.database_url else EmbeddedPostgres(settings.data_dir / "postgres")
        self._left = threading.Event()

    def __enter__(self) -> str:
        if self.embedded is None:
            assert self._settings.database_url is not None
            return self._settings.database_url
        url = self.embedded.start()
        if self._migrate:
            with connect(url) as connection:
                migrations.migrate(connection)
        self._watch = threading.Thread(target=self._bring_back, args=(self.embedded,), daemon=True)
        self._watch.start()
        return url

    def __exit__(self, *_: object) -> None:
        if self.embedded is not None:
            self._left.set()
            self._watch.join(timeout=10)
            self.embedded.stop()

    def _bring_back(self, embedded: EmbeddedPostgres) -> None:
        """A server that was killed comes back while anybody still needs it."""
        while not self._left.wait(WATCH_SECONDS):
            try:
                embedded.ensure()
            except EmbeddedPostgresError as error:
                logger.error("embedded PostgreSQL is away", reason=str(error))


def reach(url: str, *, production: bool = False) -> None:
    """Gate: the database answers, loses nothing, and its schema is exactly this version's; NotReadyError otherwise.

    Whatever hangs, be it the name service, there is an answer within REACHING_SECONDS.
    """
    found: list[str | None] = []
    asking = threading.Thread(target=lambda: found.append(_fault(url, production)), daemon=True)
    asking.start()
    asking.join(REACHING_SECONDS)
    fault = found[0] if found else "does not answer"
    if fault is not None:
        raise NotReadyError(f"database: {fault}")


def _fault(url: str, production: bool) -> str | None:
    for attempt in range(REACHING_TRIES):
        try:
            with connect(url) as connection:
                if goes_through_unsaid_pooler(connection, url):
                    return UNSAID_POOLER
                return fitness.server_fault(connection, production=production) or fitness.schema_fault(connection)
        except psycopg.OperationalError as error:
            # PgBouncer takes no settings at the start of a session.
            if "unsupported startup parameter" in str(error):
                return UNSAID_POOLER
            fault = category(error)
        except psycopg.Error as error:
            return f"refuses our questions ({type(error).__name__})"
        if attempt < REACHING_TRIES - 1:
            time.sleep(REACHING_PAUSE_SECONDS)
    return fault


def signer(settings: Settings) -> Signer:
    """Signs in the name of this service's log."""
    secrets = settings.checkpoint_key
    if not secrets and not settings.production:
        secrets = (Generated(settings.data_dir)["checkpoint_key"],)
    return Signer(secrets, origin_of(settings.public_url))


def master_keys(settings: Settings) -> tuple[str, ...]:
    """What wraps the tickets' keys, the present secret first: given, or that of a data folder in development."""
    if settings.master_key or settings.production:
        return settings.master_key
    return (Generated(settings.data_dir)["master_key"],)


class Service:
    """Everything one process of the service consists of."""

    version = VERSION

    def __init__(self, settings: Settings, url: str, parts: frozenset[str] = Parts.ALL) -> None:
        self.settings = settings
        self.url = url
        self.parts = parts
        self.public_url = settings.public_url
        generated = None if settings.production else Generated(settings.data_dir)
        master = master_keys(settings)
        self._peppers = settings.email_pepper or ((generated["email_pepper"],) if generated else ())
        self.database = Database(url, size=24)
        self.database.open()
        self.master_keys = master
        self._guarded = [self.database]

        # The history and what seals it.
        self.log = EventLog(self.database)
        self.replica: Replica | None = None
        if settings.read_database_url is not None and Parts.WEB in parts:
            self.replica = Replica(settings.read_database_url, url)
        self.keys = TicketKeys(self.database, master)
        self.seals = Seals(self.keys)
        self.follower = Follower(url, projections.ALL) if Parts.PROJECTIONS in parts else None
        self.waiter = Waiter(self.database, list(projections.BY_NAME), self.follower)
        self.fresh = FreshRows(self.database, self.log, self.waiter)
        self.history = TicketHistory(self.log, self.seals)
        post = SmtpPost(settings.smtp_url, settings.sender) if settings.smtp_url else FilePost(settings.outbox)
        self.subscriptions = Subscriptions(self.database, self._peppers, self.public_url)
        self.outbox = Outbox(Keyring(master, OUTBOX_RING), self.seals, post, settings.sender, self.subscriptions)
        self.mail_sender = Sender(self.database, self.outbox, post)
        # Who answers a client waits for the read models; a worker has nobody waiting.
        recorded = self._seen if Parts.WEB in parts else self._recorded
        consequences = {
            Erased: forgetting.destroy,
            ErasureAnnounced: self._announce_erasure,
            Published: self._tell_published,
        }
        streams = Streams(self.history, enqueue, recorded, consequences, queue=self.outbox.queue)
        self.tickets, self.donations = StoredTickets(streams), StoredDonations(streams)
        self.support = StoredSupportTickets(streams, self.database, self.log)

        # What proves the history.
        self.signer = signer(settings)
        self.checkpoints = Checkpoints(self.database, self.signer)
        self.exporter = Exporter(self.database, self.signer)
        self.prover = ProofFollower(url, self.signer) if Parts.PROJECTIONS in parts else None

        # The outside.
        self.storage = open_storage(settings.storage)
        self.contents = SealedContents(self.storage, self.keys)
        self.transcripts = JsonTranscripts()
        self.inspector = ChildAudioInspector()
        self.printer = DocumentPrinter()
        self.qr_codes = QrPrinter()
        self.credentials = Credentials(self.database, self.fresh)
        self.access_log = AccessLog(self.database)
        self.contact_index = ContactIndex(self._peppers)
        self.idempotency = IdempotencyKeys(self.database, Keyring(master, SERVICE_RING), self.keys)
        self.returning = Returning(
            self.database, Keyring(master, "access requests"), self.contact_index, self.outbox, self._peppers
        )
        self._wire_payments(generated, master)

        self.helping = Helping(
            tickets=self.tickets,
            support=self.support,
            contents=self.contents,
            indexes=self.contact_index.all_of,
            home=self.public_url,
            now=lambda: datetime.now(UTC),
        )
        analyser, drafter = _drafting(settings)
        self.commands = Commands(
            tickets=self.tickets,
            donations=self.donations,
            contents=self.contents,
            forgetting=Forgetting(self.inbox, self._memories()),
            transcripts=self.transcripts,
            inspector=self.inspector,
            transcriber=_transcriber(settings),
            analyser=analyser,
            drafter=drafter,
            printer=self.printer,
            checkouts=self.gateway,
            page_url=self.page_url,
            new_id=uuid7,
            now=lambda: datetime.now(UTC),
            sandbox=settings.sandbox,
            checkpoint=self.checkpoints.latest,
        )
        self.refunding = Refunding(self.donations, StripeRefunds(self.gateway))
        self.repairer = Repairer(self.database, Repairs(self.commands, self.refunding))
        self.rewrapping = Rewrapping(self.database, master, self.contact_index, self.tickets)
        self.retention = Retention(self.database, self.commands)
        self.rebuilds = Rebuilds(url)
        chores = [self.retention.run, self.idempotency.purge]
        self.worker = Worker(url, self.database, self.commands, chores=chores) if Parts.WORKER in parts else None
        self.admin_key = generated["admin_key"] if generated else None
        self.self_test = SelfTest(url, master)
        self._wire_health()
        # The interface described: the web part fills it in.
        self.openapi: dict[str, Any] = {}

    def _wire_payments(self, generated: Generated | None, master: tuple[str, ...]) -> None:
        settings = self.settings
        secrets, key, api_base = settings.stripe_webhook_secret, settings.stripe_secret_key, settings.stripe_api_base
        self.sandbox: Sandbox | None = None
        if settings.sandbox:
            assert generated is not None
            key, inside = generated["sandbox_key"], self._inside_url()
            secrets = (generated["webhook_secret"], *secrets)
            api_base = f"{inside}/sandbox/stripe"
            # A small pool of its own: requests that hold our connections call the sandbox.
            self._sandbox_database = Database(self.url, size=6, name="storyledger sandbox")
            self._sandbox_database.open()
            self._guarded.append(self._sandbox_database)
            self.sandbox = Sandbox(
                self._sandbox_database.connection,
                base_url=self.public_url,
                webhook_url=f"{inside}/api/webhooks/stripe",
                webhook_secret=generated["webhook_secret"],
                api_key=key,
            )
        assert key is not None
        self.webhook_secret = secrets[0] if secrets else None
        self.gateway = StripeGateway(key, api_base)
        self.door = WebhookDoor(secrets, livemode=settings.livemode)
        self.inbox = Inbox(self.database, Keyring(master, INBOX_RING), self.keys)
        self.dead_letters = DeadLetters(self.database)
        mapper = SealingMapper(self.seals)
        hashes = KeyedHashes(self._peppers, "donor e-mail")
        retriever = Retriever(self.gateway.retrieve, livemode=settings.livemode)
        self.fetcher = Fetcher(self.database, self.inbox, retriever)
        self.applier = Applier(self.database, self.inbox, mapper, hashes.of, self._recorded, wanted=self.fetcher.wake)
        self.donor_notices = DonorNotices(
            self.database,
            self.inbox,
            self.tickets,
            self.donations,
            self.outbox,
            self.page_url,
            test=not settings.livemode,
        )
        self.reconciler = Reconciler(
            self.database,
            self.gateway,
            self.inbox,
            self.applier,
            self.fetcher,
            retriever,
            self.donations,
            livemode=settings.livemode,
        )

    def _wire_health(self) -> None:
        """The watchdog's word counts for every pool; health has one of its own, since requests may exhaust theirs."""
        self._health_database = Database(self.url, size=1, name="storyledger health")
        self._health_database.open()
        self._guarded.append(self._health_database)
        self.lookout = Lookout(self._health_database)
        self.gauges = Gauges(self._health_database)
        self.gave_up = threading.Event()
        self.watchdog = Watchdog(
            self.url,
            self._guarded,
            patience_seconds=self.settings.db_outage_exit_seconds,
            give_up=self.gave_up.set,
        )
        self.finishing = False

    @property
    def pools(self) -> Iterator[tuple[str, Database]]:
        """The pools of connections by name."""
        yield "service", self.database
        yield "health", self._health_database
        if self.replica is not None:
            yield "reads", self.replica.database
        if self.sandbox is not None:
            yield "sandbox", self._sandbox_database

    def _inside_url(self) -> str:
        """Where this service reaches itself, whatever strangers call it."""
        host = self.settings.host if self.settings.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # noqa: S104
        return f"http://{host}:{self.settings.port}"

    def _memories(self) -> list[Forgets]:
        """Everything that keeps something of a person and has to be told to forget it."""
        memories: list[Forgets] = [self.contents, Memory(lambda ticket: self.storage.delete(_qr_key(ticket)))]
        memories += [Memory(self._forget_mails), self.helping]
        if self.sandbox is not None:
            memories.append(self.sandbox)
        return memories

    def _forget_mails(self, ticket: UUID) -> None:
        with self.database.connection() as connection:
            self.outbox.forget(connection, ticket)

    def _announce_erasure(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """The person hears of it by mail, where they left an address."""
        assert isinstance(event, ErasureAnnounced)
        if ticket.contact.type is ContactType.EMAIL:
            self.outbox.queue(cursor.connection, erasure_notice(ticket, event))

    def _tell_published(self, cursor: Cursor[TupleRow], ticket: RecordingTicket, event: TicketEvent) -> None:
        """The person hears of it by mail, where they left an address: the first time, however often it happens.

        It has no words of theirs, since nobody has yet shown that the address is their own.
        """
        del event
        if ticket.contact.type is ContactType.EMAIL:
            values = {"page": self.page_url(ticket.slug)}
            mail = Mail("published", ticket.contact.value, values, f"published:{ticket.id}", ticket.id)
            with suppress(InvalidError):
                self.outbox.queue(cursor.connection, mail)

    # Life.

    def start(self) -> None:
        """Begin to work; the web part begins when its server does."""
        self.watchdog.start()
        if self.replica is not None:
            self.replica.start()
        rebuild.ensure_live(self.url, projections.ALL, lambda *_: None)
        if self.admin_key is not None:
            self.credentials.create(Role.ADMIN, key=self.admin_key)
        if self.follower is not None:
            self.follower.start()
        if self.prover is not None:
            self.prover.start()
        if self.worker is not None:
            self.worker.start()
            self.applier.start()
            self.fetcher.start()
            self.repairer.start()
            self.returning.start()
            self.donor_notices.start()
            self.mail_sender.start()
        if self.sandbox is not None and Parts.WEB in self.parts:
            self.sandbox.start()

    def check_storage(self) -> None:
        """Gate: something can be kept, read and taken away again; NotReadyError otherwise."""
        try:
            self.storage.check()
        except UnavailableError as error:
            raise NotReadyError(str(error)) from None

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
            self._sandbox_database.close()
        if self.worker is not None:
            self.worker.stop()
            self.applier.stop()
            self.fetcher.stop()
            self.repairer.stop()
            self.returning.stop()
            self.donor_notices.stop()
            self.mail_sender.stop()
        if self.follower is not None:
            self.follower.stop()
        if self.prover is not None:
            self.prover.stop()
        if self.replica is not None:
            self.replica.stop()
        self.watchdog.stop()
        self._health_database.close()
        self.database.close()

    def _recorded(self, position: int) -> None:
        del position
        if self.follower is not None:
            self.follower.wake()

    def _seen(self, position: int) -> None:
        """Let the read models see a write before it is answered; a fault of theirs only makes the answer later."""
        with suppress(UnavailableError, *AWAY):
            if not self.waiter.wait_for(position):
                self.fresh.answered_unseen(position)
                logger.warning("read models lag behind", position=position)

    # What the edges ask besides commands.

    def reads(self, *, writes: bool = False) -> Reads:
        """For one request: what it shows may come from the read replica, unless it `writes`."""
        return Reads(self.database, self.log, None if writes else self.replica)

    def page_url(self, slug: str) -> str:
        """The public page of a ticket: printed on paper, so it never changes."""
        return f"{self.public_url}/d/{slug}"

    def recorded(self, ticket: UUID, until: int | None = None) -> Iterator[Recorded]:
        """A ticket's whole history as read models get it."""
        for entry in self.log.ticket_events(ticket, until):
            yield Recorded(entry.position, entry.recorded_at, entry.event())

    def ticket_row(self, ticket: UUID) -> Row | None:
        """The ticket's row folded afresh, for when its read model has not come so far yet."""
        return ticket_row(self.recorded(ticket))

    def exported(
        self,
        ticket: UUID | None,
        workspace: str | None,
        since: datetime | None,
        until: datetime | None,
        reads: Reads | None = None,
    ) -> Iterator[tuple[Row, list[Row]]]:
        """Donations for accounting with what was settled of each, a page of them in memory at a time."""
        after: UUID | None = None
        reads = reads or self.reads()

        def asked(cursor: Cursor[TupleRow]) -> tuple[list[Row], dict[UUID, list[Row]]]:
            with cursor.connection.transaction():
                page = donation_ledger.exported(cursor, after, EXPORT_PAGE, ticket, workspace, since, until)
                settled: dict[UUID, list[Row]] = {row["donation"]: [] for row in page}
                for entry in fee_ledger.entries(cursor, list(settled)):
                    settled[entry["donation"]].append(entry)
            return page, settled

        while True:
            page, settled = reads.ask(asked)
            yield from ((row, settled[row["donation"]]) for row in page)
            if len(page) < EXPORT_PAGE:
                return
            after = page[-1]["donation"]

    def journal(self, ticket: UUID | None, since: datetime | None, until: datetime | None) -> Iterator[Row]:
        """Every movement of the donors' ledger in the order of the history, a page of them in memory at a time."""
        after = 0
        while True:
            with self.database.transaction() as cursor:
                page = donation_ledger.journal(cursor, after, EXPORT_PAGE, ticket, since, until)
            yield from page
            if not page:
                return
            after = page[-1]["position"]

    def settlements(self, ticket: UUID | None, since: datetime | None, until: datetime | None) -> Iterator[Row]:
        """Everything that was settled of the same donations."""
        for _, settled in self.exported(ticket, None, since, until):
            yield from settled

    def progress(self, ticket: UUID, recording: UUID, step: str) -> float:
        """How much of the present step is done, 0..1."""
        with self.database.connection() as connection:
            row = connection.execute(
                "SELECT done FROM step_progress WHERE ticket = %s AND recording = %s AND step = %s",
                (ticket, recording, step),
            ).fetchone()
        return float(row[0]) if row else 0.0

    def save_qr_image(self, ticket: UUID, url: str) -> None:
        """Keep the page's QR code as a picture too, where the operator wants that."""
        if self.settings.save_qr_images:
            key = _qr_key(ticket)
            if not self.storage.exists(key):
                self.storage.put(key, [self.qr_codes.png(url)])

    def workspaces(self) -> list[str]:
        """Every workspace that has a key or a ticket."""
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT workspace FROM api_keys UNION SELECT workspace FROM read.ticket_status ORDER BY 1"
            ).fetchall()
        return [name for (name,) in rows]

    def projections_standing(self) -> dict[str, dict[str, Any]]:
        """For each read model its position, the history's, and how long the first event it lacks has waited."""
        return standing.projections(self.database)

    def jobs_standing(self) -> dict[str, int]:
        return standing.jobs(self.database)


def _qr_key(ticket: UUID) -> str:
    return f"qr/{ticket}.png"


def _transcriber(settings: Settings) -> Transcriber:
    if settings.speech == "openai":
        from adapters.speech.openai import OpenAITranscriber

        assert settings.openai_api_key is not None
        return OpenAITranscriber(settings.openai_api_key, settings.openai_base_url)
    return LocalTranscriber()


def _drafting(settings: Settings) -> tuple[Analyser, Drafter]:
    if settings.drafting == "openai":
        from adapters.drafting.openai import OpenAIDrafter

        assert settings.openai_api_key is not None
        both = OpenAIDrafter(settings.openai_api_key, base_url=settings.openai_base_url)
        return both, both
    return LocalAnalyser(), LocalDrafter()
