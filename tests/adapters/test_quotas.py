"""Daily quotas are counted for all processes, never exceeded, and given back if nothing was stored."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.disk import FreeSpace, free_bytes_of
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.postgres.database import Database
from adapters.quotas import MIB, OwnerKind, Owners, Quota, QuotaExceeded, Quotas, Use
from domain.errors import FullError, UnavailableError
from tests.client import WAIT_SECONDS

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECORDING = Use(recordings=1, bytes=10)


class Day:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def quotas(database: Database, day: Day | None = None, floor_bytes: int = 0, **limits: str) -> Quotas:
    by_kind = {kind: Quota.parse(limits.get(kind, "")) for kind in OwnerKind}
    free_space = FreeSpace(floor_bytes, lambda: 100)
    return Quotas(database, KeyedHashes(("pepper",), "quota of an address"), by_kind, free_space, day or Day())


def owners(ticket_id: UUID | None = None, address: str | None = "203.0.113.7", workspace: str = "public") -> Owners:
    return Owners(ticket_id or uuid4(), workspace, address)


def use(counter: Quotas, whose: Owners, what: Use = RECORDING) -> None:
    with counter.reserved(whose, what):
        pass


def test_a_quota_is_used_up_to_its_limit_and_not_beyond(database: Database):
    counter, whose = quotas(database, ticket="3 recordings, 1 MB"), owners()
    for _ in range(3):
        use(counter, whose)
    for _ in range(2):
        with pytest.raises(QuotaExceeded, match=r"This ticket has used 3 of 3 recordings, 1 of 1 MB today") as refused:
            use(counter, whose)
        assert refused.value.status.used == Use(recordings=3, bytes=30)
        assert refused.value.status.ends_at == datetime(2026, 11, 22, tzinfo=UTC)
    use(counter, owners())
    use(counter, whose, Use(documents=1))


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ("2 recordings", Use(recordings=2)),
        ("2 documents", Use(documents=2)),
        ("2 MB", Use(bytes=2 * MIB)),
        ("2 minutes", Use(audio_seconds=120)),
    ],
)
def test_each_amount_has_its_limit(database: Database, limit: str, most: Use):
    counter, whose = quotas(database, ticket=limit), owners()
    more = Use(*(used + (used > 0) for used in vars(most).values()))
    with pytest.raises(QuotaExceeded):
        use(counter, whose, more)
    use(counter, whose, most)


def test_a_failed_request_is_given_back_to_the_quota_of_every_owner(database: Database):
    counter = quotas(database, ticket="1 recordings", address="1 recordings", workspace="1 recordings")
    whose = owners()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), counter.reserved(whose, RECORDING):
            raise ZeroDivisionError
    use(counter, whose)


def test_an_address_shares_its_quota_among_its_tickets_and_a_workspace_among_its_addresses(database: Database):
    counter = quotas(database, address="2 recordings", workspace="4 recordings")
    for _ in range(2):
        use(counter, owners())
    with pytest.raises(QuotaExceeded, match="Your address has used 2 of 2 recordings"):
        use(counter, owners())
    use(counter, owners(address="203.0.113.8"))
    use(counter, owners(address=None))
    with pytest.raises(QuotaExceeded, match="This workspace has used 4 of 4 recordings"):
        use(counter, owners(address=None))
    use(counter, owners(address=None, workspace="another"))


def test_requests_at_the_same_time_never_exceed_a_quota(database: Database):
    counter, whose = quotas(database, ticket="3 recordings"), owners()
    together = threading.Barrier(6, timeout=WAIT_SECONDS)

    def try_to_use(_: int) -> bool:
        together.wait()
        try:
            use(counter, whose)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(6) as executor:
        assert sorted(executor.map(try_to_use, range(6))) == [False] * 3 + [True] * 3


def test_a_new_day_begins_at_midnight_utc_and_older_days_are_deleted(database: Database):
    day, whose = Day(), owners()
    counter = quotas(database, day, ticket="1 recordings")
    use(counter, whose)
    day.now = NOON + timedelta(hours=11, minutes=59)
    with pytest.raises(QuotaExceeded):
        use(counter, whose)
    day.now = NOON + timedelta(hours=12)
    use(counter, whose)
    counter.purge()
    assert database.row("SELECT count(DISTINCT day) FROM quota_use") == (2,)
    day.now += timedelta(days=1)
    counter.purge()
    assert database.row("SELECT count(DISTINCT day) FROM quota_use") == (1,)


def test_no_address_is_stored(database: Database):
    use(quotas(database), owners(address="203.0.113.7"))
    assert database.row("SELECT count(*) FROM quota_use WHERE owner LIKE '%203.0%'") == (0,)
    assert database.row("SELECT count(*) FROM quota_use WHERE owner LIKE 'address:%'") == (1,)


def test_content_that_would_leave_too_little_space_is_refused_and_uses_nothing(database: Database):
    counter, whose = quotas(database, floor_bytes=90, ticket="1 recordings"), owners()
    with pytest.raises(FullError):
        use(counter, whose, replace(RECORDING, bytes=11))
    use(counter, whose, RECORDING)


def test_free_space_counts_every_place_and_a_floor_of_0_none():
    with pytest.raises(FullError), FreeSpace(1, lambda: None, lambda: 5).reserved(5):
        pass
    with FreeSpace(1, lambda: None, lambda: 5).reserved(4), FreeSpace(0, lambda: 5).reserved(50):
        pass
    assert free_bytes_of("/") > 0
    with pytest.raises(UnavailableError):
        free_bytes_of("/no/such/folder")


def test_content_that_is_being_written_counts_against_the_free_space():
    space = FreeSpace(1, lambda: 10)
    with space.reserved(6):
        with pytest.raises(FullError), space.reserved(4):
            pass
        with space.reserved(3):
            pass
    with space.reserved(9):
        pass


@pytest.mark.parametrize("text", ["20", "-1 recordings", "2 uploads", "1 MB, 2 MB", "1 MB 2 minutes", "1.5 MB", "many"])
def test_a_quota_that_cannot_be_read_is_refused(text: str):
    with pytest.raises(ValueError, match="must be like"):
        Quota.parse(text)


def test_a_quota_names_only_what_it_limits():
    assert Quota.parse("") == Quota()
    assert Quota.parse(" 20 recordings,50 documents, 200 MB ,120 minutes") == Quota(20, 50, 200 * MIB, 7200)
