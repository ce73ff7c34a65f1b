"""Strangers see of a person what that person agreed to, and nothing more once the consent is withdrawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.consent import Consent, shown_draft
from domain.errors import InvalidError
from domain.events import ConsentGiven, ConsentWithdrawn, Published, Unpublished
from domain.safety import SafetyReview
from domain.values import ConsentHow, ConsentScope, Draft, Money
from tests.domain.facts import HOLDER, WRITTEN, fact, given, new_facts

STORY, NAME, PLACE, PHOTO = ConsentScope.STORY, ConsentScope.NAME, ConsentScope.PLACE, ConsentScope.PHOTO
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DRAFT = Draft(
    title="Help Ada Lovelace rebuild in Springfield",
    story="My name is Ada. The roof of our house in Springfield fell in. Ada and I sleep outside.",
    goal=Money(150_000, "USD"),
    currency="USD",
    beneficiary="Ada Lovelace",
    location="Springfield, Illinois",
    breakdown=("Roof for Ada",),
)


def agreed(*scopes: ConsentScope, **more: object):
    return fact(ConsentGiven, scopes=scopes, how=ConsentHow.TYPED, **more)


def test_publishing_with_consent_gives_story_name_and_place():
    ticket = given(*WRITTEN, fact(Published, consent=True))
    assert ticket.shown_scopes(NOW) == {STORY, NAME, PLACE}


def test_pages_published_before_consent_was_stored_stay_as_they_are():
    assert given(*WRITTEN, fact(Published)).shown_scopes(NOW) == {STORY, NAME, PLACE}


def test_an_earlier_consent_is_enough_to_publish_and_only_it_is_shown():
    ticket = given(*WRITTEN, agreed(STORY, PHOTO))
    ticket.publish(HOLDER, None, SafetyReview(), NOW)
    assert new_facts(ticket) == [fact(Published, consent=True, scopes=(STORY, PHOTO))]
    assert ticket.shown_scopes(NOW) == {STORY, PHOTO}


def test_without_consent_to_the_story_nothing_is_published():
    ticket = given(*WRITTEN, agreed(NAME, PHOTO))
    with pytest.raises(InvalidError) as refused:
        ticket.publish(HOLDER, None, SafetyReview(), NOW)
    assert refused.value.pointer == "/consent"


def test_publishing_with_a_choice_ends_what_is_not_chosen():
    ticket = given(*WRITTEN, agreed(STORY, NAME, PHOTO))
    consent = Consent((STORY, PLACE), text_version="1", language="es")
    ticket.publish_with(HOLDER, consent, SafetyReview(), NOW)
    assert new_facts(ticket) == [
        agreed(STORY, PLACE, text_version="1", language="es"),
        fact(ConsentWithdrawn, scopes=(NAME, PHOTO)),
        fact(Published, consent=True, scopes=(STORY, PLACE)),
    ]


def test_taking_the_story_back_takes_the_page_down():
    ticket = given(*WRITTEN, fact(Published, consent=True))
    ticket.withdraw_consent(HOLDER, [STORY])
    ticket.withdraw_consent(HOLDER, [STORY])
    assert new_facts(ticket) == [fact(ConsentWithdrawn, scopes=(STORY,)), fact(Unpublished)]


def test_taking_the_name_back_leaves_the_page_and_agreeing_again_shows_it():
    ticket = given(*WRITTEN, fact(Published, consent=True), fact(ConsentWithdrawn, scopes=(NAME,)))
    assert ticket.lifecycle.published
    assert ticket.shown_scopes(NOW) == {STORY, PLACE}
    ticket.publish(HOLDER, True, SafetyReview(), NOW)
    assert new_facts(ticket) == [agreed(STORY, NAME, PLACE)]
    assert NAME in ticket.shown_scopes(NOW)


def test_a_consent_that_has_ended_counts_as_withdrawn():
    ends = int(NOW.timestamp())
    ticket = given(*WRITTEN, agreed(STORY, NAME, valid_until=ends), fact(Published, consent=True, scopes=(STORY, NAME)))
    assert ticket.shown_scopes(NOW - timedelta(seconds=1)) == {STORY, NAME}
    assert ticket.shown_scopes(NOW) == frozenset()


def test_before_anything_is_public_only_what_was_refused_is_left_out():
    assert NAME in given(*WRITTEN, agreed(PHOTO)).shown_scopes(NOW)
    assert NAME not in given(*WRITTEN, fact(ConsentWithdrawn, scopes=(NAME,))).shown_scopes(NOW)


def test_a_name_that_is_not_shown_is_in_no_text():
    shown = shown_draft(DRAFT, "Ada Lovelace", {STORY, PLACE})
    assert (shown.beneficiary, shown.location) == (None, "Springfield, Illinois")
    assert shown.title == "Help […] rebuild in Springfield"
    assert shown.story == "My name is […]. The roof of our house in Springfield fell in. […] and I sleep outside."
    assert shown.breakdown == ("Roof for […]",)


def test_a_place_that_is_not_shown_is_in_no_text():
    shown = shown_draft(DRAFT, "Ada Lovelace", {STORY, NAME})
    assert (shown.beneficiary, shown.location) == ("Ada Lovelace", None)
    assert "Springfield" not in f"{shown.title} {shown.story}"


def test_words_that_are_no_name_stay_in_the_story():
    draft = Draft(story="The family lost the house. My mother is ill.", beneficiary="The mother of My family")
    shown = shown_draft(draft, None, {STORY, PLACE})
    assert (shown.beneficiary, shown.story) == (None, draft.story)


def test_without_the_story_only_the_goal_is_left():
    assert shown_draft(DRAFT, "Ada Lovelace", {NAME, PLACE}) == Draft(goal=DRAFT.goal, currency="USD")
