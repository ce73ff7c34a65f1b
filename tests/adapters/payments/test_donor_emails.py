"""Donors who left an address get a mail about each payment and refund, once and soon or never."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.message import EmailMessage
from itertools import permutations
from typing import Any

import pytest

from adapters.payments import donor_emails
from adapters.payments.inbox import as_event
from domain.values import SYSTEM
from entrypoints.composition.service import Service
from tests.fakes.mailbox import files, text_of
from tests.money import Ledger
from tests.stripe_events import Payment, event

DAY = 86_400


class Donor:
    """One donation to a published campaign, made now, and the mails about it."""

    def __init__(self, service: Service, **details: Any) -> None:
        self.service, self.ledger = service, Ledger(service)
        self.now = int(time.time())
        self.payment = self.ledger.payment(amount=5_000)
        self.payment.details |= details

    @property
    def completed(self) -> dict[str, Any]:
        return self.payment.completed(self.now)

    @property
    def charged(self) -> dict[str, Any]:
        return self.payment.charged(self.now)

    @property
    def succeeded(self) -> dict[str, Any]:
        return self.payment.succeeded(self.now)

    def refunded(self, amount: int = 2_000, status: str = "succeeded", number: int = 1) -> dict[str, Any]:
        refund = self.payment.refund(amount, status, number, created=self.now)
        return event("refund.updated", refund, self.now)

    def take(self, *events: dict[str, Any]) -> None:
        self.ledger.take(*events)
        self.service.payments.donor_emails.run_all()
        self.service.mail.sender.run_all()

    @property
    def mails(self) -> list[EmailMessage]:
        return files(self.service.settings.outbox)

    @property
    def subjects(self) -> list[str]:
        return sorted(mail["Subject"] for mail in self.mails)

    def notices(self) -> dict[str, str]:
        with self.service.database.connection() as connection:
            rows = connection.execute("SELECT key, state FROM donor_emails").fetchall()
        return {key.split(":")[0]: state for key, state in rows}


RECEIPT = "TEST: Thank you for your gift of $50.00\xa0USD"
REFUND = "TEST: Your refund of $20.00\xa0USD"


@pytest.fixture
def donor(service: Service) -> Donor:
    return Donor(service)


def test_a_donor_who_left_an_address_gets_a_receipt_with_thanks(donor: Donor):
    ticket = donor.payment.ticket_id
    draft = {"title": "A roof for Ada", "beneficiary": "Ada", "goal_amount": 100, "category": "OTHER", "story": "Rain."}
    donor.service.commands.tickets.edit_draft(SYSTEM, ticket, draft)
    donor.take(donor.completed)
    [mail] = donor.mails
    assert mail["To"] == "grace@example.com"
    assert mail["Subject"] == RECEIPT
    text = text_of(mail)
    for words in ("no money was paid", "$50.00\xa0USD", "Hopper", "A roof for Ada", str(donor.payment.donation_id)):
        assert words in text
    assert "tax" not in text
    assert mail["List-Unsubscribe"] is None


SHELTER = {
    "legal_name": "Shelter at the river e.V.",
    "address": "Uferweg 3\n50667 Köln",
    "registration_number": "VR 12345",
    "tax_wording": "No goods or services were provided.",
    "reply_to": "office@shelter.example",
}


def test_a_receipt_of_an_organisation_has_a_number_and_comes_from_it(donor: Donor):
    donor.service.commands.workspaces.change_settings(SYSTEM, "public", {"organisation": SHELTER})
    donor.take(donor.completed, donor.refunded())
    receipt, refund = sorted(donor.mails, key=lambda mail: mail["Subject"])
    assert (receipt["Subject"], refund["Subject"]) == (RECEIPT, REFUND)
    assert receipt["Reply-To"] == refund["Reply-To"] == "office@shelter.example"
    for part in ("plain", "html"):
        body = receipt.get_body((part,))
        assert body is not None
        text = body.get_content()
        for words in ("-00001", "Uferweg 3, 50667 Köln", "VR 12345", "No goods or services were provided."):
            assert words in text
        assert "This mail comes from Shelter at the river e.V." in text
    assert "This mail comes from Shelter at the river e.V." in text_of(refund)
    assert "Receipt number" not in text_of(refund)


def test_the_receipts_of_a_workspace_are_numbered_one_after_the_other(service: Service):
    service.commands.workspaces.change_settings(SYSTEM, "public", {"organisation": SHELTER})
    donors = [Donor(service, email=f"{number}@example.com") for number in range(3)]
    for donor in donors:
        donor.ledger.take(donor.completed)
    service.payments.donor_emails.run_all()
    rows = service.database.rows("SELECT number FROM receipt_numbers WHERE workspace = 'public' ORDER BY number")
    assert rows == [(1,), (2,), (3,)]


def test_a_receipt_names_nobody_on_whom_nobody_has_decided(donor: Donor):
    ticket = donor.payment.ticket_id
    draft = {"title": "Help my neighbor John Smith", "story": "The roof fell in."}
    donor.service.commands.tickets.edit_draft(SYSTEM, ticket, draft)
    donor.take(donor.completed)
    [mail] = donor.mails
    assert "John Smith" not in text_of(mail)


def test_only_a_live_key_sends_mails_without_the_test_notice(make_service: Callable[..., Service]):
    service = make_service(stripe_secret_key="sk_" + "live_" + "x" * 24)
    assert service.payments.donor_emails._livemode is True
    assert make_service(stripe_secret_key="sk_" + "test_" + "x" * 24).payments.donor_emails._livemode is False


def test_each_mail_is_sent_once_whatever_the_order_and_repetitions_of_events(service: Service):
    donors, deliveries = {}, []
    for number, order in enumerate(permutations(range(4))):
        donors[order] = donor = Donor(service, email=f"{number}@example.com")
        events = [donor.completed, donor.charged, donor.succeeded, donor.refunded()]
        deliveries.append([events[index] for index in order])
    for simultaneous in zip(*deliveries, strict=True):
        donor.take(*simultaneous)
    for repeating in donors.values():
        repeating.ledger.deliver(repeating.completed, repeating.charged, repeating.refunded(), repeating.refunded())
    donor.take()
    for order, donor in donors.items():
        mails = files(service.settings.outbox, donor.payment.details["email"])
        assert sorted(mail["Subject"] for mail in mails) == [RECEIPT, REFUND], order


def test_a_donor_without_an_address_gets_no_mail_and_no_row(service: Service):
    donor = Donor(service, email=None)
    donor.take(donor.completed, donor.refunded())
    assert (donor.mails, donor.notices()) == ([], {})


@pytest.mark.parametrize(
    "address", ["nowhere", "a@b", "Ada <ada@example.com>", "a@example.com, b@example.com", "@", "x" * 900]
)
def test_an_invalid_address_gets_no_mail_and_delays_no_other_mail(service: Service, address: str):
    unreachable, reachable = Donor(service, email=address), Donor(service)
    unreachable.ledger.deliver(unreachable.completed)
    reachable.take(reachable.completed)
    assert [mail["To"] for mail in reachable.mails] == ["grace@example.com"]
    assert sorted(reachable.ledger.inbox().values()) == ["applied", "applied"]


def test_an_old_donation_gets_no_receipt_but_a_mail_about_its_refund(donor: Donor):
    donor.take(donor.payment.completed(donor.now - 8 * DAY))
    assert donor.mails == []
    # A later report about an old payment does not make the payment newer.
    donor.take(donor.charged)
    assert donor.mails == []
    donor.take(donor.refunded())
    assert donor.subjects == [REFUND]


def test_an_old_refund_that_is_reported_late_causes_no_mail(donor: Donor):
    donor.take(donor.completed)
    old = donor.payment.refund(2_000, created=donor.now - 8 * DAY)
    donor.take(event("refund.updated", old, donor.now - 8 * DAY))
    assert donor.subjects == [RECEIPT]


def test_every_refund_causes_a_mail_once_it_succeeded(donor: Donor):
    donor.take(donor.completed, donor.refunded(status="pending"))
    assert donor.subjects == [RECEIPT]
    donor.take(donor.refunded(), donor.refunded(1_000, number=2))
    assert donor.subjects == [RECEIPT, "TEST: Your refund of $10.00\xa0USD", REFUND]


def test_a_refund_that_failed_before_its_mail_was_written_causes_no_mail(donor: Donor):
    donor.ledger.take(donor.completed, donor.refunded())
    donor.take(donor.refunded(status="failed"))
    assert donor.subjects == [RECEIPT]
    assert donor.notices() == {"receipt": "written", "refund": "dropped"}


def test_no_mail_is_written_once_the_ticket_is_erased(donor: Donor):
    donor.ledger.take(donor.completed)
    donor.service.commands.tickets.erase(SYSTEM, donor.payment.ticket_id)
    donor.take(donor.refunded())
    assert donor.mails == []
    assert set(donor.notices().values()) == {"dropped"}


def test_a_mail_that_waits_when_the_ticket_is_erased_is_never_sent(donor: Donor):
    donor.ledger.take(donor.completed)
    donor.service.payments.donor_emails.run_all()
    donor.service.commands.tickets.erase(SYSTEM, donor.payment.ticket_id)
    donor.take()
    assert donor.mails == []


def test_the_address_is_stored_nowhere_in_plain_text(donor: Donor):
    donor.ledger.take(donor.completed)
    donor.service.payments.donor_emails.run_all()
    with donor.service.database.connection() as connection:
        for table in ("donor_emails", "outbox", "stripe_inbox"):
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t".encode()):
                assert "grace" not in row.lower()
                assert b"grace".hex() not in row.lower()


def test_a_retried_dead_letter_causes_no_second_mail(donor: Donor):
    donor.take(donor.completed)
    with donor.service.database.connection() as connection:
        connection.execute("UPDATE stripe_inbox SET state = 'dead'")
    donor.service.payments.dead_letters.retry()
    donor.take()
    assert donor.subjects == [RECEIPT]


def test_an_address_that_only_a_retrieved_object_contains_gets_the_mail(donor: Donor):
    checkout_session = donor.payment.session(created=donor.now)
    donor.service.payments.inbox.accept_retrieved(checkout_session, donor.now)
    assert as_event("x", checkout_session, donor.now)["data"] == {"object": checkout_session}
    donor.take()
    assert donor.subjects == [RECEIPT]


def test_a_crash_between_any_two_steps_gives_one_mail(donor: Donor, monkeypatch: pytest.MonkeyPatch):
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    donor.ledger.deliver(donor.completed)
    for place, name, act in (
        (donor.service.payments.inbox, "open_body", donor.ledger.settle),
        (donor.service.mail.outbox, "queue", donor.service.payments.donor_emails.run_all),
        (donor.service.mail.sender, "_record_sent", donor.service.mail.sender.run_all),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(vars(place), name, killed)
            try:
                act()
            except Killed:
                with donor.service.database.connection() as connection:
                    connection.execute("UPDATE outbox SET next_attempt_at = now()")
        act()
    donor.take(donor.completed)
    assert donor.subjects == [RECEIPT]


def test_a_donor_email_that_cannot_be_written_delays_only_itself(service: Service, monkeypatch: pytest.MonkeyPatch):
    poisoned, fine = Donor(service), Donor(service)
    real = service.aggregates.tickets.store.get

    def failing(ticket: Any) -> Any:
        if ticket == poisoned.payment.ticket_id:
            raise ZeroDivisionError
        return real(ticket)

    monkeypatch.setattr(service.aggregates.tickets.store, "get", failing)
    poisoned.ledger.take(poisoned.completed)
    fine.take(fine.completed)
    assert fine.subjects == [RECEIPT]
    with service.database.connection() as connection:
        waiting = "SELECT attempts, error FROM donor_emails WHERE state = 'waiting'"
        assert connection.execute(waiting).fetchall() == [(1, "ZeroDivisionError")]
        connection.execute("UPDATE donor_emails SET next_attempt_at = now()")
    monkeypatch.setattr(service.aggregates.tickets.store, "get", real)
    fine.take()
    assert fine.subjects == [RECEIPT, RECEIPT]


def test_an_event_without_an_address_needs_no_statement(service: Service):
    payment = Payment(Ledger(service).ticket())

    class Deaf:
        def execute(self, *_: Any) -> None:
            raise AssertionError("a statement")

    applied = donor_emails.AppliedEvent((payment.ticket_id, payment.donation_id), "evt_1", (), donor_emails.Gift())
    donor_emails.add_donor_emails(Deaf(), [applied])  # type: ignore[arg-type]
