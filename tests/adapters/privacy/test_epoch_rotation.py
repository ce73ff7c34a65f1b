"""A rotation of the epoch key makes erasure final and loses no living ticket, wherever it is interrupted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import EpochKeyMissingError, EpochKeyring, Epochs
from adapters.encryption.field_cipher import FieldCipher
from adapters.encryption.keyring import DecryptionError, Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.identity.login_codes import REQUEST_KEYRING
from adapters.mail.outbox import OUTBOX_KEY_PURPOSE
from adapters.observability.gauges import Gauges
from adapters.payments.inbox import INBOX_KEY_PURPOSE
from adapters.postgres.database import Database
from adapters.privacy import epoch_rotation
from adapters.privacy.epoch_rotation import EpochRotation
from adapters.privacy.key_recovery import adopt
from domain.donations import donation_stream
from domain.errors import NotFoundError, RefusedError, UnavailableError
from domain.ports import Mail
from domain.tickets import NewTicket
from domain.values import SYSTEM, Contact, ContactType
from entrypoints.composition.service import Service
from tests.money import Ledger

# Tests of other processes write to the same log with other keys.
MASTER, OTHER = (f"master key {uuid4()}",), (f"master key {uuid4()}",)
STORY = "Ada fell ill in Lyon."

# The files of this test's database, and the write-ahead log since it was created. One may be removed meanwhile.
FILES = """
WITH place AS (SELECT 'base/' || oid AS path FROM pg_database WHERE datname = current_database()),
     log AS (SELECT name FROM pg_ls_waldir() WHERE modification >= (SELECT (pg_stat_file(path)).change FROM place))
SELECT content FROM (
    SELECT pg_read_binary_file(path || '/' || name, 0, 100000000, true) FROM place, pg_ls_dir(path) AS name
    UNION ALL SELECT pg_read_binary_file('pg_wal/' || name, 0, 100000000, true) FROM log
) AS file (content) WHERE content IS NOT NULL
"""

MakeService = Callable[..., Service]


def no_pause(_: float) -> None:
    pass


def rotation(service: Service, pause: Callable[[float], None] = no_pause) -> EpochRotation:
    return EpochRotation(service.database, service.epochs, 24, pause)


def open_ticket(service: Service, name: str = STORY) -> UUID:
    ticket = uuid4()
    contact = Contact(ContactType.EMAIL, "ada@example.com")
    index = service.access.contact_index.of(contact)
    service.commands.tickets.open(
        SYSTEM, NewTicket(ticket, "public", ticket.hex[:12], contact, index, name, ticket.hex)
    )
    return ticket


def name_of(service: Service, ticket: UUID) -> str | None:
    return service.aggregates.tickets.get(ticket).display_name


def key_files(service: Service) -> list[Path]:
    return sorted(path for path in (service.settings.data_dir / "epoch" / "objects" / "keys").iterdir())


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service(master_key=MASTER)


# What an attacker finds who has the data folder and MASTER_KEY.


class Attacker:
    """Searches the files of the database, heap and write-ahead log alike, for keys and texts."""

    def __init__(self, service: Service) -> None:
        with service.database.connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute("CHECKPOINT")
            self.files = [bytes(content) for (content,) in cursor.execute(FILES)]

    def stories(self, ticket: UUID, epoch_keys: dict[str, bytes]) -> set[str]:
        """Return every display name of the ticket that any ticket key found in the files decrypts."""
        return self._texts(ticket, rb"sealed:1:%s:[0-9]+:ticket_opened:display_name:[\w=-]+", epoch_keys)

    def donors(self, stream: UUID, epoch_keys: dict[str, bytes]) -> set[str]:
        """Return every donor's name of the donation that any key found in the files decrypts."""
        field = rb"payment_received:donor\.last_name"
        return self._texts(stream, rb"sealed:donation:%s:[0-9]+:" + field + rb":[\w=-]+", epoch_keys)

    def _texts(self, owner: UUID, pattern: bytes, epoch_keys: dict[str, bytes]) -> set[str]:
        found: set[str] = set()
        envelopes = {match for file in self.files for match in re.findall(pattern % str(owner).encode(), file)}
        for key in self._ticket_keys(owner, epoch_keys):
            cipher = FieldCipher(_FoundKey(key))  # type: ignore[arg-type]
            for envelope in envelopes:
                # The border of a page of the write-ahead log may cut an envelope off.
                with suppress(DecryptionError):
                    found.add(cipher.open(owner, envelope.decode()))
        return found

    def _ticket_keys(self, ticket: UUID, epoch_keys: dict[str, bytes]) -> Iterator[bytes]:
        master = Keyring(MASTER, TICKET_KEYRING)
        for sealed in self._values(bytes.fromhex(master.current), 8 + 12 + 32 + 16):
            yield from _opened(lambda sealed=sealed: master.open(sealed, ticket.bytes))
        for name, key in epoch_keys.items():
            epochs = _OneEpoch(bytes.fromhex(name), key)
            ring = EpochKeyring(MASTER, TICKET_KEYRING, epochs)  # type: ignore[arg-type]
            for sealed in self._values(bytes.fromhex(name), 8 + 12 + (8 + 12 + 32 + 16) + 16):
                yield from _opened(lambda sealed=sealed, ring=ring: ring.open(sealed, ticket.bytes))

    def _values(self, prefix: bytes, length: int) -> set[bytes]:
        starts = ((file, match.start()) for file in self.files for match in re.finditer(re.escape(prefix), file))
        return {file[start : start + length] for file, start in starts}

    def values_sealed_with_master_key_alone(self, purpose: str) -> int:
        return len(self._values(bytes.fromhex(Keyring(MASTER, purpose).current), 20))


class _FoundKey:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def get(self, _: UUID, *, create: bool = False) -> bytes:
        del create
        return self._key


class _OneEpoch(Epochs):
    """An epoch whose key the attacker has."""

    def __init__(self, name: bytes, key: bytes) -> None:
        self._name, self._key = name, key

    def open(self, sealed: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        from adapters.encryption.epochs import open_sealed

        return open_sealed(AESGCM(self._key), sealed)


def _opened(open: Callable[[], bytes]) -> list[bytes]:
    try:
        return [open()]
    except DecryptionError:
        return []


def stolen_epoch_keys(service: Service) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in key_files(service)}


def test_with_the_master_key_and_the_data_folder_nobody_reads_who_was_erased_before_the_rotation(service: Service):
    erased, living = open_ticket(service), open_ticket(service, "Grace")
    rotation(service).rotate()
    service.commands.tickets.erase(SYSTEM, erased)
    # The test finds the story as long as the epoch key is there.
    assert Attacker(service).stories(erased, stolen_epoch_keys(service)) == {STORY}

    rotation(service).rotate()
    attacker, keys = Attacker(service), stolen_epoch_keys(service)
    assert attacker.stories(erased, keys) == set()
    assert attacker.stories(living, keys) == {"Grace"}
    assert name_of(service, living) == "Grace"
    assert attacker.stories(living, {}) == set()


def test_nothing_personal_is_ever_written_sealed_with_the_master_key_alone(service: Service):
    ledger = Ledger(service)
    ticket = ledger.ticket()
    ledger.deliver(ledger.payment(ticket).completed())  # received and not applied
    service.access.login_codes.request(uuid4(), Contact(ContactType.EMAIL, "ada@example.com"))
    service.access.idempotency.begin("visitor", "POST /x", "key", "body")
    with service.database.connection() as connection:
        mail = Mail(
            "access_code", "ada@example.com", {"code": "1", "expires": "now", "link": "https://s.example/l"}, "k", None
        )
        service.mail.outbox.queue(connection, mail)
        epochs = {
            table: connection.execute(f"SELECT count(*) FROM {table} WHERE epoch IS NULL".encode()).fetchone()
            for table in ("ticket_keys", "service_keys", "stripe_inbox", "outbox", "access_requests")
        }
    assert set(epochs.values()) == {(0,)}
    attacker = Attacker(service)
    for purpose in (TICKET_KEYRING, "service keys", INBOX_KEY_PURPOSE, OUTBOX_KEY_PURPOSE, REQUEST_KEYRING):
        assert attacker.values_sealed_with_master_key_alone(purpose) == 0


def test_with_the_master_key_and_the_data_folder_nobody_reads_a_donor_forgotten_before_the_rotation(service: Service):
    ledger = Ledger(service)
    forgotten, kept = ledger.payment(), ledger.payment()
    ledger.take(forgotten.completed(), kept.completed())
    streams = [donation_stream(payment.ticket_id, payment.donation_id) for payment in (forgotten, kept)]
    service.commands.donors.forget(SYSTEM, forgotten.ticket_id, forgotten.donation_id, datetime.now(UTC))
    attacker, keys = Attacker(service), stolen_epoch_keys(service)
    assert [attacker.donors(stream, keys) for stream in streams] == [{"Hopper"}, {"Hopper"}]

    rotation(service).rotate()
    attacker, keys = Attacker(service), stolen_epoch_keys(service)
    assert [attacker.donors(stream, keys) for stream in streams] == [set(), {"Hopper"}]


# Rotations.


def test_a_rotation_keeps_every_living_value_and_destroys_the_old_key(service: Service, make_service: MakeService):
    ledger = Ledger(service)
    ticket = open_ticket(service)
    ledger.follow()
    ledger.deliver(ledger.payment(ticket).completed())
    request = uuid4()
    service.access.login_codes.request(request, Contact(ContactType.EMAIL, "ada@example.com"))
    service.access.idempotency.begin("visitor", "POST /x", "key", "body")
    [before] = key_files(service)
    report = rotation(service).rotate()
    # The keys of ticket and donation, the service's key, the webhook and the request for a login code.
    assert (report.resealed, report.destroyed) == (5, 1)
    [after] = key_files(service)
    assert after.name == report.epoch != before.name
    assert after.stat().st_mode & 0o777 == 0o600

    fresh = make_service(master_key=MASTER)
    assert name_of(fresh, ticket) == STORY
    assert fresh.access.login_codes.answer_one()
    with pytest.raises(Exception, match="still running"):
        fresh.access.idempotency.begin("visitor", "POST /x", "key", "body")
    later = Ledger(fresh)
    later.settle()
    assert later.totals(ticket) == {"USD": (10_000, 0, 10_000)}


def crash(*_: object, **__: object) -> Any:
    raise SystemExit


def crash_after(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        real(*arguments)
        raise SystemExit

    return call


STEPS: dict[str, tuple[type, str, bool]] = {
    "before the new key is written": (EpochStore, "write", False),
    "after the new key is written": (EpochStore, "write", True),
    "after the new epoch began": (Epochs, "begin", True),
    "in the middle of resealing": (EpochRotation, "_reseal", True),
    "before the living keys are saved": (EpochStore, "save_living", False),
    "after the living keys are saved": (EpochStore, "save_living", True),
    "after the old epoch ended": (Epochs, "end_older_than", True),
    "before the old key is destroyed": (EpochStore, "destroy", False),
    "after the old key is destroyed": (EpochStore, "destroy", True),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_killed_at_any_step_loses_no_key_and_is_finished_later(
    step: str, service: Service, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
):
    tickets = [open_ticket(service), open_ticket(service)]
    service.access.idempotency.begin("visitor", "POST /x", "key", "body")
    [old_key] = key_files(service)
    owner, method, after = STEPS[step]
    with monkeypatch.context() as patch:
        patch.setattr(epoch_rotation, "BATCH", 1)
        patch.setattr(owner, method, crash_after(getattr(owner, method)) if after else crash)
        with pytest.raises(SystemExit):
            rotation(service).rotate()

    restarted = make_service(master_key=MASTER)
    restarted.epochs.check()
    assert [name_of(restarted, ticket) for ticket in tickets] == [STORY, STORY]
    tickets.append(open_ticket(restarted))
    # The chore finishes what was begun; if no new epoch had begun, the old one goes on until the next rotation.
    rotation(restarted).run_if_due()
    [key] = key_files(restarted)
    if key == old_key:
        rotation(restarted).rotate()
        [key] = key_files(restarted)
    assert key != old_key
    last = make_service(master_key=MASTER)
    assert [name_of(last, ticket) for ticket in tickets] == [STORY] * 3
    assert last.database.rows("SELECT name FROM epoch_keys WHERE destroyed_at IS NULL") == [(bytes.fromhex(key.name),)]
    assert [path.name for path in key.parent.with_name("living").iterdir()] == [key.name]


def test_a_value_sealed_in_the_old_epoch_during_a_rotation_is_resealed(service: Service, make_service: MakeService):
    open_ticket(service)
    slow = make_service(master_key=MASTER)
    open_ticket(slow)
    late: list[UUID] = []

    def seal_in_old_epoch(_: float) -> None:
        slow.epochs._fresh_until = float("inf")
        late.append(open_ticket(slow))

    assert rotation(service, seal_in_old_epoch).rotate().destroyed == 1
    assert name_of(make_service(master_key=MASTER), late[0]) == STORY


def test_a_process_that_still_seals_with_a_destroyed_key_is_refused_and_then_goes_on(
    service: Service, make_service: MakeService
):
    open_ticket(service)
    slow = make_service(master_key=MASTER)
    open_ticket(slow)
    slow.epochs._fresh_until = float("inf")
    rotation(service).rotate()
    for act in (lambda: open_ticket(slow), lambda: Ledger(slow).deliver(Ledger(service).payment().completed())):
        with pytest.raises(UnavailableError):
            act()
    slow.epochs.refresh()
    assert name_of(service, open_ticket(slow)) == STORY


def test_an_old_key_is_kept_while_values_need_it(service: Service):
    ticket = open_ticket(service)
    newest = service.epochs.begin()
    assert not service.epochs.end_older_than(newest)
    assert service.epochs.destroy_unused() == 0
    assert _fresh_keys(service).get(ticket)


def test_one_process_at_a_time_replaces_the_key(service: Service):
    open_ticket(service)

    def second(_: float) -> None:
        with pytest.raises(RefusedError):
            rotation(service).rotate()
        rotation(service).run_if_due()

    assert rotation(service, second).rotate().destroyed == 1


def test_the_chore_replaces_the_key_only_when_it_is_old(service: Service):
    open_ticket(service)
    [first] = key_files(service)
    rotation(service).run_if_due()
    assert key_files(service) == [first]
    service.database.execute("UPDATE epochs SET started_at = now() - interval '24 hours 1 second'")
    rotation(service).run_if_due()
    assert key_files(service) != [first]


def test_keys_of_a_version_without_epochs_are_opened_and_sealed_in_an_epoch(make_service: MakeService):
    service = make_service(master_key=OTHER)
    ticket = uuid4()
    key = TicketKeys(service.database, Keyring(OTHER, TICKET_KEYRING)).get(ticket, create=True)
    assert service.history.keys.get(ticket) == key
    rotation(service).run_if_due()
    assert service.database.row("SELECT count(*) FROM ticket_keys WHERE epoch IS NULL") == (0,)
    with pytest.raises(DecryptionError):
        TicketKeys(service.database, Keyring(OTHER, TICKET_KEYRING)).get(ticket)
    assert _fresh_keys(service).get(ticket) == key


def _fresh_keys(service: Service) -> TicketKeys:
    epochs = Epochs(service.database, EpochStore(service.settings.epoch_keys))
    return TicketKeys(service.database, EpochKeyring(service.secrets.master, TICKET_KEYRING, epochs))


def test_erased_tickets_stay_erased_through_a_rotation(service: Service):
    ticket = open_ticket(service)
    service.commands.tickets.erase(SYSTEM, ticket)
    assert rotation(service).rotate().resealed == 0
    with pytest.raises(NotFoundError):
        _fresh_keys(service).get(ticket)


def test_a_damaged_value_does_not_keep_the_old_key_from_being_destroyed(
    service: Service, capfd: pytest.CaptureFixture[str]
):
    damaged, intact = open_ticket(service), open_ticket(service)
    service.database.execute(
        "UPDATE ticket_keys SET wrapped = set_byte(wrapped, 50, get_byte(wrapped, 50) # 1) WHERE ticket_id = %s",
        (damaged,),
    )
    for _ in range(2):
        assert rotation(service).rotate().destroyed == 1
    assert _fresh_keys(service).get(intact)
    # It is said once, counted, and not tried again by the chore.
    assert "".join(capfd.readouterr()).count("sealed values are damaged") == 1
    saved = living_file(service)
    rotation(service).run_if_due()
    assert living_file(service) == saved
    assert metrics(service)["storyledger_damaged_values"] == {"ticket_keys": 1} | dict.fromkeys(OTHER_TABLES, 0)


OTHER_TABLES = ("service_keys", "stripe_inbox", "outbox", "access_requests")


def living_file(service: Service) -> tuple[str, int]:
    [file] = (service.settings.data_dir / "epoch" / "objects" / "living").iterdir()
    return file.name, file.stat().st_ino


def metrics(service: Service) -> dict[str, dict[str, float]]:
    """Return the values of each metric by their label."""
    return {
        metric.name: {"".join(sample.labels.values()): sample.value for sample in metric.samples}
        for metric in Gauges(service.database, 24)._read()
    }


def test_the_age_of_the_oldest_key_tells_that_a_rotation_is_overdue_or_unfinished(service: Service):
    open_ticket(service)
    service.database.execute("UPDATE epoch_keys SET created_at = now() - interval '30 hours'")
    service.epochs.begin()
    now = metrics(service)
    assert now["storyledger_epoch_key_age_seconds"][""] == pytest.approx(30 * 3600, abs=600)
    assert now["storyledger_epoch_seconds"] == {"": 24 * 3600}
    rotation(service).run_if_due()
    assert metrics(service)["storyledger_epoch_key_age_seconds"][""] < 600


def test_the_keys_of_a_former_database_are_destroyed_after_a_time(service: Service):
    open_ticket(service)
    service.epochs.store.write(b"formerly", bytes(32))
    assert (adopt(service.database, service.epochs, 48), adopt(service.database, service.epochs, 48)) == (1, 0)
    assert rotation(service).rotate().destroyed == 1
    assert service.epochs.store.read(b"formerly") == bytes(32)
    service.database.execute("UPDATE epoch_keys SET kept_until = now() WHERE kept_until IS NOT NULL")
    rotation(service).run_if_due()
    assert service.epochs.store.names() == service.epochs.names()


def test_a_process_without_the_epoch_keys_of_the_others_is_refused(
    service: Service, database: Database, tmp_path: Path
):
    ticket = open_ticket(service)
    elsewhere = Epochs(database, EpochStore((tmp_path / "another-machine").as_uri()))
    with pytest.raises(EpochKeyMissingError, match="EPOCH_KEY_URL: "):
        elsewhere.check()
    with pytest.raises(EpochKeyMissingError):
        TicketKeys(database, EpochKeyring(MASTER, TICKET_KEYRING, elsewhere)).get(ticket)
    # Nor does it replace the key that the others use.
    names = service.epochs.names()
    with pytest.raises(EpochKeyMissingError):
        EpochRotation(database, elsewhere, 24, no_pause).rotate()
    assert service.epochs.names() == names
    service.epochs.refresh()
    assert _fresh_keys(service).get(open_ticket(service))
    assert _fresh_keys(service).get(ticket)
