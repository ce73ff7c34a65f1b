"""A text message waits sealed in the outbox of the mails, is limited, and is sent once; STOP is remembered."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.contacts import ContactIndex
from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.mail.letterhead import Letterhead
from adapters.mail.outbox import Outbox
from adapters.mail.sender import MailSender
from adapters.mail.subscriptions import NEWS_OF_HOLDERS, News, Subscriptions
from adapters.mail.transports import NoTransport
from adapters.postgres.database import Database
from adapters.texts.limits import (
    MAX_OF_ASKER_TO_NUMBER,
    MAX_TO_VERIFIED,
    PAUSE_HOURS,
    RESERVED_FOR_CODES,
    TextLimits,
    TextQuota,
)
from domain.errors import InvalidError, OptedOutError, RefusedError, UnavailableError
from domain.ports import TextMessage
from domain.values import Contact, ContactType
from tests.fakes.text_provider import MemoryTexts

MASTER, PEPPERS = ("m" * 40,), ("p" * 40,)
NUMBER = "+34600123456"


class Office:
    """An outbox for text messages with its sender, and the tables behind them."""

    def __init__(self, database: Database, quota: TextQuota | None = None, *, off: bool = False) -> None:
        self.database, self.texts = database, MemoryTexts()
        self.keys = TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))
        self.index = ContactIndex(PEPPERS)
        self.limits = TextLimits(database, self.index, quota or TextQuota())
        self.subscriptions = Subscriptions(database, PEPPERS, "https://storyledger.example")
        texts = None if off else self.texts
        self.outbox = Outbox(
            Keyring(MASTER, "outbox"),
            FieldCipher(self.keys),
            NoTransport(),
            Letterhead("us@storyledger.example", operator="Aid"),
            self.subscriptions,
            texts,
            self.limits,
        )
        self.sender = MailSender(database, self.outbox, NoTransport(), texts)

    def queue(
        self,
        number: str = NUMBER,
        key: str | None = None,
        kind: str = "draft_ready",
        ticket: UUID | None = None,
        asker: str | None = None,
    ) -> bool:
        if ticket is not None:
            self.keys.get(ticket, create=True)
        values = {"page": "https://s.example/t/1", "code": "1234 5678"}
        with self.database.transaction() as cursor:
            message = TextMessage(kind, number, values, key or uuid4().hex, ticket)
            return self.outbox.queue(cursor.connection, message, asker)

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        with self.database.connection() as connection:
            return connection.execute(f"SELECT {columns} FROM outbox ORDER BY created_at".encode()).fetchall()

    def do(self, statement: str, *values: object) -> None:
        self.database.execute(statement, values)

    def sent(self) -> list[str]:
        self.sender.run_all()
        return [message.text for message in self.texts.received]


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def test_a_text_is_sent_once_for_each_key_with_the_name_of_the_operator(office: Office):
    assert [office.queue(key="a"), office.queue(key="a"), office.queue(key="b")] == [True] * 3
    assert office.sent() == ["Storyledger (Aid): Your page is ready to read. https://s.example/t/1"
                             " Answer STOP for no more messages."] * 2  # fmt: skip
    assert office.rows("state, channel, sealed = ''") == [("sent", "text", True)] * 2


@pytest.mark.parametrize("ticket", [None, uuid4()], ids=["of nobody", "of a ticket"])
def test_number_and_text_are_encrypted_until_the_text_is_sent(office: Office, ticket: UUID | None):
    office.queue(ticket=ticket)
    [(row, sealed)] = office.rows("outbox::text, sealed")
    assert NUMBER.removeprefix("+") not in row
    assert NUMBER.encode() not in sealed
    with office.database.connection() as connection:
        [(counted,)] = connection.execute("SELECT counted_texts::text FROM counted_texts").fetchall()
    assert NUMBER.removeprefix("+") not in counted


def test_an_erasure_deletes_waiting_texts_and_recalls_sent_ones(office: Office):
    ticket = uuid4()
    office.queue(ticket=ticket)
    assert len(office.sent()) == 1
    office.queue(ticket=ticket)
    with office.database.connection() as connection:
        office.outbox.erase(connection, ticket)
    assert office.sent() == []
    assert office.rows("id") == []


def test_where_no_texts_are_sent_none_is_queued(database: Database):
    office = Office(database, off=True)
    assert not office.queue()
    assert office.rows("id") == []


def test_a_number_that_is_none_is_refused(office: Office):
    with pytest.raises(InvalidError):
        office.queue("nobody")


def test_an_unavailable_provider_is_tried_again_and_a_final_refusal_is_not(office: Office):
    office.queue(key="a")
    office.texts.fault = UnavailableError("text provider: 503")
    office.sender.send_one()
    assert office.rows("state, attempts, error") == [("waiting", 1, "text provider: 503")]
    office.texts.fault = RefusedError("text provider: 400, code 21211")
    office.do("UPDATE outbox SET next_attempt_at = now()")
    office.sender.send_one()
    assert office.rows("state, error") == [("dead", "text provider: 400, code 21211")]


def test_a_person_who_answered_stop_gets_codes_alone_until_they_choose_otherwise(office: Office):
    office.queue()
    office.texts.fault = OptedOutError("text provider: 400, code 21610")
    assert office.sent() == []
    office.texts.fault = None
    assert office.rows("id") == []
    assert not office.queue()
    assert office.queue(kind="contact_code")
    assert len(office.sent()) == 1
    office.subscriptions.choose(NUMBER, {News.DRAFT})
    assert office.queue()
    assert list(office.subscriptions.unwanted(NUMBER)) == [news for news in NEWS_OF_HOLDERS if news is not News.DRAFT]


def test_a_code_that_has_expired_is_not_sent(office: Office):
    office.queue(kind="contact_code")
    office.do("UPDATE outbox SET created_at = now() - interval '11 minutes'")
    assert office.sent() == []
    assert office.rows("state, sealed = ''") == [("dead", True)]


# Limits.


def count_queued(office: Office, times: int, number: str = NUMBER, **more: Any) -> int:
    return sum(office.queue(number, **more) for _ in range(times))


def test_a_number_that_nobody_verified_gets_few_texts_and_one_more_after_a_pause(database: Database):
    office = Office(database, TextQuota(to_number=4))
    assert count_queued(office, 6, kind="contact_code") == 4
    office.do("UPDATE counted_texts SET created_at = created_at - make_interval(hours => %s)", PAUSE_HOURS)
    assert count_queued(office, 2, kind="contact_code") == 1
    office.do("UPDATE counted_texts SET created_at = created_at - interval '1 day'")
    assert count_queued(office, 6, kind="contact_code") == 4


def test_news_leave_room_for_the_codes_without_which_nobody_comes_in(database: Database):
    office = Office(database, TextQuota(to_number=5))
    assert count_queued(office, 6) == 5 - RESERVED_FOR_CODES
    assert count_queued(office, 6, kind="contact_code") == RESERVED_FOR_CODES


def test_one_asker_causes_few_texts(database: Database):
    office = Office(database, TextQuota(of_asker=5))
    assert count_queued(office, 5, asker="a") == MAX_OF_ASKER_TO_NUMBER
    numbers = [f"+3460012340{digit}" for digit in range(5)]
    assert sum(office.queue(number, asker="a") for number in numbers) == 5 - MAX_OF_ASKER_TO_NUMBER
    assert office.queue("+34600123499", asker="b")


def test_a_verified_number_has_a_limit_of_its_own(office: Office):
    hashed = office.index.of(Contact(ContactType.PHONE, NUMBER))
    office.do("INSERT INTO contact_hashes (owner_id, hash, verified_at) VALUES (%s, %s, now())", uuid4(), hashed)
    assert count_queued(office, MAX_TO_VERIFIED + 2, asker="a") == MAX_TO_VERIFIED


def test_the_whole_service_sends_at_most_so_many_texts_in_a_day(database: Database):
    office = Office(database, TextQuota(in_all=3))
    assert sum(office.queue(f"+3460012340{digit}") for digit in range(6)) == 3
    office.do("UPDATE counted_texts SET created_at = created_at - interval '25 hours'")
    office.limits.purge()
    assert office.queue()
    with database.connection() as connection:
        assert connection.execute("SELECT count(*) FROM counted_texts").fetchone() == (1,)


def test_a_key_that_is_queued_again_is_counted_once(database: Database):
    office = Office(database, TextQuota(in_all=1))
    assert [office.queue(key="a"), office.queue(key="a"), office.queue(key="b")] == [True, True, False]


@pytest.mark.parametrize(
    ("number", "reached"),
    [
        ("+34600123456", True),
        ("+525512345678", True),
        ("+33612345678", False),
        # Premium and shared cost in Spain.
        ("+34803123456", False),
        ("+34901123456", False),
    ],
)
def test_only_allowed_countries_and_no_premium_numbers_get_texts(database: Database, number: str, reached: bool):
    assert Office(database, TextQuota(countries=("+34", "+52"))).queue(number) is reached
