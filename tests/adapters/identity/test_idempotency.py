"""A repeated request is executed once and gets the first answer, also after a crash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING, TicketKeys
from adapters.identity import idempotency
from adapters.identity.idempotency import IdempotencyKeys, NewRequest, ReplayedAnswer, RequestInProgress, RequestSeed
from adapters.ids import SLUG_ALPHABET, SLUG_LENGTH
from adapters.postgres.database import Database
from domain.errors import InvalidError
from tests.client import eventually

PLACE = ("client:1", "POST /api/tickets/create", "key-1")
RING = Keyring(("m" * 40,), "service keys")


@pytest.fixture
def keys(database: Database) -> IdempotencyKeys:
    return IdempotencyKeys(database, RING, TicketKeys(database, Keyring(("m" * 40,), TICKET_KEYRING)))


@pytest.fixture
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make leases so long that none ends while a test runs, however slow the machine is."""
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 3600)


def begin_request(keys: IdempotencyKeys, place: tuple[str, str, str] = PLACE, body: str = "body") -> RequestSeed:
    answer = keys.begin(*place, body)
    assert isinstance(answer, NewRequest)
    return answer.seed


def stored(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(query.encode()).fetchall()


def lapse(database: Database) -> None:
    """Let the lease expire, as after a crash of its process."""
    stored(database, "UPDATE idempotency_keys SET lease_until = now() - interval '1 second' RETURNING 1")


def test_the_same_key_with_the_same_body_replays_the_first_answer(keys: IdempotencyKeys):
    begin_request(keys)
    keys.store_answer(*PLACE, b"the answer")
    assert keys.begin(*PLACE, "body") == ReplayedAnswer(b"the answer")
    assert keys.begin(*PLACE, "body") == ReplayedAnswer(b"the answer")


@pytest.mark.parametrize("finished", [True, False])
def test_the_same_key_with_another_body_is_refused(keys: IdempotencyKeys, finished: bool):
    begin_request(keys)
    if finished:
        keys.store_answer(*PLACE, b"the answer")
    with pytest.raises(InvalidError):
        keys.begin(*PLACE, "another body")


@pytest.mark.usefixtures("long_leases")
def test_a_repeated_request_is_refused_while_the_first_is_in_progress(keys: IdempotencyKeys):
    begin_request(keys)
    with pytest.raises(RequestInProgress):
        keys.begin(*PLACE, "body")


def test_a_key_belongs_to_one_caller_and_one_path(keys: IdempotencyKeys):
    seeds = [begin_request(keys)]
    for at, other in enumerate(("client:2", "POST /api/support/ticket", "key-2")):
        seeds.append(begin_request(keys, (*PLACE[:at], other, *PLACE[at + 1 :])))
    assert len({seed.id("ticket") for seed in seeds}) == 4


@pytest.mark.usefixtures("long_leases")
def test_after_a_crash_the_request_resumes_with_the_same_ids_once_the_lease_is_over(
    database: Database, keys: IdempotencyKeys
):
    first = begin_request(keys)
    lapse(database)
    resumed = begin_request(keys)
    assert (first.id("ticket"), first.slug(), first.secret("token")) == (
        resumed.id("ticket"),
        resumed.slug(),
        resumed.secret("token"),
    )
    with pytest.raises(RequestInProgress):
        keys.begin(*PLACE, "body")


def test_a_released_request_may_be_sent_again_at_once(keys: IdempotencyKeys):
    first = begin_request(keys)
    keys.release(*PLACE)
    assert begin_request(keys).id("ticket") == first.id("ticket")


def test_a_lease_is_short_enough_for_a_retrying_client():
    assert idempotency.LEASE_SECONDS <= 5


@pytest.mark.usefixtures("long_leases")
def test_a_long_request_keeps_its_lease(database: Database, keys: IdempotencyKeys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(idempotency, "RENEWAL_SECONDS", 0.02)
    begin_request(keys)
    with keys.hold_lease(*PLACE):
        lapse(database)
        eventually(lambda: stored(database, "SELECT lease_until > now() FROM idempotency_keys") == [(True,)])
        with pytest.raises(RequestInProgress):
            keys.begin(*PLACE, "body")
    lapse(database)
    assert begin_request(keys)


@pytest.mark.usefixtures("long_leases")
def test_only_one_of_many_concurrent_requests_begins(keys: IdempotencyKeys):
    def begin(_: int) -> str:
        try:
            return type(keys.begin(*PLACE, "body")).__name__
        except RequestInProgress:
            return "RequestInProgress"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(begin, range(6))) == ["NewRequest", *["RequestInProgress"] * 5]


def test_a_key_is_deleted_after_a_day(database: Database, keys: IdempotencyKeys):
    first = begin_request(keys)
    keys.store_answer(*PLACE, b"the answer")
    stored(database, "UPDATE idempotency_keys SET created_at = now() - interval '23 hours' RETURNING 1")
    assert keys.begin(*PLACE, "body") == ReplayedAnswer(b"the answer")
    stored(database, "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' RETURNING 1")
    assert begin_request(keys, body="another body").id("ticket") != first.id("ticket")


def test_seeds_and_answers_are_encrypted(database: Database, keys: IdempotencyKeys):
    seed = begin_request(keys)
    keys.store_answer(*PLACE, b"tkt_secret of ada@example.com")
    [row] = stored(database, "SELECT seed, answer, idempotency_keys::text FROM idempotency_keys")
    assert seed.dump() not in bytes(row[0])
    assert b"ada@example.com" not in bytes(row[1])
    assert b"ada@example.com".hex() not in row[2]


# Seeds.


def test_ids_of_a_seed_differ_by_purpose_and_request():
    first_seed, second_seed = RequestSeed.new(), RequestSeed.new()
    ids = [seed.id(purpose) for seed in (first_seed, second_seed) for purpose in ("ticket", "donation")]
    assert len(set(ids)) == 4
    assert all(id.version == 7 for id in ids)


@given(st.binary(min_size=32, max_size=32))
def test_a_slug_can_be_read_aloud(entropy: bytes):
    slug = RequestSeed(bytes(8) + entropy).slug()
    assert len(slug) == SLUG_LENGTH
    assert set(slug) <= set(SLUG_ALPHABET)
