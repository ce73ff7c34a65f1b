"""Holders hear of their first gift, of each week's gifts and of a goal reached: once, by mail or text, as they want."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.mail.subscriptions import News
from adapters.payments import gift_news
from adapters.payments.donor_emails import MAX_AGE_SECONDS
from adapters.payments.gift_news import GiftNews
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType
from entrypoints.composition.service import Service
from tests.fakes.mailbox import files, text_of
from tests.fakes.text_provider import text_files
from tests.money import Ledger
from tests.stripe_events import event

PHONE = Contact(ContactType.PHONE, "+34600123456")
MAIL = Contact(ContactType.EMAIL, "ada@example.com")
# A Wednesday; the week before it began on 20 April.
NOW = datetime(2026, 4, 29, 12, 0, tzinfo=UTC)
MONDAY = datetime(2026, 4, 27, 8, 0, tzinfo=UTC)


class Holder:
    """A ticket whose holder has this contact, with the gifts that come in and the messages about them."""

    def __init__(self, service: Service, contact: Contact) -> None:
        self.service, self.ledger, self.contact = service, Ledger(service), contact
        self.ticket = uuid4()
        index = service.access.contact_index.of(contact)
        new = NewTicket(self.ticket, "public", self.ticket.hex[:12], contact, index, "Ada", self.ticket.hex)
        service.commands.tickets.open(SYSTEM, new)

    @property
    def news(self) -> GiftNews:
        return self.service.jobs.gift_news

    def give(self, minor: int = 5_000, at: float | None = None, currency: str = "usd", settle: bool = True) -> None:
        payment = self.ledger.payment(self.ticket, minor, currency)
        self.ledger.take(payment.completed(int(at or time.time())))
        if settle:
            self.settle()

    def settle(self) -> None:
        self.ledger.follow()
        self.news.run_all()

    def set_goal(self, amount: int) -> None:
        self.service.commands.tickets.edit_draft(SYSTEM, self.ticket, {"goal_amount": amount})

    def note_week(self, now: datetime) -> None:
        self.news.note_week(now)
        self.news.run_all()

    def heard(self) -> list[str]:
        """Return the subjects of the mails, or the text messages."""
        self.service.mail.sender.run_all()
        folder = self.service.settings.outbox
        if self.contact.type is ContactType.PHONE:
            return [text.text for text in text_files(folder, self.contact.value)]
        return [mail["Subject"] for mail in files(folder, self.contact.value)]

    def waiting(self) -> int:
        return self.service.database.rows("SELECT count(*) FROM gift_news")[0][0]


@pytest.fixture(params=[MAIL, PHONE], ids=["mail", "phone"])
def holder(service: Service, request: pytest.FixtureRequest) -> Holder:
    return Holder(service, request.param)


@pytest.fixture
def by_mail(service: Service) -> Holder:
    return Holder(service, MAIL)


def test_the_first_gift_is_told_once(holder: Holder):
    for _ in range(3):
        holder.give()
    [message] = holder.heard()
    assert "TEST: " in message
    assert "first gift has arrived" in message
    if holder.contact is PHONE:
        assert "$50.00 USD. http" in message


def test_a_goal_is_told_once_when_it_is_reached(holder: Holder):
    holder.set_goal(100)
    holder.give()
    assert len(holder.heard()) == 1
    for _ in range(3):
        holder.give()
    assert sorted("reached your goal" in message for message in holder.heard()) == [False, True]


def test_a_mail_says_how_much_came_in_and_leads_to_the_gifts(by_mail: Holder):
    by_mail.set_goal(100)
    by_mail.give(10_000)
    by_mail.heard()
    mails = files(by_mail.service.settings.outbox, MAIL.value)
    first, goal = sorted(mails, key=lambda mail: "goal" in mail["Subject"])
    page = f"{by_mail.service.public_url}/t/{by_mail.ticket}/manage"
    assert "$100.00\xa0USD" in text_of(first)
    assert "Your goal was $100.00\xa0USD" in text_of(goal)
    for mail in (first, goal):
        assert page in text_of(mail)
        assert mail["List-Unsubscribe"] is not None


def test_the_gifts_of_a_week_are_told_once_for_each_week_and_ticket(holder: Holder):
    for day in (20, 22, 26):
        holder.give(at=datetime(2026, 4, day, 23, 59, tzinfo=UTC).timestamp())
    # Of the next week.
    holder.give(at=datetime(2026, 4, 27, 0, 0, tzinfo=UTC).timestamp())
    assert holder.heard() == []
    for _ in range(3):
        holder.note_week(NOW)
    [message] = holder.heard()
    if holder.contact is PHONE:
        assert "Last week 3 gifts came in: $150.00 USD. In all: $200.00 USD." in message
    else:
        assert message == "TEST: 3 gifts came in last week"
    holder.note_week(NOW + timedelta(days=7))
    assert len(holder.heard()) == 2


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (MONDAY - timedelta(seconds=1), False),
        (MONDAY, True),
        (MONDAY + timedelta(hours=63, minutes=59), True),
        (MONDAY + timedelta(hours=64), False),
    ],
)
def test_a_week_is_told_from_monday_morning_for_three_days(by_mail: Holder, now: datetime, told: bool):
    by_mail.give(at=datetime(2026, 4, 22, tzinfo=UTC).timestamp())
    by_mail.note_week(now)
    assert bool(by_mail.heard()) is told


def test_a_gift_that_was_refunded_is_not_told_with_its_week(by_mail: Holder):
    at = int(datetime(2026, 4, 22, tzinfo=UTC).timestamp())
    payment = by_mail.ledger.payment(by_mail.ticket, 5_000)
    refund = event("refund.updated", payment.refund(5_000, "succeeded", 1, created=at), at)
    by_mail.ledger.take(payment.completed(at), payment.charged(at), refund)
    by_mail.note_week(NOW)
    assert by_mail.heard() == []


def test_amounts_in_several_currencies_are_told_apart(service: Service):
    holder = Holder(service, PHONE)
    for currency in ("usd", "eur"):
        holder.give(at=datetime(2026, 4, 22, tzinfo=UTC).timestamp(), currency=currency)
    holder.note_week(NOW)
    assert "Last week 2 gifts came in: €50.00 EUR, $50.00 USD." in holder.heard()[0]


def test_a_crash_before_the_commit_loses_nothing_and_repeats_nothing(by_mail: Holder, monkeypatch: pytest.MonkeyPatch):
    class Killed(BaseException):
        """The end of the process."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    by_mail.give(at=datetime(2026, 4, 22, tzinfo=UTC).timestamp(), settle=False)
    by_mail.news.note_week(NOW)
    by_mail.ledger.follow()
    with monkeypatch.context() as patch:
        # The message is queued, and the transaction with it is not committed.
        queue = by_mail.service.mail.outbox.queue
        patch.setitem(vars(by_mail.service.mail.outbox), "queue", lambda *given: (queue(*given), killed()))
        with pytest.raises(Killed):
            by_mail.news.run_all()
    assert by_mail.heard() == []
    by_mail.news.run_all()
    by_mail.note_week(NOW)
    assert by_mail.heard() == ["TEST: A gift came in last week"]
    assert by_mail.waiting() == 0


def test_news_wait_until_the_ledger_has_the_gift(by_mail: Holder, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr(by_mail.ledger, "follow", lambda: None)
        by_mail.give(settle=False)
        by_mail.news.run_all()
        assert by_mail.waiting() == 1
    by_mail.settle()
    assert by_mail.waiting() == 0
    assert len(by_mail.heard()) == 1


def test_an_old_gift_is_no_news(by_mail: Holder, monkeypatch: pytest.MonkeyPatch):
    # As after a reconciliation that finds payments of last month.
    by_mail.give(at=time.time() - MAX_AGE_SECONDS - 60)
    assert (by_mail.waiting(), by_mail.heard()) == (0, [])
    # The ticket had gifts before holders heard of them.
    monkeypatch.setattr(gift_news, "FRESH", timedelta(0))
    by_mail.give()
    assert by_mail.heard() == []


def test_a_person_gets_no_news_that_they_do_not_want(holder: Holder):
    holder.service.mail.subscriptions.choose(holder.contact.value, {News.GOAL})
    holder.set_goal(100)
    holder.give(10_000)
    [message] = holder.heard()
    assert "reached your goal" in message


def test_nobody_hears_of_gifts_for_an_erased_or_suspended_page(service: Service):
    erased, suspended = Holder(service, MAIL), Holder(service, Contact(ContactType.EMAIL, "grace@example.com"))
    erased.give(settle=False)
    suspended.give(settle=False)
    service.commands.tickets.erase(SYSTEM, erased.ticket)
    service.commands.tickets.suspend(SYSTEM, suspended.ticket, "A question.")
    suspended.settle()
    assert erased.heard() == []
    assert [subject for subject in suspended.heard() if "gift" in subject] == []
    assert erased.waiting() == 0


def test_news_that_cannot_be_sent_do_not_stop_the_others(service: Service, monkeypatch: pytest.MonkeyPatch):
    broken, other = Holder(service, MAIL), Holder(service, Contact(ContactType.EMAIL, "grace@example.com"))
    get = service.aggregates.tickets.store.get

    def get_or_break(ticket_id: UUID) -> Any:
        if ticket_id == broken.ticket:
            raise ValueError
        return get(ticket_id)

    monkeypatch.setattr(service.aggregates.tickets.store, "get", get_or_break)
    broken.give(settle=False)
    other.give()
    assert broken.waiting() == 0
    assert len(other.heard()) == 1


def test_many_gifts_use_up_no_mails_of_an_address(by_mail: Holder):
    by_mail.set_goal(10)
    for _ in range(4):
        by_mail.give()
    assert by_mail.service.database.rows("SELECT count(*) FROM unverified_mails") == [(2,)]


def test_the_outbox_has_no_number_and_no_amount_in_clear(service: Service):
    holder = Holder(service, PHONE)
    holder.give()
    rows = service.database.rows("SELECT outbox::text FROM outbox UNION ALL SELECT gift_news::text FROM gift_news")
    assert rows
    assert not any("34600123456" in row or "50.00" in row for (row,) in rows)
