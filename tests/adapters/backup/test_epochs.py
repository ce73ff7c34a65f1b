"""A backup that is older than an erasure opens the living and nobody else, once the epoch key was replaced."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.backup import restoring, taking
from adapters.backup.parts import BackupError, BackupKeys
from adapters.encryption.epoch_store import EpochStore
from adapters.encryption.epochs import EpochKeyMissingError, Epochs, seal
from adapters.postgres.database import connect
from adapters.privacy.epoch_rotation import EpochRotation
from adapters.privacy.key_recovery import EpochKeys, KeylessTicketsError, recover
from adapters.storage.files import FileStorage
from domain.errors import NotFoundError
from domain.values import SYSTEM
from entrypoints.composition.service import Service
from entrypoints.composition.settings import Settings
from tests.money import Ledger
from tests.postgres import fresh_database

MASTER = ("m" * 40,)


def rotate(service: Service) -> None:
    EpochRotation(service.database, service.epochs, 24, lambda _: None).rotate()


def key_names(place: Path) -> set[str]:
    return {path.name for path in (place / "objects" / "keys").iterdir()}


def name_of(service: Service, ticket: UUID) -> str | None:
    """Return the display name, read with the ticket's key."""
    service.history.keys.get(ticket)
    return service.aggregates.tickets.get(ticket).display_name


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    return make_service(master_key=MASTER)


@pytest.fixture
def empty(server_url: str) -> Iterator[str]:
    with fresh_database(server_url) as url:
        yield url


class Restore:
    """Restores a backup into another database, storage and place of epoch keys."""

    def __init__(self, service: Service, url: str, folder: Path) -> None:
        self.service, self.url, self.folder = service, url, folder
        self.file, self.data, self.former = folder / "backup", folder / "restored", folder / "var" / "epoch"

    def take(self) -> None:
        storage, place = self.service.content.storage, self.service.settings.epoch_keys
        taking.take_backup(self.service.url, storage, self.file, BackupKeys(MASTER), "1.2.3", place)

    def restore(self, master_keys: tuple[str, ...] | None = MASTER, **more: Any) -> restoring.RestoreReport:
        storage = FileStorage(self.folder / "other")
        place = (self.data / "epoch").as_uri()
        return restoring.restore(self.url, storage, self.file, master_keys, place, **more)

    def open(self) -> Service:
        settings = Settings(data_dir=self.data, storage_url=(self.folder / "other").as_uri(), master_key=MASTER)
        return Service(settings, self.url, frozenset())


@pytest.fixture
def other(service: Service, empty: str, tmp_path: Path) -> Restore:
    return Restore(service, empty, tmp_path)


def test_a_backup_older_than_an_erasure_opens_only_the_living_after_the_next_rotation(service: Service, other: Restore):
    ledger = Ledger(service)
    living, erased = ledger.ticket(), ledger.ticket()
    name = name_of(service, living)
    payment = ledger.payment(living)
    ledger.deliver(payment.completed())  # received and not applied
    other.take()
    service.commands.tickets.erase(SYSTEM, erased)
    for _ in range(2):
        rotate(service)
    before = key_names(other.former)

    report = other.restore()
    assert (report.keyless, report.dropped) == (1, 1)
    restored = other.open()
    try:
        restored.epochs.check()
        assert name_of(restored, living) == name
        with pytest.raises(NotFoundError):
            name_of(restored, erased)
        # Stripe lists the webhook again, and it is applied.
        later = Ledger(restored)
        later.take(payment.completed())
        assert later.totals(living) == {"USD": (10_000, 0, 10_000)}
        # The restored database replaces its own key, and leaves those of the other one alone.
        first = key_names(other.data / "epoch")
        rotate(restored)
        assert len(key_names(other.data / "epoch")) == 1
        assert key_names(other.data / "epoch") != first
        assert name_of(restored, living) == name
    finally:
        restored.stop()
    assert key_names(other.former) == before
    assert name_of(service, living) == name


def test_a_donor_who_was_forgotten_after_the_backup_stays_forgotten(service: Service, other: Restore):
    ledger = Ledger(service)
    forgotten, kept = ledger.payment(), ledger.payment()
    ledger.take(forgotten.completed(), kept.completed())
    other.take()
    service.commands.donors.forget(SYSTEM, forgotten.ticket_id, forgotten.donation_id, datetime.now(UTC))
    rotate(service)
    assert other.restore().keyless == 1
    restored = other.open()
    try:
        later = Ledger(restored)
        later.follow()
        assert [later.view(payment).donor for payment in (forgotten, kept)] == ["Anonymous", "Hopper"]
        assert later.totals(forgotten.ticket_id) == {"USD": (10_000, 0, 10_000)}
    finally:
        restored.stop()


def test_a_backup_of_the_present_epoch_is_restored_as_it_is(service: Service, other: Restore):
    ticket = Ledger(service).ticket()
    other.take()
    assert other.restore().keyless == 0
    restored = other.open()
    assert name_of(restored, ticket) == name_of(service, ticket)
    restored.stop()


def test_a_restore_without_the_epoch_keys_is_refused_before_it_writes_anything(
    service: Service, other: Restore, tmp_path: Path
):
    ticket = Ledger(service).ticket()
    name = name_of(service, ticket)
    other.take()
    elsewhere = tmp_path / "kept elsewhere"
    shutil.move(other.former, elsewhere)
    with pytest.raises(BackupError, match=r"EPOCH_KEY_URL: .*--epoch-keys"):
        other.restore()
    with connect(other.url) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)
    other.restore(former_epoch_keys=elsewhere.as_uri())
    restored = other.open()
    assert name_of(restored, ticket) == name
    restored.stop()


def test_with_any_key_the_history_is_restored_without_personal_data(service: Service, other: Restore):
    ledger = Ledger(service)
    ticket = ledger.ticket()
    payment = ledger.payment(ticket)
    ledger.take(payment.completed())
    service.access.idempotency.begin("visitor", "POST /x", "key", "body")
    other.take()
    shutil.rmtree(other.former)
    # The keys of the ticket and of the donation.
    assert other.restore(None).keyless == 2
    restored = other.open()
    assert Ledger(restored).totals(ticket) == {"USD": (10_000, 0, 10_000)}
    restored.access.idempotency.begin("visitor", "POST /x", "key", "body")
    restored.stop()


def test_a_restore_with_living_keys_older_than_a_ticket_is_refused_unless_its_loss_is_accepted(
    service: Service, other: Restore, tmp_path: Path
):
    ledger = Ledger(service)
    living = ledger.ticket()
    rotate(service)
    stale = tmp_path / "stale"
    shutil.copytree(other.former, stale)
    newer = ledger.ticket()
    service.database.execute(
        "UPDATE ticket_keys SET created_at = now() + interval '1 hour' WHERE ticket_id = %s", (newer,)
    )
    rotate(service)
    other.take()
    name = name_of(service, living)
    shutil.rmtree(other.former)
    with pytest.raises(KeylessTicketsError, match="--accept-keyless 1"):
        other.restore(former_epoch_keys=stale.as_uri())
    with pytest.raises(KeylessTicketsError):
        other.restore(former_epoch_keys=stale.as_uri(), accept_keyless=2)
    assert other.restore(former_epoch_keys=stale.as_uri(), accept_keyless=1).keyless == 1
    restored = other.open()
    assert name_of(restored, living) == name
    restored.stop()


def test_living_keys_in_the_target_that_are_older_or_of_another_database_are_passed_over(
    service: Service, other: Restore, tmp_path: Path
):
    ledger = Ledger(service)
    ticket = ledger.ticket()
    rotate(service)
    shutil.copytree(other.former, other.data / "epoch")
    newer = ledger.ticket()
    other.take()
    rotate(service)
    foreign = EpochStore((other.data / "epoch").as_uri())
    foreign.write(b"notours!", bytes(32))
    sealed = seal(b"notours!", AESGCM(bytes(32)), bytes(68))
    foreign.save_living(b"notours!", [[("ticket_keys", str(uuid4()), sealed)]])
    assert other.restore(former_epoch_keys=other.former.as_uri()).keyless == 0
    restored = other.open()
    assert name_of(restored, ticket) == name_of(service, ticket)
    assert name_of(restored, newer) == name_of(service, newer)
    restored.stop()


def test_a_list_of_living_keys_that_a_crash_left_overwritten_is_passed_over(tmp_path: Path):
    store = EpochStore(tmp_path.as_uri())
    for name in (b"damaged!", b"complete"):
        store.write(name, bytes(32))
        store.save_living(name, [[("ticket_keys", "1", b"sealed")]])
    path = tmp_path / "objects" / "living" / b"damaged!".hex()
    path.write_bytes(secrets.token_bytes(path.stat().st_size))
    [(_, name)] = store.living_lists()
    assert list(store.living(name)) == [("ticket_keys", "1", b"sealed")]


# Databases that returned to an older state in another way.

SAVED = ("epoch_keys", "epochs", "ticket_keys")


def test_the_keys_of_a_database_that_returned_to_an_older_state_are_recovered(service: Service, tmp_path: Path):
    ledger = Ledger(service)
    living, erased = ledger.ticket(), ledger.ticket()
    name = name_of(service, living)
    with connect(service.url) as connection:
        for table in SAVED:
            connection.execute(f"CREATE TABLE saved_{table} AS SELECT * FROM {table}".encode())
    service.commands.tickets.erase(SYSTEM, erased)
    rotate(service)
    with connect(service.url) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in reversed(SAVED):
            connection.execute(f"DELETE FROM {table}".encode())
        for table in SAVED:
            identity = "OVERRIDING SYSTEM VALUE" if table == "epochs" else ""
            connection.execute(f"INSERT INTO {table} {identity} SELECT * FROM saved_{table}".encode())

    store = EpochStore(service.settings.epoch_keys)
    epochs = Epochs(service.database, store)
    with pytest.raises(EpochKeyMissingError, match="keys recover"):
        epochs.check()
    [rotated_to] = key_names(tmp_path / "var" / "epoch")
    names = epochs.names()
    with pytest.raises(KeylessTicketsError, match="--accept-keyless 1"):
        recover(service.database, epochs, EpochKeys([store]), keep_hours=48)
    assert (epochs.names(), key_names(tmp_path / "var" / "epoch")) == (names, {rotated_to})
    report = recover(service.database, epochs, EpochKeys([store]), keep_hours=48, accept_keyless=1)
    assert (report.recovered, report.keyless) == (1, 1)
    service.epochs.refresh()
    service.history.keys._cache.clear()
    assert name_of(service, living) == name
    with pytest.raises(NotFoundError):
        name_of(service, erased)
    # If the database is a copy of another one, that one still uses its key, and soon replaces it.
    rotate(service)
    assert rotated_to in key_names(tmp_path / "var" / "epoch")
    service.database.execute("UPDATE epoch_keys SET kept_until = now() WHERE kept_until IS NOT NULL")
    rotate(service)
    assert rotated_to not in key_names(tmp_path / "var" / "epoch")
    assert len(key_names(tmp_path / "var" / "epoch")) == 1
