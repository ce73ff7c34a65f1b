"""Tickets and donations are recorded once, decided again after a conflict, and replayed to the same state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError
from hypothesis import Phase, given, settings

from adapters.event_store.history import ERASED, MAX_ATTEMPTS, LogRecorder, StoredTickets, Streams
from adapters.postgres.database import Database
from domain.donations import Donation
from domain.errors import AlreadyProcessing, NotFoundError, RefusedError, StaleVersionError, UnavailableError
from domain.events import PaymentReceived
from domain.ports import Donations, Tickets
from domain.tickets import NewTicket, RecordingTicket
from domain.values import Actor, GiftWords, Money, Role, StripeReport
from tests.domain.facts import AUDIO, CONTACT, HOLDER, RECORDING, SOUND
from tests.fakes.databases import LosingDatabase
from tests.fakes.entries import STATE, entries, entry
from tests.fakes.requests import TicketRequest, histories
from tests.fakes.stores import MemoryDonations, MemoryTickets
from tests.stores import Stores

NO_WORDS = GiftWords()


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(database)


def ticket(ticket_id: UUID, name: str | None = "Ada") -> RecordingTicket:
    new_ticket = NewTicket(ticket_id, "public", ticket_id.hex[:12], CONTACT, "index", name, "digest")
    return RecordingTicket.open(HOLDER, new_ticket)


def state(aggregate: Any) -> dict[str, Any]:
    # The recording time differs from the time of the decision.
    times = ("_created_on", "_modified_on", "_pending_events", "last_act")
    return {name: value for name, value in vars(aggregate).items() if name not in times}


def jobs(database: Database) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute("SELECT args->>'step', args->>'recording' FROM procrastinate_jobs").fetchall()


# The contract of the ports, which the fakes keep as well.


@pytest.fixture(params=["in memory", "in PostgreSQL"])
def ports(request: pytest.FixtureRequest) -> tuple[Tickets, Donations]:
    if request.param == "in memory":
        return MemoryTickets(), MemoryDonations()
    stores: Stores = request.getfixturevalue("stores")
    return stores.tickets, stores.donations


def test_a_ticket_that_was_added_is_loaded_unchanged(ports: tuple[Tickets, Donations]):
    tickets, _ = ports
    ada = ticket(uuid4())
    tickets.add(ada)
    assert state(tickets.get(ada.id)) == state(ada)


def test_adding_the_same_ticket_again_changes_nothing(ports: tuple[Tickets, Donations]):
    tickets, _ = ports
    ada = uuid4()
    tickets.add(ticket(ada))
    tickets.change(ada, lambda t: t.rename(HOLDER, "Grace"))
    tickets.add(ticket(ada))
    assert tickets.get(ada).display_name == "Grace"
    assert tickets.get(ada).version == 2


def test_a_stream_that_was_never_added_is_not_found(ports: tuple[Tickets, Donations]):
    tickets, donations = ports
    for read in (
        lambda: tickets.get(uuid4()),
        lambda: tickets.change(uuid4(), lambda t: None),
        lambda: donations.get(uuid4(), uuid4()),
        lambda: donations.change(uuid4(), uuid4(), lambda d: None),
    ):
        with pytest.raises(NotFoundError):
            read()


def test_a_change_returns_the_decision_and_is_stored(ports: tuple[Tickets, Donations]):
    tickets, _ = ports
    ada = uuid4()
    tickets.add(ticket(ada))
    assert tickets.change(ada, lambda t: (t.rename(HOLDER, None), t.version)[1]) == 2
    assert tickets.get(ada).display_name is None


def test_a_change_that_decides_nothing_or_fails_leaves_the_ticket_as_it_was(ports: tuple[Tickets, Donations]):
    tickets, _ = ports
    ada = uuid4()
    tickets.add(ticket(ada))

    def fail(loaded: RecordingTicket) -> None:
        loaded.rename(HOLDER, "Grace")
        raise RefusedError("no")

    tickets.change(ada, lambda t: None)
    with pytest.raises(RefusedError):
        tickets.change(ada, fail)
    assert (tickets.get(ada).display_name, tickets.get(ada).version) == ("Ada", 1)


def test_a_change_for_another_version_is_stale(ports: tuple[Tickets, Donations]):
    tickets, _ = ports
    ada = uuid4()
    tickets.add(ticket(ada))
    with pytest.raises(StaleVersionError):
        tickets.change(ada, lambda t: t.rename(HOLDER, "Grace"), if_match=2)
    tickets.change(ada, lambda t: t.rename(HOLDER, "Grace"), if_match=1)
    with pytest.raises(StaleVersionError):
        tickets.change(ada, lambda t: t.rename(HOLDER, "Ada"), if_match=1)


def test_donations_do_not_change_the_version_of_their_ticket(ports: tuple[Tickets, Donations]):
    tickets, donations = ports
    ada, gift = uuid4(), uuid4()
    tickets.add(ticket(ada))
    for _ in range(2):
        donations.add(Donation.request_checkout(HOLDER, ada, gift, Money(5_000, "USD"), "For the roof"))
    report = StripeReport("evt_1", 1_700_000_000)
    fields = {"payment_intent_id": "pi_1", "amount": Money(5_000, "USD"), "report": report}
    for _ in range(2):
        donations.change(ada, gift, lambda d: d.record(Actor(Role.STRIPE), PaymentReceived, **fields))
    assert (donations.get(ada, gift).gift.paid, donations.get(ada, gift).version) == (5_000, 2)
    assert donations.get(ada, gift).description == "For the roof"
    assert tickets.get(ada).version == 1


# The key of a donation. `Stores(database).keys` has cached none.


def requested(ada: UUID, words: GiftWords = NO_WORDS) -> Donation:
    return Donation.request_checkout(HOLDER, ada, uuid4(), Money(5_000, "USD"), None, words=words)


def test_a_donation_is_stored_with_its_key_which_it_keeps_when_it_is_added_again(database: Database, stores: Stores):
    donation = requested(uuid4())
    stores.donations.add(donation)
    key = Stores(database).keys.get(donation.id)
    stores.donations.add(
        Donation.request_checkout(HOLDER, donation.ticket_id, donation.donation_id, Money(1, "USD"), None)
    )
    assert Stores(database).keys.get(donation.id) == key


def test_words_are_sealed_with_the_key_that_the_donation_has(database: Database, stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    donation = requested(ada, GiftWords("Grace", "Get well soon", True))
    stores.keys.create(donation.id)
    Stores(database).donations.add(donation)
    assert Stores(database).donations.get(ada, donation.donation_id).words == donation.words


# Concurrent changes, which the fakes do not support.


def rival(stores: Stores, ada: UUID, names: list[str]) -> Callable[[RecordingTicket], None]:
    """Return a decision during which another request renames the ticket, once for each name."""

    def decide(loaded: RecordingTicket) -> None:
        if names:
            name = names.pop(0)
            stores.tickets.change(ada, lambda t: t.rename(HOLDER, name))
        loaded.rename(HOLDER, f"{loaded.display_name}!")

    return decide


def test_a_decision_is_repeated_after_a_concurrent_write(stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    stores.tickets.change(ada, rival(stores, ada, ["Grace", "Joan"]))
    assert stores.tickets.get(ada).display_name == "Joan!"
    assert stores.tickets.get(ada).version == 4


def test_a_decision_for_one_version_is_not_repeated(stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    with pytest.raises(StaleVersionError):
        stores.tickets.change(ada, rival(stores, ada, ["Grace"]), if_match=1)
    assert stores.tickets.get(ada).display_name == "Grace"


def test_a_decision_that_conflicts_every_time_is_refused(stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    with pytest.raises(RefusedError):
        stores.tickets.change(ada, rival(stores, ada, [str(n) for n in range(MAX_ATTEMPTS)]))


def test_the_callback_gets_the_position_of_new_events(stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    stores.tickets.change(ada, lambda t: t.rename(HOLDER, "Grace"))
    stores.tickets.change(ada, lambda t: t.rename(HOLDER, "Grace"))
    assert stores.recorded == [1, 2]


# The pool's own threads draw from `random` while an example is being made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@given(histories)
@settings(max_examples=30, phases=[Phase.explicit, Phase.generate])
def test_a_loaded_ticket_equals_the_ticket_that_was_changed(stores: Stores, requests: list[TicketRequest]):
    changed_ticket = ticket(uuid4())
    stores.history.save(changed_ticket)
    for request in requests:
        request(changed_ticket)
        stores.history.save(changed_ticket)
    assert state(stores.tickets.get(changed_ticket.id)) == state(changed_ticket)


def test_an_erased_ticket_still_replays_and_says_so(stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    stores.tickets.change(ada, lambda t: t.edit_draft(HOLDER, {"title": "A roof", "breakdown": ("tiles",)}))
    stores.tickets.change(ada, lambda t: t.erase(HOLDER))
    stores.keys.destroy(ada)
    loaded = stores.tickets.get(ada)
    assert (loaded.contact.value, loaded.display_name) == (ERASED, ERASED)
    assert (loaded.draft.title, loaded.draft.breakdown) == (ERASED, (ERASED,))
    assert loaded.erased


def test_opening_an_erased_ticket_again_does_not_break_its_history(stores: Stores):
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    stores.tickets.change(ada, lambda t: t.erase(HOLDER))
    stores.keys.destroy(ada)
    with pytest.raises(NotFoundError):
        stores.tickets.add(ticket(ada))
    assert stores.tickets.get(ada).display_name == ERASED


# Steps are enqueued in the transaction of the event that requests them.


def uploaded(stores: Stores) -> UUID:
    ada = uuid4()
    stores.tickets.add(ticket(ada))
    stores.tickets.change(ada, lambda t: t.upload(HOLDER, RECORDING, SOUND, AUDIO, None))
    return ada


def test_a_step_is_enqueued_with_the_event_that_requests_it(database: Database, stores: Stores):
    ada = uploaded(stores)
    assert jobs(database) == []
    stores.tickets.change(ada, lambda t: t.process(HOLDER))
    assert jobs(database) == [("transcribe", str(RECORDING))]


def test_a_conflict_enqueues_no_step(database: Database, stores: Stores):
    ada = uploaded(stores)
    stale_ticket = stores.tickets.get(ada)
    stale_ticket.process(HOLDER)
    stores.tickets.change(ada, lambda t: t.rename(HOLDER, "Grace"))
    with pytest.raises(IntegrityError):
        stores.history.save(stale_ticket, effects=lambda cursor: pytest.fail("work was queued"))
    assert jobs(database) == []


def test_an_event_whose_step_cannot_be_enqueued_is_not_recorded(database: Database):
    stores = Stores(database)
    ada = uploaded(stores)

    def fail(*_: Any) -> None:
        raise RuntimeError("the queue is broken")

    broken = StoredTickets(Streams(stores.history, fail, stores.recorded.append))
    with pytest.raises(RuntimeError):
        broken.change(ada, lambda t: t.process(HOLDER))
    assert stores.tickets.get(ada).version == 2


def test_a_commit_without_a_confirmation_is_recognised_when_repeated(migrated_url: str):
    with LosingDatabase(migrated_url) as database:
        stores = Stores(database)
        ada = uploaded(stores)
        stores.tickets.get(ada)

        def process(loaded: RecordingTicket) -> None:
            loaded.process(HOLDER)
            database.losses = 1

        with pytest.raises(UnavailableError):
            stores.tickets.change(ada, process)
        with pytest.raises(AlreadyProcessing):
            stores.tickets.change(ada, lambda t: t.process(HOLDER))
        assert len(jobs(database)) == 1


# The library's contract of a recorder.


@pytest.fixture
def recorder(stores: Stores) -> LogRecorder:
    return LogRecorder(stores.log)


def test_a_recorder_gives_positions_and_refuses_a_version_that_is_taken(recorder: LogRecorder):
    stream = uuid4()
    assert recorder.max_notification_id() is None
    assert recorder.insert_events(entries(3, stream)) == [1, 2, 3]
    assert recorder.max_notification_id() == 3
    with pytest.raises(IntegrityError):
        recorder.insert_events([entry(stream, 3, state=STATE + b" ")])


def test_a_recorder_selects_events_of_a_stream(recorder: LogRecorder):
    stream = uuid4()
    recorder.insert_events(entries(5, stream))

    def versions(**selection: Any) -> list[int]:
        return [event.originator_version for event in recorder.select_events(stream, **selection)]

    assert versions() == [1, 2, 3, 4, 5]
    assert versions(gt=2) == [3, 4, 5]
    assert versions(lte=2) == [1, 2]
    assert versions(lte=0) == []
    assert versions(gt=1, lte=4) == [2, 3, 4]
    assert versions(desc=True) == [5, 4, 3, 2, 1]
    assert versions(desc=True, limit=2) == [5, 4]
    assert versions(gt=1, limit=1) == [2]
    assert versions(limit=0) == []
    assert list(recorder.select_events(uuid4())) == []


def test_a_recorder_selects_notifications_of_all_streams(recorder: LogRecorder):
    for _ in range(6):
        recorder.insert_events([entry()])

    def ids(*args: Any, **more: Any) -> list[int]:
        return [notification.id for notification in recorder.select_notifications(*args, **more)]

    assert ids(None, 10) == [1, 2, 3, 4, 5, 6]
    assert ids(3, 10) == [3, 4, 5, 6]
    assert ids(3, 10, inclusive_of_start=False) == [4, 5, 6]
    assert ids(3, 2) == [3, 4]
    assert ids(3, 10, 4) == [3, 4]
    assert ids(1, 10, topics=["published"]) == []
    assert ids(1, 2, topics=["published", "display_name_changed"]) == [1, 2]


def test_a_limit_counts_only_the_selected_notifications(stores: Stores, recorder: LogRecorder):
    stores.tickets.add(ticket(uuid4()))
    recorder.insert_events(entries(7))
    stores.tickets.add(ticket(uuid4()))
    assert [notification.id for notification in recorder.select_notifications(1, 2, topics=["ticket_opened"])] == [1, 9]
