"""Retention: announced after a long silence, erased after the notice, and neither where somebody came back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.commands.retention import NOTICE, RetentionCommands, Verdict, erasure_notice, silence
from domain.values import Actor, Role
from tests.domain.facts import HOLDER
from tests.fakes.outside import fake_commands
from tests.fakes.worlds import opened

TICKET = UUID(int=1)
DAY = timedelta(days=1)


class Years:
    """A ticket opened now, looked after by commands whose clock the test moves."""

    clock: datetime

    def __init__(self, days: int) -> None:
        self.days = days
        self.asked = fake_commands()
        self.asked.tickets.store.add(opened(TICKET))
        # To the microsecond: laws meet the very moment that a silence is long enough.
        self.start: datetime = self.asked.tickets.store.get(TICKET).last_act or datetime.now(UTC)
        self.clock = self.last_act = self.start

    def review(self, after: timedelta) -> Verdict:
        self.clock = self.start + after
        return RetentionCommands(self.asked.tickets).review(TICKET, self.days, self.last_act, self.clock)

    @property
    def erased(self) -> bool:
        return self.asked.tickets.store.get(TICKET).erased


def test_a_silent_ticket_is_announced_and_erased_when_its_days_are_over():
    years = Years(days=90)
    assert years.review(75 * DAY) is Verdict.KEEP
    assert years.review(77 * DAY) is Verdict.ANNOUNCE
    assert years.review(80 * DAY) is Verdict.WAIT
    assert years.review(89 * DAY) is Verdict.WAIT
    assert not years.erased
    # Announced a day late, so it has its whole notice.
    assert years.review(91 * DAY + timedelta(hours=1)) is Verdict.ERASE
    assert years.erased
    assert years.review(500 * DAY) is Verdict.KEEP


def test_a_ticket_is_not_erased_without_notice_in_time():
    years = Years(days=90)
    assert years.review(400 * DAY) is Verdict.ANNOUNCE
    assert years.review(401 * DAY) is Verdict.WAIT
    assert years.review(413 * DAY) is Verdict.WAIT
    assert not years.erased
    assert years.review(414 * DAY + timedelta(seconds=2)) is Verdict.ERASE


def test_a_gift_or_an_act_in_between_begins_it_all_again():
    years = Years(days=30)
    assert years.review(17 * DAY) is Verdict.ANNOUNCE
    years.last_act = years.start + 20 * DAY  # somebody gave
    assert years.review(32 * DAY) is Verdict.KEEP
    assert years.review(37 * DAY) is Verdict.ANNOUNCE
    assert years.review(49 * DAY) is Verdict.WAIT
    assert years.review(52 * DAY) is Verdict.ERASE


def test_an_act_that_whoever_looked_has_not_seen_counts_too():
    years = Years(days=30)
    years.last_act -= 100 * DAY
    years.asked.tickets.rename(HOLDER, TICKET, "Ada again")
    assert years.review(15 * DAY) is Verdict.KEEP


def test_a_longer_retention_period_cancels_an_announced_erasure():
    years = Years(days=30)
    assert years.review(17 * DAY) is Verdict.ANNOUNCE
    years.days = 60
    assert years.review(40 * DAY) is Verdict.KEEP
    assert years.review(50 * DAY) is Verdict.WAIT
    assert years.review(61 * DAY) is Verdict.ERASE


def test_events_of_machines_do_not_count_as_activity():
    years = Years(days=30)
    years.asked.tickets.store.change(TICKET, lambda t: t.reindex(Actor(Role.SYSTEM), "another hash"))
    before = years.asked.tickets.store.get(TICKET).last_act
    assert years.review(17 * DAY) is Verdict.ANNOUNCE
    assert years.asked.tickets.store.get(TICKET).last_act == before


def test_the_notice_says_when_and_is_one_for_each_silence():
    years = Years(days=30)
    years.review(17 * DAY)
    ticket = years.asked.tickets.store.get(TICKET)
    assert ticket.erasure_announced is not None
    mail = erasure_notice(ticket, ticket.erasure_announced)
    assert mail.to == ticket.contact.value
    assert mail.values["day"] == (years.start + 31 * DAY).date().isoformat()
    assert str(TICKET) in mail.key


@given(st.integers(1, 400), st.lists(st.floats(0, 1_000), min_size=1, max_size=12))
def test_between_the_last_act_and_the_end_there_is_always_a_whole_notice(days: int, moments: list[float]):
    years = Years(days)
    announced = None
    for moment in sorted(moments):
        verdict = years.review(moment * DAY)
        if verdict is Verdict.ANNOUNCE:
            assert announced is None
            announced = moment
        assert (verdict is Verdict.KEEP and not years.erased) <= (moment * DAY < silence(days))
        if verdict is Verdict.ERASE:
            assert announced is not None
            assert moment * DAY >= max(announced * DAY + NOTICE - timedelta(seconds=1), days * DAY)
            break
