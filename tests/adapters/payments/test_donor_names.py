"""Donors are found by keyed hashes of the words of their names, which are themselves stored only sealed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import pytest

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.payments.donor_names import PURPOSE, DonorNames, words_of
from domain.donations import Donation
from domain.values import SYSTEM, GiftWords, Money
from entrypoints.composition.service import Service
from projections.gift_search import GiftSearch, gifts
from tests.money import Ledger
from tests.stripe_events import Payment


@pytest.fixture
def ledger(service: Service) -> Ledger:
    return Ledger(service)


def names_of(service: Service, *secrets: str) -> DonorNames:
    return DonorNames(service.database, service.history.cipher, KeyedHashes(secrets, PURPOSE))


def found(service: Service, names: DonorNames, name: str) -> list[UUID]:
    with service.database.reading() as cursor:
        return [row["donation_id"] for row in gifts(cursor, GiftSearch(name_hashes=names.hashes_of(name)), 10)]


def hash_count(service: Service) -> int:
    row = service.database.row("SELECT count(*) FROM donor_names")
    assert row is not None
    return int(row[0])


def give(ledger: Ledger, name: str) -> UUID:
    """Record a paid donation of a donor with this name."""
    payment = ledger.payment()
    payment.details = payment.details | {"name": name}
    ledger.take(payment.completed())
    return payment.donation_id


@pytest.mark.parametrize(
    ("name", "words"),
    [("Zoë Müller-Roß", ["zoe", "muller", "ross"]), ("LI  li", ["li"]), ("李 小龙", ["李", "小龙"]), ("—", [])],
)
def test_words_of_names_are_compared_without_accents_and_case(name: str, words: list[str]):
    assert words_of(name) == words


def test_a_gift_is_found_by_the_last_name_that_stripe_reports(ledger: Ledger):
    service, names = ledger.service, ledger.service.payments.donor_names
    hopper, muller = give(ledger, "Grace Hopper"), give(ledger, "Zoë MÜLLER")
    assert found(service, names, "hopper") == []
    names.run_all()
    assert found(service, names, "hopper") == [hopper]
    assert found(service, names, "muller") == [muller]
    assert found(service, names, "Grace Hopper") == []
    assert found(service, names, "hop") == []


def test_a_gift_is_found_by_the_name_that_the_donor_left_on_the_page(ledger: Ledger):
    service, names, ticket = ledger.service, ledger.service.payments.donor_names, ledger.ticket()
    words = GiftWords("Aunt Grace", "For the roof", True)
    donation = Donation.request_checkout(SYSTEM, ticket, UUID(int=7), Money(500, "USD"), None, words=words)
    donation.open_checkout(SYSTEM, "cs_7", int(time.time()), livemode=False)
    service.aggregates.donations.add(donation)
    ledger.follow()
    names.run_all()
    assert found(service, names, "grace aunt") == [UUID(int=7)]
    assert found(service, names, "roof") == []


def test_with_a_new_secret_the_names_are_hashed_again_and_found_all_the_time(ledger: Ledger, monkeypatch):
    service, gift = ledger.service, give(ledger, "Grace Hopper")
    names_of(service, "old").run_all()
    renewed = names_of(service, "new", "old")
    assert found(service, renewed, "hopper") == [gift]
    renewed.run_all()
    assert found(service, renewed, "hopper") == [gift]
    assert found(service, names_of(service, "old"), "hopper") == []
    assert hash_count(service) == 1


def test_names_are_hashed_in_batches_and_by_one_process_at_a_time(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.payments.donor_names.BATCH_EVENTS", 2)
    names = ledger.service.payments.donor_names
    donations = [give(ledger, f"Ada Lovelace{number}") for number in range(5)]
    names.run_all()
    assert [found(ledger.service, names, f"lovelace{n}") for n in range(5)] == [[donation] for donation in donations]
    give(ledger, "Ada Byron")
    with ledger.service.database.transaction() as cursor:
        cursor.execute("SELECT FROM donor_name_progress FOR UPDATE")
        names.run_all()
    assert found(ledger.service, names, "byron") == []


def give_with_words(ledger: Ledger, ticket: UUID, name: str) -> Payment:
    """Record a paid gift whose donor has left another name on the page."""
    payment, words = Payment(ticket, 500), GiftWords(name, None, True)
    donation = Donation.request_checkout(SYSTEM, ticket, payment.donation_id, Money(500, "USD"), None, words=words)
    donation.open_checkout(SYSTEM, payment.session_id, int(time.time()), livemode=False)
    ledger.service.aggregates.donations.add(donation)
    ledger.take(payment.completed())
    ledger.service.payments.donor_names.run_all()
    return payment


def found_by_address(service: Service, address: str) -> list[UUID]:
    hashes = service.payments.donor_addresses.all_of(address)
    with service.database.reading() as cursor:
        return [row["donation_id"] for row in gifts(cursor, GiftSearch(email_hashes=hashes), 10)]


def test_after_an_erasure_donors_are_found_by_what_the_books_keep_of_them(ledger: Ledger):
    service, names, ticket = ledger.service, ledger.service.payments.donor_names, ledger.ticket()
    payment = give_with_words(ledger, ticket, "Aunt Grace")
    service.commands.tickets.erase(SYSTEM, ticket)
    for _ in range(2):
        assert (
            found(service, names, "hopper") == found_by_address(service, "grace@example.com") == [payment.donation_id]
        )
        assert found(service, names, "aunt") == []
        names_of(service, "another").run_all()
        names = names_of(service, "another")


def test_a_forgotten_donor_is_found_neither_by_name_nor_by_address(ledger: Ledger):
    service, names = ledger.service, ledger.service.payments.donor_names
    payment = give_with_words(ledger, ledger.ticket(), "Aunt Grace")
    assert found_by_address(service, "grace@example.com") == [payment.donation_id]
    service.commands.donors.forget(SYSTEM, payment.ticket_id, payment.donation_id, datetime.now(UTC))
    names.run_all()
    names_of(service, "another").run_all()
    assert hash_count(service) == 0
    assert found_by_address(service, "grace@example.com") == []


def test_a_name_that_is_kept_for_the_books_is_found_until_it_is_forgotten(ledger: Ledger):
    service, names = ledger.service, ledger.service.payments.donor_names
    service.commands.workspaces.change_settings(SYSTEM, "public", {"retention": {"donor_days": 36_500}})
    payment = give_with_words(ledger, ledger.ticket(), "Aunt Grace")
    service.commands.donors.forget(SYSTEM, payment.ticket_id, payment.donation_id, datetime.now(UTC))
    names.run_all()
    assert (found(service, names, "hopper"), found(service, names, "aunt")) == ([payment.donation_id], [])
    assert found_by_address(service, "grace@example.com") == []
    service.commands.donors.finish(payment.ticket_id, payment.donation_id, datetime.now(UTC))
    names.run_all()
    assert found(service, names, "hopper") == []
