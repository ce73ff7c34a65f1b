"""What `Gift` says of its facts as a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.events import DonationEvent
from domain.gift import MOVES_MONEY, Gift
from tests.fakes.events import events

FACTS = st.lists(events.filter(lambda event: isinstance(event, DonationEvent)), max_size=12)


@given(FACTS)
def test_only_the_facts_named_so_move_money(facts: list[DonationEvent]):
    gift = Gift()
    for fact in facts:
        before = gift.paid, gift.refunded, gift.disputed
        gift.note(fact)
        if not isinstance(fact, MOVES_MONEY):
            assert (gift.paid, gift.refunded, gift.disputed) == before
