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

import projections
from adapters import migrations
from adapters.access import Credentials
from adapters.contacts import ContactIndex
from adapters.contents import JsonTranscripts, SealedContents
from adapters.database import AWAY, Database, connect, goes_through_unsaid_pooler
from adapters.documents.printer import DocumentPrinter
from adapters.documents.qr import QrPrinter
from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.event_store.history import SealingMapper, StoredDonations, StoredTickets, Streams, TicketHistory
from adapters.event_store.log import EventLog
from adapters.idempotency import IdempotencyKeys
from adapters.ids import uuid7
from adapters.jobs import Worker, enqueue
from adapters.payments.applier import Applier
from adapters.payments.door import WebhookDoor
from adapters.payments.fetcher import Fetcher, Fulfilment, Retriever
from adapters.payments.gateway import StripeGateway
from adapters.payments.inbox import Inbox
from adapters.payments.letters import DeadLetters
from adapters.payments.reconcile import Reconciler
from adapters.payments.refunds import StripeRefunds
from adapters.payments.repairer import Repairer
from adapters.payments.sandbox import Sandbox
from adapters.read_models import rebuild
from adapters.read_models.background import Rebuilds
from adapters.read_models.follower import Follower, Waiter
from adapters.read_models.memory import ticket_row
from adapters.sealing import Keyring, Seals, TicketKeys, keyed_hash
from adapters.speech.inspector import ChildAudioInspector
from adapters.speech.local import LocalTranscriber
from adapters.storage import open_storage
from domain.commands import Commands
from domain.ports import Analyser, Drafter, Transcriber
from domain.refunding import Refunding, Repairs
from domain.values import Role
from entrypoints.settings import Generated, Settings
from projections import donation_ledger, fee_ledger
from projections.model import Recorded, Row

VERSION = version("storyledger")
REACHING_TRIES = 3
UNSAID_POOLER = "database: reached through a pooler: add ?pgbouncer=true to DATABASE_URL"
EXPORT_PAGE = 1_000
WATCH_SECONDS = 1.0

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


def reach(url: str) -> None:
    """Gate: the database answers and its schema is exactly this version's; NotReadyError otherwise."""
    for attempt in range(REACHING_TRIES):
        try:
            with connect(url) as connection:
                if goes_through_unsaid_pooler(connection, url):
                    raise NotReadyError(UNSAID_POOLER)
                known, wanted = migrations.applied(connection), [name for name, _ in migrations.steps()]
            break
        except psycopg.OperationalError as error:
            # PgBouncer takes no settings at the start of a session.
            if "unsupported startup parameter" in str(error):
                raise NotReadyError(UNSAID_POOLER) from None
            if attempt == REACHING_TRIES - 1:
                raise NotReadyError(f"database: {_category(error)}") from None
            time.sleep(0.5)
    if any(name.startswith(migrations.UNFINISHED_RESTORE) for name in known):
        raise NotReadyError("database: a restore into it did not end: run `storyledger restore` again with its backup")
    if missing := [name for name in wanted if name not in known]:
        raise NotReadyError(f"database: schema is behind ({', '.join(missing)}): run `storyledger migrate`")
    if unknown := [name for name in known if name not in wanted]:
        raise NotReadyError(f"database: schema is ahead of this version ({', '.join(unknown)})")


def _category(error: psycopg.OperationalError) -> str:
    """What is the matter, without the driver's words: they may name hosts and users."""
    text = str(error)
    for sign, category in (
        ("password", "wrong user or password"),
        ("does not exist", "no such database or role"),
        ("timeout", "does not answer"),
        ("refused", "refuses connections"),
    ):
        if sign in text:
            return category
    return "not reachable"


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

        # The history and what seals it.
        self.log = EventLog(self.database)
        self.keys = TicketKeys(self.database, master)
        self.seals = Seals(self.keys)
        self.follower = Follower(url, projections.ALL) if Parts.PROJECTIONS in parts else None
        self.waiter = Waiter(self.database, list(projections.BY_NAME), self.follower)
        self.history = TicketHistory(self.log, self.seals)
        # Who answers a client waits for the read models; a worker has nobody waiting.
        streams = Streams(self.history, enqueue, self._seen if Parts.WEB in parts else self._recorded)
        self.tickets, self.donations = StoredTickets(streams), StoredDonations(streams)

        # The outside.
        self.storage = open_storage(settings.storage)
        self.contents = SealedContents(self.storage, self.keys)
        self.transcripts = JsonTranscripts()
        self.inspector = ChildAudioInspector()
        self.printer = DocumentPrinter()
        self.qr_codes = QrPrinter()
        self.credentials = Credentials(self.database)
        self.contact_index = ContactIndex(self._peppers)
        self.idempotency = IdempotencyKeys(self.database, Keyring(master, "idempotency keys"))
        self._wire_payments(generated, master)

        analyser, drafter = _drafting(settings)
        self.commands = Commands(
            tickets=self.tickets,
            donations=self.donations,
            contents=self.contents,
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
        )
        self.refunding = Refunding(self.donations, StripeRefunds(self.gateway))
        self.repairer = Repairer(self.database, Repairs(self.commands, self.refunding))
        self.rebuilds = Rebuilds(url)
        self.worker = Worker(url, self.database, self.commands) if Parts.WORKER in parts else None
        self.admin_key = generated["admin_key"] if generated else None
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
        self.inbox = Inbox(self.database, Keyring(master, "stripe inbox"), self.keys)
        self.dead_letters = DeadLetters(self.database)
        mapper = SealingMapper(self.seals)
        retriever = Retriever(self.gateway.retrieve, livemode=settings.livemode)
        self.fetcher = Fetcher(self.database, self.inbox, retriever)
        self.applier = Applier(
            self.database, self.inbox, mapper, self._hash_email, self._recorded, wanted=self.fetcher.wake
        )
        self.fulfilment = Fulfilment(self.inbox, self.applier, self.fetcher, retriever)
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

    def _inside_url(self) -> str:
        """Where this service reaches itself, whatever strangers call it."""
        host = self.settings.host if self.settings.host not in ("0.0.0.0", "::", "") else "127.0.0.1"  # noqa: S104
        return f"http://{host}:{self.settings.port}"

    # Life.

    def start(self) -> None:
        """Begin to work; the web part begins when its server does."""
        rebuild.ensure_live(self.url, projections.ALL, lambda *_: None)
        if self.admin_key is not None:
            self.credentials.create(Role.ADMIN, key=self.admin_key)
        if self.follower is not None:
            self.follower.start()
        if self.worker is not None:
            self.worker.start()
            self.applier.start()
            self.fetcher.start()
            self.repairer.start()
        if self.sandbox is not None and Parts.WEB in self.parts:
            self.sandbox.start()

    def stop(self) -> None:
        """Finish what was begun, hand back what cannot be, and let go of everything."""
        if self.sandbox is not None:
            self.sandbox.close()
            self._sandbox_database.close()
        if self.worker is not None:
            self.worker.stop()
            self.applier.stop()
            self.fetcher.stop()
            self.repairer.stop()
        if self.follower is not None:
            self.follower.stop()
        self.database.close()

    def _recorded(self, position: int) -> None:
        del position
        if self.follower is not None:
            self.follower.wake()

    def _seen(self, position: int) -> None:
        """Let the read models see a write before it is answered; a fault of theirs only makes the answer later."""
        with suppress(*AWAY):
            if not self.waiter.wait_for(position):
                logger.warning("read models lag behind", position=position)

    # What the edges ask besides commands.

    def page_url(self, slug: str) -> str:
        """The public page of a ticket: printed on paper, so it never changes."""
        return f"{self.public_url}/d/{slug}"

    def _hash_email(self, email: str) -> str:
        return keyed_hash(self._peppers[0], "donor e-mail", email)

    def recorded(self, ticket: UUID, until: int | None = None) -> Iterator[Recorded]:
        """A ticket's whole history as read models get it."""
        for entry in self.log.ticket_events(ticket, until):
            yield Recorded(entry.position, entry.recorded_at, entry.event())

    def ticket_row(self, ticket: UUID) -> Row | None:
        """The ticket's row folded afresh, for when its read model has not come so far yet."""
        return ticket_row(self.recorded(ticket))

    def exported(
        self, ticket: UUID | None, workspace: str | None, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[Row, list[Row]]]:
        """Donations for accounting with what was settled of each, a page of them in memory at a time."""
        after: UUID | None = None
        while True:
            with self.database.transaction() as cursor:
                page = donation_ledger.exported(cursor, after, EXPORT_PAGE, ticket, workspace, since, until)
                settled: dict[UUID, list[Row]] = {row["donation"]: [] for row in page}
                for entry in fee_ledger.entries(cursor, list(settled)):
                    settled[entry["donation"]].append(entry)
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
            key = f"qr/{ticket}.png"
            if not self.storage.exists(key):
                self.storage.put(key, [self.qr_codes.png(url)])

    def projections_standing(self) -> dict[str, dict[str, Any]]:
        """For each read model its position, the history's, and how long the first event it lacks has waited."""
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT p.name, p.position, h.head,"
                " coalesce(extract(epoch FROM now() - (SELECT recorded_at FROM events e"
                "  WHERE e.position = p.position + 1)), 0)::float"
                " FROM projections p, (SELECT coalesce(max(position), 0) AS head FROM events) h"
                " WHERE p.live ORDER BY p.name"
            ).fetchall()
        return {
            name: {"position": position, "head": head, "lagSeconds": round(max(0.0, lag), 3)}
            for name, position, head, lag in rows
        }

    def jobs_standing(self) -> dict[str, int]:
        with self.database.connection() as connection:
            row = connection.execute(
                "SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'),"
                " count(*) FILTER (WHERE status = 'failed') FROM procrastinate_jobs"
            ).fetchone()
        assert row is not None
        return {"waiting": row[0], "running": row[1], "failed": row[2]}


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
