"""An inactive ticket gets a notice of its erasure and is erased after the notice, unless its holder acts in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.commands.retention import (
    NOTICE_PERIOD,
    RetentionCommands,
    Verdict,
    erasure_notice,
    inactivity_before_notice,
)
from domain.values import Actor, Role
from tests.domain.facts import HOLDER
from tests.fakes.outside import fake_commands
from tests.fakes.worlds import opened

TICKET = UUID(int=1)
DAY = timedelta(days=1)


class Retention:
    """A ticket opened now, and commands for its retention whose clock the test moves."""

    clock: datetime

    def __init__(self, days: int) -> None:
        self.days = days
        self.commands = fake_commands()
        self.commands.tickets.store.add(opened(TICKET))
        # Exact to the microsecond, because Hypothesis tries the exact moment at which the inactivity is long enough.
        self.start: datetime = self.commands.tickets.store.get(TICKET).last_act or datetime.now(UTC)
        self.clock = self.last_act = self.start

    def review(self, after: timedelta) -> Verdict:
        self.clock = self.start + after
        return RetentionCommands(self.commands.tickets).review(TICKET, self.days, self.last_act, self.clock)

    @property
    def erased(self) -> bool:
        return self.commands.tickets.store.get(TICKET).erased


def test_an_inactive_ticket_is_announced_and_erased_when_its_days_are_over():
    retention = Retention(days=90)
    assert retention.review(75 * DAY) is Verdict.KEEP
    assert retention.review(77 * DAY) is Verdict.ANNOUNCE
    assert retention.review(80 * DAY) is Verdict.WAIT
    assert retention.review(89 * DAY) is Verdict.WAIT
    assert not retention.erased
    # The notice was sent a day late, so the erasure is a day late as well.
    assert retention.review(91 * DAY + timedelta(hours=1)) is Verdict.ERASE
    assert retention.erased
    assert retention.review(500 * DAY) is Verdict.KEEP


def test_a_ticket_is_not_erased_before_the_end_of_its_notice():
    retention = Retention(days=90)
    assert retention.review(400 * DAY) is Verdict.ANNOUNCE
    assert retention.review(401 * DAY) is Verdict.WAIT
    assert retention.review(413 * DAY) is Verdict.WAIT
    assert not retention.erased
    assert retention.review(414 * DAY + timedelta(seconds=2)) is Verdict.ERASE


def test_a_donation_restarts_the_retention_period():
    retention = Retention(days=30)
    assert retention.review(17 * DAY) is Verdict.ANNOUNCE
    retention.last_act = retention.start + 20 * DAY  # a donation
    assert retention.review(32 * DAY) is Verdict.KEEP
    assert retention.review(37 * DAY) is Verdict.ANNOUNCE
    assert retention.review(49 * DAY) is Verdict.WAIT
    assert retention.review(52 * DAY) is Verdict.ERASE


def test_an_act_that_the_read_model_does_not_show_yet_counts_too():
    retention = Retention(days=30)
    retention.last_act -= 100 * DAY
    retention.commands.tickets.rename(HOLDER, TICKET, "Ada again")
    assert retention.review(15 * DAY) is Verdict.KEEP


def test_a_longer_retention_period_cancels_an_announced_erasure():
    retention = Retention(days=30)
    assert retention.review(17 * DAY) is Verdict.ANNOUNCE
    retention.days = 60
    assert retention.review(40 * DAY) is Verdict.KEEP
    assert retention.review(50 * DAY) is Verdict.WAIT
    assert retention.review(61 * DAY) is Verdict.ERASE


def test_events_of_machines_do_not_count_as_activity():
    retention = Retention(days=30)
    retention.commands.tickets.store.change(TICKET, lambda t: t.reindex(Actor(Role.SYSTEM), "another hash"))
    before = retention.commands.tickets.store.get(TICKET).last_act
    assert retention.review(17 * DAY) is Verdict.ANNOUNCE
    assert retention.commands.tickets.store.get(TICKET).last_act == before


def test_the_notice_names_the_day_and_has_the_tickets_id_in_its_key():
    retention = Retention(days=30)
    retention.review(17 * DAY)
    ticket = retention.commands.tickets.store.get(TICKET)
    assert ticket.erasure_announced is not None
    mail = erasure_notice(ticket, ticket.erasure_announced, {"page": "https://s.example/t/1"})
    assert mail.to == ticket.contact.value
    assert mail.values["day"] == (retention.start + 31 * DAY).date().isoformat()
    assert str(TICKET) in mail.key


@given(st.integers(1, 400), st.lists(st.floats(0, 1_000), min_size=1, max_size=12))
def test_a_ticket_is_erased_only_after_a_whole_notice(days: int, moments: list[float]):
    retention = Retention(days)
    announced = None
    for moment in sorted(moments):
        verdict = retention.review(moment * DAY)
        if verdict is Verdict.ANNOUNCE:
            assert announced is None
            announced = moment
        assert (verdict is Verdict.KEEP and not retention.erased) <= (moment * DAY < inactivity_before_notice(days))
        if verdict is Verdict.ERASE:
            assert announced is not None
            assert moment * DAY >= max(announced * DAY + NOTICE_PERIOD - timedelta(seconds=1), days * DAY)
            break
