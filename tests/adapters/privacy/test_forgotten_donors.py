"""A donor is forgotten apart from the person of the story, and the amounts stay as they were."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.encryption.field_cipher import FieldContext
from adapters.encryption.ticket_keys import books_of
from adapters.event_store.history import ERASED
from adapters.privacy.forgotten_donors import forget_due_donors
from domain.donations import Donation, donation_stream
from domain.errors import NotFoundError
from domain.values import SYSTEM, DocumentFormat, DocumentType, GiftWords, Money
from entrypoints.composition.service import Service
from entrypoints.presentation.personal_data import PersonalData
from projections import page_words
from tests.money import Ledger, exported
from tests.stripe_events import DAY, Payment, event

PAID_AT = datetime.fromtimestamp(DAY, UTC)
WORDS = GiftWords("Grace", "For your roof, Ada.", shown=True)


@pytest.fixture
def ledger(service: Service) -> Ledger:
    return Ledger(service)


def gift(ledger: Ledger, ticket: UUID | None = None, words: GiftWords = WORDS) -> Payment:
    """Return a gift that is paid."""
    payment = Payment(ticket or ledger.ticket())
    donation = Donation.request_checkout(
        SYSTEM, payment.ticket_id, payment.donation_id, Money(10_000, "USD"), None, words=words
    )
    donation.open_checkout(SYSTEM, payment.session_id, DAY, livemode=False)
    ledger.service.aggregates.donations.add(donation)
    ledger.take(payment.completed())
    return payment


def forget(ledger: Ledger, payment: Payment, now: datetime | None = None) -> Donation:
    commands = ledger.service.commands.donors
    donation = commands.forget(SYSTEM, payment.ticket_id, payment.donation_id, now or datetime.now(UTC))
    ledger.follow()
    return donation


def words_on_page(ledger: Ledger, payment: Payment) -> tuple[str | None, ...]:
    personal = PersonalData(ledger.service.history.cipher)
    with ledger.service.database.transaction() as cursor:
        row = page_words.words_of(cursor, [payment.donation_id])[payment.donation_id]
    return tuple(personal.text_or_none(row["ticket_id"], row[name]) for name in ("name", "message"))


def stored_history(ledger: Ledger, payment: Payment) -> str:
    """Return everything that the donation's events say, with their texts opened."""
    stream = donation_stream(payment.ticket_id, payment.donation_id)
    mapper = ledger.service.history.application.mapper
    return repr([mapper.to_domain_event(entry) for entry in ledger.service.history.log.stream(stream)])


def body(ledger: Ledger, event_id: str) -> str:
    row = ledger.service.database.row(
        "SELECT event_id, body, ticket_id, donation_stream FROM stripe_inbox WHERE event_id = %s", (event_id,)
    )
    assert row is not None
    return ledger.service.payments.inbox.open_body(row[0], bytes(row[1]), *row[2:]).decode()


def set_retention(ledger: Ledger, days: int) -> None:
    ledger.service.commands.workspaces.change_settings(SYSTEM, "public", {"retention": {"donor_days": days}})


# Erasing the person of the story.


def test_the_donor_stays_in_the_books_when_the_person_of_the_story_is_erased(ledger: Ledger):
    payment = gift(ledger)
    before = ledger.totals(payment.ticket_id), exported(ledger.service, "movements")
    ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    ledger.follow()
    assert (ledger.totals(payment.ticket_id), exported(ledger.service, "movements")) == before
    assert "Hopper" in before[1]
    assert ledger.view(payment).donor == "Hopper"
    assert len(ledger.view(payment).donor_email_hash or "") == 64
    documents = ledger.service.commands.documents
    receipt = documents.receipt(SYSTEM, payment.ticket_id, payment.donation_id, dated=datetime.now(UTC))
    assert receipt.startswith(b"%PDF")


def test_the_words_to_the_person_go_with_the_person(ledger: Ledger):
    payment = gift(ledger)
    assert words_on_page(ledger, payment) == ("Grace", "For your roof, Ada.")
    ledger.service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    assert words_on_page(ledger, payment) == (ERASED, ERASED)
    assert "roof" not in stored_history(ledger, payment)
    assert "Hopper" in stored_history(ledger, payment)


def test_a_gift_of_an_earlier_version_loses_its_donor_with_the_ticket(ledger: Ledger):
    service, payment = ledger.service, gift(ledger)
    stream = donation_stream(payment.ticket_id, payment.donation_id)
    with service.database.connection() as connection:
        # As earlier versions stored it: sealed with the ticket's key, and the hash in clear.
        context = FieldContext(stream, 4, "payment_confirmed", "donor.last_name")
        envelope = service.history.cipher.seal(payment.ticket_id, context, "Lovelace")
        state = {
            "actor": {"role": "stripe"},
            "ticket_id": str(payment.ticket_id),
            "donation_id": str(payment.donation_id),
            "payment_intent_id": payment.intent_id,
            "amount": {"minor": 10_000, "currency": "USD"},
            "report": {"event_id": "evt_old", "at": DAY - 1},
            "donor": {"last_name": envelope, "email_hash": "pepper:abc"},
        }
        connection.execute(
            "SELECT append_events('{1}', %s, '{4}', '{payment_confirmed}', %s, %s)",
            ([stream], [payment.ticket_id], [json.dumps(state).encode()]),
        )
    ledger.follow()
    assert (ledger.view(payment).donor, ledger.view(payment).donor_email_hash) == ("Lovelace", "abc")
    assert service.aggregates.donations.get(payment.ticket_id, payment.donation_id).gift.donor.last_name == "Lovelace"
    service.commands.tickets.erase(SYSTEM, payment.ticket_id)
    ledger.follow()
    assert ledger.view(payment).donor == "Anonymous"


# Forgetting a donor.


def test_without_a_retention_everything_about_a_donor_goes_at_once(ledger: Ledger):
    payment = gift(ledger)
    other = gift(ledger, payment.ticket_id)
    webhook = next(iter(ledger.inbox()))
    assert "Grace Brewster Hopper" in body(ledger, webhook)
    totals, amounts = ledger.totals(payment.ticket_id), exported(ledger.service, "journal")
    assert forget(ledger, payment).forgotten
    assert (ledger.totals(payment.ticket_id), exported(ledger.service, "journal")) == (totals, amounts)
    view = ledger.view(payment)
    assert (view.donor, view.donor_email_hash, view.country) == ("Anonymous", None, "US")
    assert words_on_page(ledger, payment) == (None, None)
    assert "Hopper" not in stored_history(ledger, payment)
    assert "roof" not in stored_history(ledger, payment)
    with pytest.raises(NotFoundError):
        body(ledger, webhook)
    assert (ledger.view(other).donor, words_on_page(ledger, other)[0]) == ("Hopper", "Grace")


def test_a_name_that_must_be_kept_is_kept_until_the_time_is_over(ledger: Ledger):
    set_retention(ledger, 30)
    payment = gift(ledger)
    webhook = next(iter(ledger.inbox()))
    donation = forget(ledger, payment, PAID_AT + timedelta(days=10))
    assert (donation.forget_requested, donation.forgotten) == (True, False)
    # The name is in the books; address, words and the message of Stripe are gone at once.
    view = ledger.view(payment)
    assert (view.donor, view.donor_email_hash, view.country) == ("Hopper", None, "US")
    assert words_on_page(ledger, payment) == (None, None)
    assert not ledger.service.history.keys.key_exists(donation.id)
    with pytest.raises(NotFoundError):
        body(ledger, webhook)

    def run(days: int) -> str:
        now = PAID_AT + timedelta(days=days)
        forget_due_donors(ledger.service.database, ledger.service.commands.donors, now=lambda: now)
        ledger.follow()
        return ledger.view(payment).donor

    assert run(29) == "Hopper"
    assert run(30) == "Anonymous"
    assert "Hopper" not in stored_history(ledger, payment)
    assert not ledger.service.history.keys.key_exists(books_of(donation.id))
    assert ledger.service.database.rows("SELECT FROM donors_to_forget") == []
    assert ledger.events(payment)[-2:] == ["donor_forget_requested", "donor_forgotten"]


def test_a_request_after_the_retention_is_carried_out_at_once(ledger: Ledger):
    set_retention(ledger, 30)
    assert forget(ledger, gift(ledger), PAID_AT + timedelta(days=30)).forgotten


def test_a_donor_may_ask_again(ledger: Ledger):
    set_retention(ledger, 30)
    payment = gift(ledger)
    for _ in range(2):
        forget(ledger, payment, PAID_AT)
    assert ledger.events(payment).count("donor_forget_requested") == 1
    for _ in range(2):
        ledger.service.commands.donors.finish(payment.ticket_id, payment.donation_id, PAID_AT)
    assert ledger.events(payment).count("donor_forgotten") == 1


def test_a_later_report_of_stripe_about_a_forgotten_donor_is_recorded_without_the_donor(ledger: Ledger):
    payment = gift(ledger)
    forget(ledger, payment)
    later = [payment.charged(DAY + 5), payment.refunded(3_000), payment.refund_total(3_000)]
    ledger.take(*later)
    assert ledger.totals(payment.ticket_id) == {"USD": (10_000, 3_000, 7_000)}
    assert (ledger.view(payment).donor, ledger.view(payment).donor_email_hash) == ("Anonymous", None)
    assert "Hopper" not in stored_history(ledger, payment)
    for stripe_event in later:
        with pytest.raises(NotFoundError):
            body(ledger, stripe_event["id"])


@pytest.mark.parametrize("metadata", [True, False], ids=["named in the metadata", "linked before"])
def test_a_webhook_that_waits_for_a_person_loses_the_forgotten_donor_and_keeps_its_money(
    ledger: Ledger, metadata: bool, monkeypatch: pytest.MonkeyPatch
):
    payment = gift(ledger)
    charge = payment.charge(metadata=payment.metadata if metadata else {}, amount_refunded=4_000)
    dead = event("charge.refunded", charge)
    ledger.deliver(dead)
    with monkeypatch.context() as patch:
        patch.setattr(type(ledger.service.payments.applier), "_decide", lambda *_: 1 / 0)
        for _ in range(8):
            ledger.service.payments.applier.apply_batch()
            ledger.service.database.execute("UPDATE stripe_inbox SET next_attempt_at = now()")
    assert ledger.inbox()[dead["id"]] == "dead"
    assert "Hopper" in body(ledger, dead["id"])
    forget(ledger, payment)
    assert "Hopper" not in body(ledger, dead["id"])
    ledger.service.payments.dead_letters.retry()
    ledger.settle()
    assert ledger.totals(payment.ticket_id) == {"USD": (10_000, 4_000, 6_000)}


def test_a_held_webhook_of_another_gift_keeps_its_donor(ledger: Ledger):
    payment = gift(ledger)
    later = ledger.payment(payment.ticket_id)
    held = event("charge.succeeded", later.charge(metadata=later.metadata))
    ledger.take(held)
    assert ledger.inbox()[held["id"]] == "held"
    forget(ledger, payment)
    assert "Hopper" in body(ledger, held["id"])


def test_a_forgotten_donor_gets_no_more_mails(ledger: Ledger):
    payment = gift(ledger)
    ledger.service.database.execute("UPDATE donor_emails SET state = 'waiting'")
    forget(ledger, payment)
    assert not ledger.service.payments.donor_emails.write_one()
    rows = ledger.service.database.rows("SELECT state, address_event_id FROM donor_emails")
    assert rows == [("dropped", None)]


def test_the_reason_of_a_refund_is_not_kept_for_a_forgotten_donor(ledger: Ledger):
    payment = gift(ledger)
    forget(ledger, payment)
    donations = ledger.service.aggregates.donations
    donations.change(
        payment.ticket_id,
        payment.donation_id,
        lambda donation: donation.request_refund(SYSTEM, uuid4(), Money(100, "USD"), "Hopper asked for it."),
    )
    assert "Hopper" not in stored_history(ledger, payment)


def test_a_receipt_that_was_generated_for_a_forgotten_donor_is_deleted(ledger: Ledger):
    service, payment = ledger.service, gift(ledger)
    other = gift(ledger, payment.ticket_id)
    for donation_id in (payment.donation_id, other.donation_id):
        service.commands.documents.generate(
            SYSTEM,
            payment.ticket_id,
            uuid4(),
            DocumentType.RECEIPT,
            DocumentFormat.PDF,
            dated=datetime.now(UTC),
            donation_id=donation_id,
        )
    assert len(list(service.content.storage.keys())) == 2
    forget(ledger, payment)
    assert len(list(service.content.storage.keys())) == 1


def test_every_text_of_a_donor_is_sealed_with_a_key_of_the_gift(ledger: Ledger):
    payment = gift(ledger)
    stream = donation_stream(payment.ticket_id, payment.donation_id)
    requested, _, received = [json.loads(entry.state) for entry in ledger.service.history.log.stream(stream)]
    assert {text.split(":", 3)[1] for text in (requested["words"]["name"], requested["words"]["message"])} == {"both"}
    donor = received["donor"]
    assert donor.pop("country") == "US"
    assert {text.split(":", 3)[1] for text in donor.values()} == {"donation"}
