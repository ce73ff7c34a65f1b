"""A mail is sent once if and only if its event is committed, and its content is deleted afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.mail import sender as sending
from adapters.mail.dead_mails import DeadMails
from adapters.mail.letterhead import Letterhead
from adapters.mail.outbox import Outbox
from adapters.mail.sender import MailSender
from adapters.mail.subscriptions import Subscriptions
from adapters.mail.transports import FileTransport, SmtpTransport
from adapters.postgres.background import DueWork
from adapters.postgres.database import Database
from domain.errors import InvalidError, NotFoundError, RefusedError, UnavailableError
from domain.ports import Mail
from tests.client import eventually
from tests.fakes.mailbox import files, smtp_server

MASTER = ("m" * 40,)
FROM = "Storyledger <hello@storyledger.example>"


class Killed(BaseException):
    """The end of the process."""


class FlakyPost:
    """Keeps messages in memory, or raises the next of its faults. `killed` ends the process after a delivery."""

    def __init__(self) -> None:
        self.delivered: list[EmailMessage] = []
        self.recalled: list[str] = []
        self.fault: Exception | None = None
        self.killed = False

    def deliver(self, message: EmailMessage) -> None:
        if self.fault is not None:
            raise self.fault
        self.delivered.append(message)
        if self.killed:
            raise Killed

    def recall(self, message_id: str) -> None:
        self.recalled.append(message_id)


class Office:
    """An outbox with its sender, and the tables behind them."""

    def __init__(self, database: Database, post: Any) -> None:
        self.database, self.post = database, post
        self.keys = TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))
        subscriptions = Subscriptions(database, ("p" * 40,), "https://storyledger.example")
        self.outbox = Outbox(Keyring(MASTER, "outbox"), FieldCipher(self.keys), post, Letterhead(FROM), subscriptions)
        self.sender = MailSender(database, self.outbox, post)

    def queue(self, key: str = "k-1", ticket: UUID | None = None, to: str = "ada@example.com", **values: str) -> None:
        if ticket is not None:
            self.keys.get(ticket, create=True)
        with self.database.transaction() as cursor:
            self.outbox.queue(cursor.connection, mail(key, ticket, to, **values))

    def rows(self, columns: str = "state, attempts, sealed = '', error") -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(f"SELECT {columns} FROM outbox ORDER BY created_at".encode()).fetchall()

    def all_due(self) -> None:
        with self.database.connection() as connection:
            connection.execute("UPDATE outbox SET next_attempt_at = now()")


def mail(
    key: str = "k-1", ticket: UUID | None = None, to: str = "ada@example.com", kind: str = "access_code", **values: str
) -> Mail:
    required_values = (
        {"code": "123456", "expires": "soon", "link": "https://s.example/l"} if kind == "access_code" else {}
    )
    return Mail(kind, to, required_values | values, key, ticket)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database, FlakyPost())


# Queueing.


def test_a_mail_is_sent_only_after_its_event_is_committed(office: Office):
    with office.database.connection() as connection, connection.transaction():
        office.outbox.queue(connection, mail())
        assert not office.sender.send_one()
    office.sender.run_all()
    assert [message["To"] for message in office.post.delivered] == ["ada@example.com"]


def test_a_mail_of_a_rolled_back_event_is_never_sent(office: Office):
    def fail_after_queueing() -> None:
        with office.database.transaction() as cursor:
            office.outbox.queue(cursor.connection, mail())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_queueing()
    office.sender.run_all()
    assert office.post.delivered == []
    assert office.rows() == []


@pytest.mark.parametrize("is_sent_before", [False, True])
def test_a_key_is_used_for_one_mail_only(office: Office, is_sent_before: bool):
    office.queue("k-1", code="first")
    if is_sent_before:
        office.sender.run_all()
    office.queue("k-1", code="second")
    office.queue("k-2", code="third")
    office.sender.run_all()
    assert [message["Subject"].split()[0] for message in office.post.delivered] == ["first", "third"]


def test_an_invalid_mail_is_refused_when_it_is_queued(office: Office):
    for bad in (mail(to="nobody"), mail(""), mail("k" * 300), mail(code="x" * 3_000)):
        with pytest.raises(InvalidError), office.database.transaction() as cursor:
            office.outbox.queue(cursor.connection, bad)
    assert office.rows() == []


# Encryption and erasure.


@pytest.mark.parametrize("ticket", [None, uuid4()], ids=["of nobody", "of a ticket"])
def test_address_and_text_are_encrypted_until_the_mail_is_sent_and_deleted_then(office: Office, ticket: UUID | None):
    office.queue(ticket=ticket, to="canary@example.com", code="canary-code")
    [(row, sealed)] = office.rows("outbox::text, sealed")
    assert "canary" not in row
    assert b"canary" not in sealed
    office.sender.run_all()
    assert office.rows() == [("sent", 1, True, None)]
    assert office.post.delivered[0]["Subject"].startswith("canary-code")


def test_no_mail_is_sent_to_an_erased_person(office: Office):
    ticket = uuid4()
    office.queue("k-1", ticket)
    office.keys.destroy(ticket)
    with office.database.transaction() as cursor:
        office.outbox.queue(cursor.connection, mail("k-2", ticket))
    office.sender.run_all()
    assert office.post.delivered == []
    assert office.rows() == []


def test_an_erasure_deletes_the_mails_in_the_outbox_folder_too(database: Database, tmp_path: Path):
    office = Office(database, FileTransport(tmp_path))
    erased_ticket, other = uuid4(), uuid4()
    office.queue("sent", erased_ticket)
    office.queue("of another", other)
    office.sender.run_all()
    office.queue("waiting", erased_ticket)
    assert len(files(tmp_path)) == 2
    with database.transaction() as cursor:
        office.outbox.erase(cursor.connection, erased_ticket)
    office.sender.run_all()
    assert len(files(tmp_path)) == 1
    assert office.rows("key") == [("of another",)]


def test_a_mail_erased_while_it_is_being_sent_is_recalled(database: Database):
    ticket = uuid4()

    class Slow(FlakyPost):
        def deliver(self, message: EmailMessage) -> None:
            with database.transaction() as cursor:
                office.outbox.erase(cursor.connection, ticket)
            super().deliver(message)

    office = Office(database, Slow())
    office.queue(ticket=ticket)
    office.sender.run_all()
    assert office.post.recalled[-1] == office.post.delivered[0]["Message-ID"]


# Crashes, retries, dead letters.


def test_a_mail_sent_just_before_a_crash_is_sent_again_with_the_same_message_id(office: Office):
    office.queue()
    office.post.killed = True
    with pytest.raises(Killed):
        office.sender.send_one()
    office.post.killed = False
    assert not office.sender.send_one(), "the lease keeps others from it"
    office.all_due()
    office.sender.run_all()
    first, repeated = office.post.delivered
    assert first["Message-ID"] == repeated["Message-ID"]
    assert first.as_bytes() == repeated.as_bytes()
    assert office.rows() == [("sent", 2, True, None)]


def test_a_failed_mail_is_tried_again_with_growing_pauses(office: Office):
    office.queue()
    office.post.fault = UnavailableError("SMTP connection: TimeoutError")
    for seconds in (2, 4, 8, 16, 32, 64):
        [(before,)] = office.rows("clock_timestamp()")
        assert office.sender.send_one()
        [(due, after)] = office.rows("next_attempt_at, clock_timestamp()")
        assert before <= due - timedelta(seconds=seconds) <= after
        office.all_due()
    assert office.rows() == [("waiting", 6, False, "SMTP connection: TimeoutError")]
    office.post.fault = None
    office.sender.run_all()
    assert len(office.post.delivered) == 1


def test_a_mail_that_fails_for_days_is_dead_and_has_no_content(office: Office):
    office.queue()
    office.post.fault = UnavailableError("away")
    with office.database.connection() as connection:
        connection.execute("UPDATE outbox SET attempts = %s", (sending.MAX_ATTEMPTS - 1,))
    office.sender.run_all()
    assert office.rows() == [("dead", sending.MAX_ATTEMPTS, True, "away")]
    office.all_due()
    office.post.fault = None
    office.sender.run_all()
    assert office.post.delivered == []
    hours = sum(min(3600, 2 * 2**n) for n in range(sending.MAX_ATTEMPTS - 1)) / 3600
    assert 40 < hours < 60


def test_a_permanently_refused_mail_is_dead_at_once_and_delays_no_other(office: Office):
    office.queue("k-1")
    office.post.fault = RefusedError("SMTP recipient: 550")
    office.sender.run_all()
    office.post.fault = None
    office.queue("k-2")
    office.sender.run_all()
    assert office.rows() == [("dead", 1, True, "SMTP recipient: 550"), ("sent", 1, True, None)]


def test_a_dead_mail_can_be_retried_unless_its_kind_has_expired(office: Office):
    ticket, dead = uuid4(), DeadMails(office.database, office.outbox)
    office.queue("k-1", ticket, kind="contact_changed", changed="today", home="https://here")
    office.queue("k-2")
    office.post.fault = RefusedError("SMTP sender: 550")
    office.sender.run_all()
    retryable_mail, expired_mail = dead.list(10)
    assert (retryable_mail.kind, retryable_mail.ticket_id) == ("contact_changed", ticket)
    assert (retryable_mail.attempts, retryable_mail.error) == (1, "SMTP sender: 550")
    assert (retryable_mail.retryable, expired_mail.kind, expired_mail.retryable) == (True, "access_code", False)
    assert dead.list(1) == [retryable_mail]
    assert dead.list(1, (retryable_mail.created_at, retryable_mail.id)) == [expired_mail]
    office.post.fault = None
    dead.retry(retryable_mail.id)
    with pytest.raises(RefusedError):
        dead.retry(expired_mail.id)
    office.sender.run_all()
    [message] = office.post.delivered
    assert message["To"] == "ada@example.com"
    assert office.rows("state, sealed = ''") == [("sent", True), ("dead", True)]
    for id in (retryable_mail.id, uuid4()):
        with pytest.raises(NotFoundError):
            dead.retry(id)


def test_a_dead_mail_is_deleted_with_its_ticket_and_after_some_time(office: Office):
    erased_ticket, other_ticket, dead = uuid4(), uuid4(), DeadMails(office.database, office.outbox)
    for ticket in (erased_ticket, other_ticket):
        office.queue(str(ticket), ticket, kind="contact_changed", changed="today", home="https://here")
    office.post.fault = RefusedError("550")
    office.sender.run_all()
    with office.database.connection() as connection:
        office.outbox.erase(connection, erased_ticket)
    [remaining] = dead.list(10)
    assert remaining.ticket_id == other_ticket
    dead.purge()
    assert dead.list(10) == [remaining]
    with office.database.connection() as connection:
        connection.execute("UPDATE outbox SET next_attempt_at = now() - interval '31 days'")
    dead.purge()
    assert office.rows() == []


def test_a_mail_that_crashes_its_sender_each_time_is_given_up(office: Office):
    office.queue()
    with office.database.connection() as connection:
        connection.execute("UPDATE outbox SET attempts = %s", (sending.MAX_ATTEMPTS,))
    office.sender.run_all()
    assert office.post.delivered == []
    assert office.rows("state, sealed = ''") == [("dead", True)]


def test_a_mail_that_cannot_be_decrypted_is_reported_without_its_content(office: Office):
    office.queue()
    with office.database.connection() as connection:
        connection.execute("UPDATE outbox SET sealed = sealed || '\\x00'::bytea")
    assert office.sender.send_one()
    assert office.rows() == [("waiting", 1, False, "DecryptionError")]


# Concurrent senders, and a sender in a service.


def test_many_senders_send_each_mail_once(office: Office):
    for number in range(40):
        office.queue(f"k-{number}")
    senders = [threading.Thread(target=office.sender.run_all) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len({message["Message-ID"] for message in office.post.delivered}) == len(office.post.delivered) == 40


@pytest.fixture
def started(database: Database) -> Iterator[Office]:
    with smtp_server() as mailbox:
        office = Office(database, SmtpTransport(mailbox.url, FROM))
        office.mailbox = mailbox  # type: ignore[attr-defined]
        due_work = DueWork(database, [office.sender])
        due_work.start()
        yield office
        due_work.stop()


def test_a_started_sender_sends_new_mails_and_survives_failures(started: Any):
    started.mailbox.data = "451 later"
    started.queue("k-1")
    eventually(lambda: started.rows("attempts") > [(0,)])
    started.mailbox.data = "250 OK"
    started.queue("k-2")
    eventually(lambda: len(started.mailbox.messages) == 2)
    eventually(lambda: started.rows("state") == [("sent",), ("sent",)])
