"""A ticket is suspended and reinstated, and no checkout of a page that was taken down can be paid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.commands import Commands
from domain.commands.pending_calls import PendingCallCommands
from domain.donations import Donation, donation_stream
from domain.errors import NotFoundError, RefusedError, UnavailableError
from domain.events import (
    CheckoutExpired,
    CheckoutOpened,
    CheckoutRefused,
    CheckoutRequested,
    Erased,
    PaymentFailed,
    PaymentReceived,
    Published,
    TicketReinstated,
    TicketSuspended,
    Unpublished,
)
from domain.safety import SafetyReview
from domain.tickets import NewTicket
from domain.values import STRIPE, SYSTEM, Actor, ContentStatus, DonationStatus, Money, Role, StripeReport
from tests.domain.facts import COMPLETE, CONTACT, HOLDER, TICKET, WRITTEN, Fact, fact, given, new_facts
from tests.fakes.outside import NOW, FakeCheckouts, fake_commands

ADMIN = Actor(Role.ADMIN, "key")
REASON = "It looks like fraud."
DONATION = UUID(int=77)
PAGE = "https://stories.example/d/abcdefghjkmn"
PUBLISHED = (*WRITTEN, fact(Published))
SUSPENDED = (*PUBLISHED, fact(TicketSuspended))
FAILURE = {"object_id": "pi_1", "reason": "declined", "report": StripeReport("evt_1", 1_700_000_000)}


# The ticket.


def test_a_suspension_has_an_actor_and_a_reason():
    ticket = given(*PUBLISHED)
    ticket.suspend(ADMIN, REASON)
    ticket.reinstate(ADMIN)
    assert new_facts(ticket) == [
        fact(TicketSuspended, actor=ADMIN, reason=REASON),
        fact(TicketReinstated, actor=ADMIN),
    ]


def test_a_repeated_suspension_is_recorded_only_with_a_new_reason():
    ticket = given(*SUSPENDED)
    ticket.suspend(ADMIN, REASON)
    ticket.suspend(ADMIN, "The person in it is somebody else.")
    assert [change.kind for change in new_facts(ticket)] == [TicketSuspended]


def test_a_ticket_may_be_suspended_again_for_the_same_reason():
    ticket = given(*SUSPENDED, fact(TicketReinstated))
    ticket.reinstate(ADMIN)
    ticket.suspend(ADMIN, REASON)
    assert [change.kind for change in new_facts(ticket)] == [TicketSuspended]


def test_strangers_see_a_published_page_unless_it_is_suspended():
    def is_public(*facts: Fact) -> bool:
        return given(*facts).lifecycle.public

    assert is_public(*PUBLISHED)
    assert not is_public(*SUSPENDED)
    assert is_public(*SUSPENDED, fact(TicketReinstated))
    assert not is_public(*SUSPENDED, fact(Unpublished), fact(TicketReinstated))
    assert not is_public(fact(TicketSuspended), fact(TicketReinstated))


def test_a_suspension_changes_nothing_of_the_content():
    assert given(*SUSPENDED).lifecycle.status is ContentStatus.PUBLISHED
    assert given(*WRITTEN, fact(TicketSuspended)).lifecycle.status is ContentStatus.READY


def test_a_suspended_ticket_is_not_published():
    ticket = given(*WRITTEN, fact(TicketSuspended))
    with pytest.raises(RefusedError, match="suspended"):
        ticket.publish(HOLDER, True, SafetyReview(), NOW)


def test_the_holder_may_write_unpublish_and_erase_during_a_suspension():
    ticket = given(*SUSPENDED)
    ticket.edit_draft(HOLDER, {"title": "Another roof"})
    ticket.unpublish(HOLDER)
    ticket.erase(HOLDER)
    assert [change.kind for change in new_facts(ticket)][1:] == [Unpublished, Erased]


def test_an_erased_ticket_is_neither_suspended_nor_shown_as_a_draft():
    ticket = given(*PUBLISHED, fact(Erased))
    assert ticket.lifecycle.status is ContentStatus.ERASED
    with pytest.raises(NotFoundError):
        ticket.suspend(ADMIN, REASON)


# Checkouts.


@pytest.fixture
def checkouts() -> FakeCheckouts:
    return FakeCheckouts()


@pytest.fixture
def commands(checkouts: FakeCheckouts) -> Commands:
    """Return commands with one published ticket."""
    commands = fake_commands(checkouts=checkouts)
    commands.tickets.open(HOLDER, NewTicket(TICKET, "public", "abcdefghjkmn", CONTACT, "index", "Ada", "digest"))
    draft = {name: getattr(COMPLETE, name) for name in ("title", "story", "currency", "beneficiary")}
    commands.tickets.edit_draft(HOLDER, TICKET, draft | {"goal_amount": 1_500})
    commands.tickets.publish(HOLDER, TICKET, consent=True)
    return commands


def gift(commands: Commands, *, published: bool = False) -> Any:
    return commands.checkouts.open(
        Actor(Role.VISITOR), TICKET, DONATION, Money(5_000, "USD"), None, PAGE, published=published
    )


def donation(commands: Commands) -> Donation:
    return commands.checkouts.donations.get(TICKET, DONATION)


def history(commands: Commands) -> list[type]:
    events = commands.checkouts.donations.streams.events  # type: ignore[attr-defined]
    return [type(event) for event in events.get(donation_stream(TICKET, DONATION), [])]


def expire(commands: Commands) -> None:
    commands.checkouts.expire(TICKET, DONATION, f"cs_{DONATION.hex}", NOW)


CLOSINGS: dict[str, Callable[[Commands], None]] = {
    "suspended": lambda commands: commands.tickets.suspend(ADMIN, TICKET, REASON),
    "unpublished": lambda commands: commands.tickets.unpublish(HOLDER, TICKET),
    "erased": lambda commands: commands.tickets.erase(HOLDER, TICKET),
}
closings = pytest.mark.parametrize("close", CLOSINGS.values(), ids=CLOSINGS)


def test_no_checkout_opens_for_a_suspended_ticket(commands: Commands, checkouts: FakeCheckouts):
    commands.tickets.suspend(ADMIN, TICKET, REASON)
    with pytest.raises(RefusedError, match="suspended"):
        gift(commands)
    assert (history(commands), checkouts.requests) == ([], [])
    commands.tickets.reinstate(ADMIN, TICKET)
    gift(commands, published=True)


def test_the_page_opens_a_checkout_only_while_it_is_published(commands: Commands, checkouts: FakeCheckouts):
    commands.tickets.unpublish(HOLDER, TICKET)
    with pytest.raises(NotFoundError):
        gift(commands, published=True)
    assert (history(commands), checkouts.requests) == ([], [])
    gift(commands)


@closings
def test_a_checkout_that_opens_while_the_page_is_taken_down_is_not_given_out(
    commands: Commands, checkouts: FakeCheckouts, close: Callable[[Commands], None]
):
    checkouts.meanwhile = lambda: close(commands)
    with pytest.raises((RefusedError, NotFoundError)):
        gift(commands)
    assert history(commands) == [CheckoutRequested, CheckoutOpened]


def test_a_checkout_that_opens_during_a_suspension_that_has_ended_is_not_given_out(
    commands: Commands, checkouts: FakeCheckouts
):
    def suspend_for_a_moment() -> None:
        commands.tickets.suspend(ADMIN, TICKET, REASON)
        commands.tickets.reinstate(ADMIN, TICKET)

    checkouts.meanwhile = suspend_for_a_moment
    with pytest.raises(RefusedError):
        gift(commands)


def test_a_change_of_the_draft_does_not_close_a_checkout(commands: Commands, checkouts: FakeCheckouts):
    checkouts.meanwhile = lambda: commands.tickets.edit_draft(HOLDER, TICKET, {"title": "Another roof"})
    assert gift(commands).donation_id == DONATION


def test_an_expired_checkout_is_recorded_once(commands: Commands, checkouts: FakeCheckouts):
    gift(commands)
    expire(commands)
    expire(commands)
    assert history(commands) == [CheckoutRequested, CheckoutOpened, CheckoutExpired]
    assert (donation(commands).gift.status, checkouts.open_sessions) == (DonationStatus.EXPIRED, set())


def test_a_checkout_stays_open_while_stripe_is_unavailable(commands: Commands, checkouts: FakeCheckouts):
    gift(commands)
    checkouts.away = True
    with pytest.raises(UnavailableError):
        expire(commands)
    assert CheckoutExpired not in history(commands)


def test_a_failed_attempt_leaves_a_checkout_that_is_expired(commands: Commands, checkouts: FakeCheckouts):
    gift(commands)
    commands.checkouts.donations.change(TICKET, DONATION, lambda d: d.record(STRIPE, PaymentFailed, **FAILURE))
    expire(commands)
    assert checkouts.open_sessions == set()


def test_a_paid_checkout_is_left_alone(commands: Commands, checkouts: FakeCheckouts):
    gift(commands)
    fields = {"payment_intent_id": "pi_1", "amount": Money(5_000, "USD"), "report": FAILURE["report"]}
    commands.checkouts.donations.change(TICKET, DONATION, lambda d: d.record(STRIPE, PaymentReceived, **fields))
    checkouts.away = True
    expire(commands)
    assert donation(commands).gift.status is DonationStatus.PAID


def test_a_checkout_whose_payment_is_on_its_way_does_not_count_as_expired(commands: Commands, checkouts: FakeCheckouts):
    gift(commands)
    checkouts.open_sessions.clear()
    expire(commands)
    assert donation(commands).gift.status is DonationStatus.CREATED


# A request for a checkout whose answer was lost.


def complete(commands: Commands, after: timedelta = timedelta(minutes=2)) -> None:
    pending = PendingCallCommands(
        commands.checkouts.tickets, commands.checkouts.donations, commands.checkouts, commands.refunds, lambda _: PAGE
    )
    pending.complete(TICKET, DONATION, pending_since=NOW, now=NOW + after)


def lose_the_answer(commands: Commands, checkouts: FakeCheckouts) -> None:
    """Request a checkout that Stripe opens, and end before it is recorded."""

    def crash() -> None:
        checkouts.meanwhile = lambda: None
        raise SystemExit

    checkouts.meanwhile = crash
    with pytest.raises(SystemExit):
        gift(commands)
    assert (history(commands), len(checkouts.open_sessions)) == ([CheckoutRequested], 1)


@closings
def test_a_lost_checkout_of_a_page_that_was_taken_down_is_found_and_recorded(
    commands: Commands, checkouts: FakeCheckouts, close: Callable[[Commands], None]
):
    lose_the_answer(commands, checkouts)
    close(commands)
    complete(commands)
    assert history(commands) == [CheckoutRequested, CheckoutOpened]
    assert len(checkouts.requests) == 1


@closings
def test_no_checkout_is_opened_late_for_a_page_that_was_taken_down(
    commands: Commands, checkouts: FakeCheckouts, close: Callable[[Commands], None]
):
    checkouts.away = True
    with pytest.raises(UnavailableError):
        gift(commands)
    close(commands)
    checkouts.away = False
    complete(commands)
    assert history(commands) == [CheckoutRequested, CheckoutRefused]
    assert checkouts.open_sessions == set()


def test_a_checkout_that_was_requested_before_versions_were_recorded_is_completed(
    commands: Commands, checkouts: FakeCheckouts
):
    commands.checkouts.donations.add(Donation.request_checkout(SYSTEM, TICKET, DONATION, Money(5_000, "USD"), "Gift"))
    complete(commands)
    assert history(commands) == [CheckoutRequested, CheckoutOpened]
    assert len(checkouts.open_sessions) == 1
