"""Keys and field encryption: a text is decrypted only in its own field and with its own ticket's key."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.encryption import ticket_keys
from adapters.encryption.field_cipher import FieldCipher, FieldContext
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.encryption.keyring import DecryptionError, Keyring, derived_key
from adapters.encryption.ticket_keys import TICKET_KEYRING, KeyDestroyed, TicketKeys, books_of
from adapters.event_store.history import ERASED, SealingMapper
from adapters.event_store.log import NewEntry, StoredEntry
from adapters.postgres.database import Database
from domain.errors import NotFoundError
from domain.events import DonorForgetRequested, PaymentConfirmed, PaymentReceived, TicketEvent
from domain.personal import SealedFor
from tests.fakes.events import CANARY, events, personal_texts

# The pool's own threads draw from `random` while an example is being made, which Hypothesis takes for a strategy's.
THREADS_DRAW_TOO = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

MASTER = ("m" * 40,)
RECORDED_AT = datetime(2026, 1, 2, tzinfo=UTC)
PLACE = FieldContext(UUID(int=7), 3, "draft_edited", "title")


@pytest.fixture
def keys(database: Database) -> TicketKeys:
    return TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))


@pytest.fixture
def cipher(keys: TicketKeys) -> FieldCipher:
    return FieldCipher(keys)


@pytest.fixture
def ticket(keys: TicketKeys) -> UUID:
    """Return a ticket that has a key."""
    ticket = uuid4()
    keys.get(ticket, create=True)
    return ticket


def stored(entry: NewEntry, recorded_at: datetime = RECORDED_AT) -> StoredEntry:
    return StoredEntry(
        originator_id=entry.originator_id,
        originator_version=entry.originator_version,
        topic=entry.topic,
        state=entry.state,
        id=1,
        ticket=entry.ticket,
        recorded_at=recorded_at,
        hash=b"",
    )


# Keyrings.


def test_a_keyring_decrypts_texts_of_its_current_and_earlier_secrets():
    old, both = Keyring(("old",), "x"), Keyring(("new", "old"), "x")
    assert both.open(old.seal(b"text", b"here"), b"here") == b"text"
    assert both.open(both.seal(b"text", b"here"), b"here") == b"text"
    with pytest.raises(DecryptionError):
        old.open(both.seal(b"text", b"here"), b"here")


def test_a_keyring_decrypts_no_text_of_another_purpose_or_context():
    sealed = Keyring(MASTER, "x").seal(b"text", b"here")
    with pytest.raises(DecryptionError):
        Keyring(MASTER, "y").open(sealed, b"here")
    with pytest.raises(DecryptionError):
        Keyring(MASTER, "x").open(sealed, b"there")


@given(st.binary(max_size=60), st.data())
def test_a_keyring_refuses_an_altered_text(plain: bytes, data: st.DataObject):
    ring = Keyring(MASTER, "x")
    sealed = bytearray(ring.seal(plain, b"here"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DecryptionError):
        ring.open(bytes(sealed), b"here")
    with pytest.raises(DecryptionError):
        ring.open(bytes(sealed[:at]), b"here")


def test_sealing_the_same_text_twice_gives_different_envelopes():
    ring = Keyring(MASTER, "x")
    assert ring.seal(b"text", b"here") != ring.seal(b"text", b"here")


def test_a_secret_gives_one_key_for_each_purpose():
    assert derived_key("s", "x") == derived_key("s", "x") != derived_key("s", "y")


def test_a_hash_is_the_same_for_the_same_text_secret_and_purpose_only():
    first = KeyedHashes(("s",), "x").of("a")
    assert first == KeyedHashes(("s",), "x").of("a")
    other_hashes = [
        KeyedHashes(("t",), "x").of("a"),
        KeyedHashes(("s",), "y").of("a"),
        KeyedHashes(("s",), "x").of("b"),
    ]
    assert first not in other_hashes


def test_a_hash_says_which_secret_made_it_and_is_found_after_a_rotation():
    old, both = KeyedHashes(("old",), "x"), KeyedHashes(("new", "old"), "x")
    assert both.of("a").startswith(both.current)
    assert not old.of("a").startswith(both.current)
    assert old.of("a") in both.all_of("a")
    # Older hashes have no name of their pepper.
    assert old.of("a").partition(":")[2] in both.all_of("a")


# Ticket keys.


def test_a_ticket_has_the_same_key_in_every_process(database: Database, keys: TicketKeys, ticket: UUID):
    assert (
        keys.get(ticket)
        == TicketKeys(database, Keyring(MASTER, TICKET_KEYRING)).get(ticket)
        != keys.get(uuid4(), create=True)
    )


def test_a_key_is_made_only_for_a_new_ticket(keys: TicketKeys):
    with pytest.raises(NotFoundError):
        keys.get(uuid4())


def test_keys_are_stored_wrapped_and_open_after_the_master_key_was_rotated(
    database: Database, keys: TicketKeys, ticket: UUID
):
    key = keys.get(ticket)
    with database.connection() as connection:
        [(wrapped,)] = connection.execute("SELECT wrapped FROM ticket_keys").fetchall()
    assert key not in bytes(wrapped)
    assert TicketKeys(database, Keyring(("n" * 40, *MASTER), TICKET_KEYRING)).get(ticket) == key
    with pytest.raises(DecryptionError):
        TicketKeys(database, Keyring(("n" * 40,), TICKET_KEYRING)).get(ticket)


def test_a_wrapped_key_moved_to_another_ticket_does_not_open(database: Database, keys: TicketKeys, ticket: UUID):
    other = uuid4()
    with database.connection() as connection:
        connection.execute(
            "INSERT INTO ticket_keys (ticket_id, wrapped, wrapped_by) SELECT %s, wrapped, wrapped_by FROM ticket_keys",
            (other,),
        )
    with pytest.raises(DecryptionError):
        keys.get(other)


def test_a_destroyed_key_is_not_created_again_when_the_ticket_is_opened_again(
    database: Database, keys: TicketKeys, ticket: UUID
):
    keys.destroy(ticket)
    for keys_of_process in (keys, TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))):
        with pytest.raises(NotFoundError):
            keys_of_process.get(ticket)
        with pytest.raises(NotFoundError):
            keys_of_process.get(ticket, create=True)
    keys.destroy(ticket)


@pytest.mark.parametrize("read", [TicketKeys.get, lambda keys, ticket: keys.preload([ticket])], ids=["one", "many"])
def test_a_key_that_is_destroyed_while_another_thread_reads_it_is_not_found_afterwards(
    database: Database, ticket: UUID, read: Callable[[TicketKeys, UUID], object]
):
    class DestroyedMeanwhile(Keyring):
        def open(self, sealed: bytes, context: bytes) -> bytes:
            keys.destroy(ticket)
            return super().open(sealed, context)

    keys = TicketKeys(database, DestroyedMeanwhile(MASTER, TICKET_KEYRING))
    read(keys, ticket)
    with pytest.raises(KeyDestroyed):
        keys.get(ticket)


def test_another_process_drops_a_destroyed_key_within_seconds(
    database: Database, keys: TicketKeys, ticket: UUID, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))
    elsewhere.get(ticket)
    keys.destroy(ticket)
    later = time.monotonic() + ticket_keys.CACHE_SECONDS
    monkeypatch.setattr(ticket_keys, "time", SimpleNamespace(monotonic=lambda: later))
    with pytest.raises(NotFoundError):
        elsewhere.get(ticket)


# Field encryption.


@THREADS_DRAW_TOO
@given(st.text(st.characters(codec="utf-8")))
def test_a_sealed_text_can_be_opened(cipher: FieldCipher, ticket: UUID, text: str):
    assert cipher.open(ticket, cipher.seal(ticket, PLACE, text), PLACE) == text


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, stream=UUID(int=8)),
        replace(PLACE, version=4),
        replace(PLACE, topic="draft_proposed"),
        replace(PLACE, field="story"),
    ],
)
def test_a_seal_moved_to_another_place_is_refused(cipher: FieldCipher, ticket: UUID, elsewhere: FieldContext):
    sealed = cipher.seal(ticket, PLACE, "Ada")
    with pytest.raises(DecryptionError):
        cipher.open(ticket, sealed, elsewhere)
    with pytest.raises(DecryptionError):
        cipher.open(ticket, sealed.replace(str(PLACE), str(elsewhere)), elsewhere)
    with pytest.raises(DecryptionError):
        cipher.open(ticket, sealed.replace(str(PLACE), str(elsewhere)))


def test_a_seal_moved_to_another_ticket_is_refused(cipher: FieldCipher, keys: TicketKeys, ticket: UUID):
    other = uuid4()
    keys.get(other, create=True)
    with pytest.raises(DecryptionError):
        cipher.open(other, cipher.seal(ticket, PLACE, "Ada"), PLACE)


def test_a_seal_with_any_byte_changed_is_refused(cipher: FieldCipher, ticket: UUID):
    prefix, _, code = cipher.seal(ticket, PLACE, "Ada").rpartition(":")
    ciphertext = base64.urlsafe_b64decode(code)
    for at in range(len(ciphertext)):
        changed = ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]
        with pytest.raises(DecryptionError):
            cipher.open(ticket, f"{prefix}:{base64.urlsafe_b64encode(changed).decode()}", PLACE)


@pytest.mark.parametrize("text", ["", "Ada", "sealed:1", "sealed:1:", f"sealed:1:{PLACE}:", f"sealed:1:{PLACE}:é"])
def test_a_text_that_was_never_sealed_cannot_be_opened(cipher: FieldCipher, ticket: UUID, text: str):
    for place in (PLACE, None):
        with pytest.raises(DecryptionError):
            cipher.open(ticket, text, place)


# Events.


@THREADS_DRAW_TOO
@given(events)
def test_stored_events_hold_no_readable_personal_data(cipher: FieldCipher, keys: TicketKeys, event: TicketEvent):
    keys.get(event.ticket, create=True)
    entry = SealingMapper(cipher).to_stored_event(event)
    assert CANARY.encode() not in entry.state
    loaded = SealingMapper(cipher).to_domain_event(stored(entry, event.timestamp))
    assert loaded == event


def facts_of_donor(event: TicketEvent) -> list[str]:
    match event:
        case PaymentReceived(donor=donor) | PaymentConfirmed(donor=donor):
            return [text for text in (donor.last_name, donor.email_hash) if text is not None]
        case DonorForgetRequested(last_name=last_name):
            return [last_name]
    return []


@THREADS_DRAW_TOO
@given(events)
def test_only_the_facts_of_the_donor_are_readable_in_an_event_of_an_erased_ticket(
    database: Database, cipher: FieldCipher, keys: TicketKeys, event: TicketEvent
):
    assume(event.ticket != event.originator_id or not facts_of_donor(event))
    with database.connection() as connection:  # a ticket's id may occur in several examples
        connection.execute("DELETE FROM ticket_keys")
    keys.get(event.ticket, create=True)
    entry = SealingMapper(cipher).to_stored_event(event)
    keys.destroy(event.ticket)
    loaded = SealingMapper(cipher).to_domain_event(stored(entry))
    assert personal_texts(loaded) == facts_of_donor(event)


@THREADS_DRAW_TOO
@given(events)
def test_an_event_whose_keys_were_destroyed_loads_without_personal_data(
    database: Database, cipher: FieldCipher, keys: TicketKeys, event: TicketEvent
):
    with database.connection() as connection:  # a ticket's id may occur in several examples
        connection.execute("DELETE FROM ticket_keys")
    keys.get(event.ticket, create=True)
    entry = SealingMapper(cipher).to_stored_event(event)
    for owner in (event.ticket, event.originator_id, books_of(event.originator_id)):
        keys.destroy(owner)
    loaded = SealingMapper(cipher).to_domain_event(stored(entry))
    assert personal_texts(loaded) == []
    assert repr(loaded).count(ERASED) == len(personal_texts(event))


# The keys of donations.


def test_a_text_for_both_is_read_only_while_both_keys_are_there(cipher: FieldCipher, keys: TicketKeys, ticket: UUID):
    envelopes = [cipher.seal(ticket, replace(PLACE, stream=uuid4()), "Ada", owner=SealedFor.BOTH) for _ in range(2)]
    assert [cipher.open(ticket, envelope) for envelope in envelopes] == ["Ada", "Ada"]
    keys.destroy(UUID(envelopes[0].split(":")[2]))
    with pytest.raises(NotFoundError):
        cipher.open(ticket, envelopes[0])
    assert cipher.open(ticket, envelopes[1]) == "Ada"
    keys.destroy(ticket)
    with pytest.raises(NotFoundError):
        cipher.open(ticket, envelopes[1])


def test_an_envelope_opens_only_for_whom_it_was_sealed(cipher: FieldCipher, ticket: UUID):
    for owner in SealedFor:
        envelope = cipher.seal(ticket, PLACE, "Ada", owner=owner)
        for other in set(SealedFor) - {owner}:
            forged = envelope.replace(f"sealed:{owner}:", f"sealed:{other}:", 1)
            with pytest.raises((DecryptionError, NotFoundError)):
                cipher.open(ticket, forged)


def test_a_key_that_was_destroyed_is_not_created_again(cipher: FieldCipher, keys: TicketKeys, ticket: UUID):
    envelope = cipher.seal(ticket, PLACE, "Ada", owner=SealedFor.DONATION)
    keys.destroy(PLACE.stream)
    cipher.create_key(PLACE.stream)
    for act in (
        lambda: cipher.open(ticket, envelope),
        lambda: cipher.seal(ticket, PLACE, "Ada", owner=SealedFor.DONATION),
    ):
        with pytest.raises(KeyDestroyed):
            act()


def test_the_keys_of_many_envelopes_are_read_in_one_query(
    database: Database, cipher: FieldCipher, ticket: UUID, monkeypatch: pytest.MonkeyPatch
):
    envelopes = [
        cipher.seal(ticket, replace(PLACE, stream=uuid4()), "Ada", owner=owner)
        for owner in (SealedFor.DONATION, SealedFor.BOOKS, SealedFor.BOTH)
    ]
    fresh = TicketKeys(database, Keyring(MASTER, TICKET_KEYRING))
    other = FieldCipher(fresh)
    fresh.get(ticket)
    other.preload([*envelopes, "no envelope"])
    monkeypatch.setattr(ticket_keys, "CACHE_SECONDS", 3_600)
    monkeypatch.setattr(database, "row", lambda *_: pytest.fail("a key was read alone"))
    assert [other.open(ticket, envelope) for envelope in envelopes] == ["Ada"] * 3
