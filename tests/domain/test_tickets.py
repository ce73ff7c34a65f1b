"""The rules of a ticket."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from domain.errors import AlreadyProcessing, AmountError, InvalidError, NotFoundError, RefusedError, StepFailed
from domain.events import (
    Analysed,
    AudioUploaded,
    ContactChanged,
    DisplayNameChanged,
    DocumentGenerated,
    DraftEdited,
    DraftingFailed,
    DraftProposed,
    Erased,
    InfoRequested,
    ProcessingRequested,
    Published,
    TicketOpened,
    Transcribed,
    TranscriptionFailed,
    Unpublished,
)
from domain.lifecycle import draft_parts, missing_fields, requested_step
from domain.safety import SafetyReview
from domain.sentences import sentences
from domain.tickets import NewTicket, RecordingTicket
from domain.values import (
    SYSTEM,
    Actor,
    Analysis,
    ContentStatus,
    Draft,
    Money,
    Role,
    Sentiment,
    Source,
    Step,
    Urgency,
)
from tests.domain.facts import (
    ANALYSING,
    AUDIO,
    COMPLETE,
    CONTACT,
    DOCUMENT,
    DRAFTED,
    DRAFTING,
    HOLDER,
    NEWER_RECORDING,
    RECORDED_AT,
    RECORDING,
    SOUND,
    TICKET,
    TRANSCRIBING,
    TRANSCRIPTION,
    UPLOADED,
    WORDS,
    WRITTEN,
    fact,
    given,
    new_facts,
)

TRANSCRIPT = (TRANSCRIPTION, WORDS, "en", "fake")
ANALYSIS = Analysis("en", Sentiment.NEUTRAL, Urgency.LOW, ())
SILENCE = StepFailed("no_speech", "Nothing was said.", retryable=False)
AWAY = StepFailed("away", "Later.", retryable=True)


def status(*facts: Any) -> ContentStatus:
    return given(*facts).lifecycle.status


# Opening, names and contacts.


def test_a_ticket_is_opened_with_the_contact_the_name_and_the_token_digest():
    new_ticket = NewTicket(TICKET, "public", "abcdefghjkmn", CONTACT, "index", "Ada", "digest")
    ticket = RecordingTicket.open(HOLDER, new_ticket)
    assert new_facts(ticket) == [fact(TicketOpened)]
    assert ticket.lifecycle.status is ContentStatus.DRAFT


def test_a_name_is_changed_only_to_a_different_name():
    ticket = given()
    ticket.rename(HOLDER, "Ada")
    ticket.rename(HOLDER, None)
    ticket.rename(HOLDER, None)
    assert new_facts(ticket) == [fact(DisplayNameChanged, display_name=None)]


def test_a_new_contact_comes_with_a_new_token_and_the_same_one_changes_nothing():
    ticket = given()
    grace = structs.replace(CONTACT, value="grace@example.com")
    ticket.change_contact(HOLDER, grace, "other", "newer")
    ticket.change_contact(HOLDER, grace, "other", "newer")
    assert new_facts(ticket) == [fact(ContactChanged, contact=grace, contact_index="other", token_digest="newer")]


def test_the_same_contact_may_get_another_token():
    ticket = given()
    ticket.change_contact(HOLDER, CONTACT, "index", "newer")
    assert new_facts(ticket) == [fact(ContactChanged, token_digest="newer")]


# Recordings.


def test_a_recording_is_uploaded_in_any_state():
    for before in ((), UPLOADED, TRANSCRIBING, DRAFTED):
        ticket = given(*before)
        ticket.upload(HOLDER, NEWER_RECORDING, SOUND, AUDIO, "story.webm")
        assert new_facts(ticket) == [fact(AudioUploaded, recording_id=NEWER_RECORDING, file_name="story.webm")]
        assert ticket.lifecycle.status is ContentStatus.RECORDING


def test_a_repeated_upload_changes_nothing_even_after_a_newer_one():
    ticket = given(*TRANSCRIBING)
    ticket.upload(HOLDER, RECORDING, SOUND, AUDIO, None)
    assert new_facts(ticket) == []
    ticket.upload(HOLDER, NEWER_RECORDING, SOUND, AUDIO, None)
    ticket.upload(HOLDER, RECORDING, SOUND, AUDIO, None)
    assert new_facts(ticket) == [fact(AudioUploaded, recording_id=NEWER_RECORDING)]


def test_a_ticket_without_a_recording_cannot_be_processed():
    with pytest.raises(RefusedError):
        given().process(HOLDER)


def test_a_recording_is_processed_once_at_a_time():
    ticket = given(*UPLOADED)
    ticket.process(HOLDER)
    assert new_facts(ticket) == [fact(ProcessingRequested)]
    for step in (TRANSCRIBING, ANALYSING, DRAFTING):
        with pytest.raises(AlreadyProcessing):
            given(*step).process(HOLDER)


def test_a_recording_may_be_processed_again_once_its_draft_is_there():
    ticket = given(*DRAFTED)
    ticket.process(HOLDER)
    assert new_facts(ticket) == [fact(ProcessingRequested)]


def test_only_a_failed_step_can_be_retried():
    for history in ((), UPLOADED, DRAFTED):
        with pytest.raises(RefusedError):
            given(*history).retry(HOLDER)
    with pytest.raises(AlreadyProcessing):
        given(*TRANSCRIBING).retry(HOLDER)


@pytest.mark.parametrize("failure", [fact(TranscriptionFailed, retryable=True), fact(DraftingFailed)])
def test_a_failed_recording_may_be_retried_from_the_start(failure: Any):
    ticket = given(*TRANSCRIBING, failure)
    ticket.retry(HOLDER)
    assert new_facts(ticket) == [fact(ProcessingRequested)]


@pytest.mark.parametrize("failure", [fact(TranscriptionFailed), fact(DraftingFailed, retryable=False)])
def test_a_failure_that_would_repeat_is_not_retried(failure: Any):
    with pytest.raises(RefusedError, match="would fail again"):
        given(*TRANSCRIBING, failure).retry(HOLDER)


def test_a_failure_of_an_older_recording_cannot_be_retried():
    with pytest.raises(RefusedError):
        given(*TRANSCRIBING, fact(TranscriptionFailed), fact(AudioUploaded, recording_id=NEWER_RECORDING)).retry(HOLDER)


# The steps from a recording to a draft.


def test_each_step_is_awaited_in_order_and_only_for_its_recording():
    for history, awaited in ((TRANSCRIBING, Step.TRANSCRIBE), (ANALYSING, Step.ANALYSE), (DRAFTING, Step.DRAFT)):
        ticket = given(*history)
        assert [step for step in Step if ticket.awaits(step, RECORDING)] == [awaited]
        assert not ticket.awaits(awaited, NEWER_RECORDING)
    assert not any(given(*DRAFTED).awaits(step, RECORDING) for step in Step)


def test_every_awaited_step_was_requested_by_an_event():
    requests: list[tuple[Any, Step, Any]] = [
        (UPLOADED, Step.TRANSCRIBE, lambda t: t.process(HOLDER)),
        (TRANSCRIBING, Step.ANALYSE, lambda t: t.record_transcript(SYSTEM, RECORDING, *TRANSCRIPT)),
        (ANALYSING, Step.DRAFT, lambda t: t.record_analysis(SYSTEM, RECORDING, ANALYSIS)),
    ]
    for history, step, request in requests:
        ticket = given(*history)
        request(ticket)
        [event] = ticket.collect_events()
        assert requested_step(event) == (step, RECORDING)  # type: ignore[arg-type]
        assert ticket.awaits(step, RECORDING)


def test_the_result_of_a_step_is_recorded_once():
    ticket = given(*TRANSCRIBING)
    for _ in range(2):
        ticket.record_transcript(SYSTEM, RECORDING, *TRANSCRIPT)
    for _ in range(2):
        ticket.record_analysis(SYSTEM, RECORDING, ANALYSIS)
    for _ in range(2):
        ticket.propose_draft(SYSTEM, RECORDING, COMPLETE)
    assert [new_fact.kind for new_fact in new_facts(ticket)] == [Transcribed, Analysed, DraftProposed]


def test_results_for_an_older_recording_are_ignored():
    ticket = given(*TRANSCRIBING, fact(AudioUploaded, recording_id=NEWER_RECORDING))
    ticket.record_transcript(SYSTEM, RECORDING, *TRANSCRIPT)
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, RECORDING, SILENCE)
    assert new_facts(ticket) == []


@pytest.mark.parametrize(
    ("history", "step", "kind"),
    [
        (TRANSCRIBING, Step.TRANSCRIBE, TranscriptionFailed),
        (ANALYSING, Step.ANALYSE, DraftingFailed),
        (DRAFTING, Step.DRAFT, DraftingFailed),
    ],
)
def test_a_failed_step_is_recorded_once_with_its_reason(history: Any, step: Step, kind: Any):
    ticket = given(*history)
    ticket.fail_step(SYSTEM, step, RECORDING, AWAY)
    ticket.fail_step(SYSTEM, step, RECORDING, AWAY)
    named = {"step": step} if kind is DraftingFailed else {}
    reason = {"code": "away", "message": "Later.", "retryable": True}
    assert new_facts(ticket) == [fact(kind, actor=SYSTEM, **reason, **named)]
    assert ticket.lifecycle.status is ContentStatus.ERROR


def test_fields_that_the_recording_does_not_mention_are_requested():
    ticket = given(*DRAFTING)
    ticket.propose_draft(SYSTEM, RECORDING, replace(COMPLETE, goal=None, beneficiary=None))
    assert new_facts(ticket)[-1] == fact(InfoRequested, actor=SYSTEM, missing=("goal", "beneficiary"))
    assert ticket.lifecycle.status is ContentStatus.NEEDS_INFO


def test_a_proposed_draft_never_overwrites_fields_that_a_person_wrote_or_cleared():
    ticket = given(*DRAFTING)
    ticket.edit_draft(HOLDER, {"title": "Mine", "story": None})
    ticket.propose_draft(SYSTEM, RECORDING, COMPLETE)
    assert (ticket.draft.title, ticket.draft.story) == ("Mine", None)
    assert ticket.draft.beneficiary == COMPLETE.beneficiary
    proposal = next(new_fact for new_fact in new_facts(ticket) if new_fact.kind is DraftProposed)
    assert not {"title", "story"} & set(proposal.fields)


def test_a_second_recording_proposes_a_whole_new_draft():
    ticket = given(*DRAFTED, fact(ProcessingRequested), fact(Transcribed), fact(Analysed))
    ticket.propose_draft(SYSTEM, RECORDING, Draft(title="Another"))
    assert ticket.draft == Draft(title="Another")


# Writing by hand.


def test_a_story_may_be_written_without_a_recording():
    ticket = given()
    ticket.edit_draft(HOLDER, {"title": "A roof"})
    assert new_facts(ticket) == [fact(DraftEdited, changed=("title",), title="A roof")]


def test_only_changed_fields_are_recorded():
    ticket = given(*WRITTEN)
    ticket.edit_draft(HOLDER, {"title": COMPLETE.title, "story": "It fell in, all of it."})
    ticket.edit_draft(HOLDER, {"title": COMPLETE.title})
    assert new_facts(ticket) == [fact(DraftEdited, changed=("story",), story="It fell in, all of it.")]


def test_confirming_a_proposed_field_makes_it_the_persons_own():
    ticket = given(*DRAFTED)
    ticket.edit_draft(HOLDER, {"title": COMPLETE.title})
    heard = (Source("title", recording_id=RECORDING),)
    assert new_facts(ticket) == [fact(DraftEdited, changed=("title",), title=COMPLETE.title, sources=heard)]


def test_info_can_be_provided_only_while_it_is_requested():
    for history in ((), UPLOADED, TRANSCRIBING, DRAFTED):
        with pytest.raises(RefusedError):
            given(*history).provide_info(HOLDER, {"beneficiary": "Ada"})
    ticket = given(*DRAFTING, fact(DraftProposed), fact(InfoRequested))
    ticket.provide_info(HOLDER, {name: getattr(COMPLETE, name) for name in ("title", "story", "goal", "beneficiary")})
    assert ticket.lifecycle.status is ContentStatus.READY


@pytest.mark.parametrize(
    ("current_goal", "amount", "currency", "goal"),
    [
        (None, None, None, None),
        (None, None, "EUR", None),
        (None, "1500", None, Money(150_000, "USD")),
        (None, Decimal("12.50"), "EUR", Money(1_250, "EUR")),
        (None, 1000, "JPY", Money(1_000, "JPY")),
        (Money(5_000, "EUR"), None, None, Money(5_000, "EUR")),
        (Money(5_000, "EUR"), 60, None, Money(6_000, "EUR")),
        (Money(5_000, "EUR"), None, "JPY", Money(50, "JPY")),
    ],
)
def test_a_goal_is_an_amount_in_the_currency_named_last(current_goal: Any, amount: Any, currency: Any, goal: Any):
    ticket = given(fact(DraftEdited, changed=("goal",), goal=current_goal))
    assert ticket.goal_of(amount, currency) == goal


def test_a_currency_named_before_the_amount_is_remembered():
    assert given(fact(DraftEdited, changed=("currency",), currency="EUR")).goal_of(7, None) == Money(700, "EUR")


@pytest.mark.parametrize("amount", [0, -5, "0.99", 10_000_001])
def test_a_goal_is_between_one_and_ten_million(amount: Any):
    with pytest.raises(InvalidError):
        given().goal_of(amount, "USD")


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.005", "USD"), ("10.5", "JPY"), ("1e400", "USD"), ("NaN", "USD"), ("many", "USD")]
)
def test_an_amount_with_too_many_decimals_is_refused(amount: Any, currency: str):
    with pytest.raises(AmountError):
        given().goal_of(amount, currency)


# Publishing.


def test_only_a_complete_draft_is_published():
    for field in ("title", "story", "goal", "beneficiary"):
        ticket = given(*WRITTEN, fact(DraftEdited, changed=(field,)))
        assert missing_fields(ticket.kind, ticket.draft) == (field,)
        with pytest.raises(RefusedError, match=field):
            ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)


def test_every_part_of_a_published_draft_was_said_or_written():
    story = "Rain came in. The roof fell in. Nobody was hurt."
    spoken = (Source("title"), Source("story", 1, start=0, end=9), Source("goal"), Source("beneficiary"))
    fields = vars(COMPLETE) | {"story": story, "breakdown": ("roof: 900 USD",), "sources": spoken}
    ticket = given(*DRAFTING, fact(DraftProposed, **fields))
    with pytest.raises(RefusedError, match="sentence 2 of the story, sentence 3 of the story, line 1 of the breakdown"):
        ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)
    ticket.edit_draft(HOLDER, {"story": story, "breakdown": ()})
    ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)


def test_drafts_that_were_proposed_before_sources_were_stored_may_be_published():
    ticket = given(*DRAFTING, fact(DraftProposed, **vars(COMPLETE) | {"sources": None}))
    assert {part.sources for part in draft_parts(ticket.draft) if part.field == "story"} == {
        (Source("story", recording_id=RECORDING),)
    }
    ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)


def test_unchanged_sentences_of_an_edited_story_keep_their_source_and_the_others_have_the_editor_as_theirs():
    staff = Actor(Role.CLIENT, "key-1")
    first, second = Source("story", 1, start=0, end=14), Source("story", 2, start=15, end=30)
    draft = replace(COMPLETE, story="The roof fell. Nobody was hurt.", sources=(first, second))
    ticket = given(*DRAFTING)
    ticket.propose_draft(SYSTEM, RECORDING, draft)
    ticket.edit_draft(HOLDER, {"story": "It rained. The roof fell. Nobody was hurt."})
    ticket.edit_draft(staff, {"story": "It rained. Nobody was hurt. Help us."})
    sources = [part.sources for part in draft_parts(ticket.draft) if part.field == "story"]
    heard = structs.replace(second, recording_id=RECORDING)
    assert sources == [(Source("story", 1, author=HOLDER),), (heard,), (Source("story", author=staff),)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("No end", ["No end"]),
        ("Help! It fell in... twice. Why?", ["Help!", "It fell in...", "twice.", "Why?"]),
        ("Dr. J. Smith said so. I did.", ["Dr. J. Smith said so.", "I did."]),
        ('She said "no." Then $1.50.\n\nA line\n', ['She said "no."', "Then $1.50.", "A line"]),
        ("助けて。お願いします。", ["助けて。", "お願いします。"]),
    ],
)
def test_a_story_has_sentences(text: str, found: list[str]):
    assert list(sentences(text)) == found


def test_publishing_and_unpublishing_again_changes_nothing():
    ticket = given(*WRITTEN)
    ticket.unpublish(HOLDER)
    ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)
    ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)
    ticket.unpublish(HOLDER)
    ticket.unpublish(HOLDER)
    assert new_facts(ticket) == [fact(Published, consent=True), fact(Unpublished)]


def test_a_published_page_stays_published_while_a_newer_recording_is_processed():
    published = (*WRITTEN, fact(Published), fact(AudioUploaded), fact(ProcessingRequested))
    assert status(*published) is ContentStatus.PUBLISHED
    assert status(*published, fact(TranscriptionFailed)) is ContentStatus.PUBLISHED
    assert status(*published, fact(Unpublished)) is ContentStatus.PROCESSING


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((), ContentStatus.DRAFT),
        (UPLOADED, ContentStatus.RECORDING),
        (TRANSCRIBING, ContentStatus.PROCESSING),
        (ANALYSING, ContentStatus.PROCESSING),
        (DRAFTING, ContentStatus.PROCESSING),
        (DRAFTED, ContentStatus.READY),
        (WRITTEN, ContentStatus.READY),
        ((*DRAFTING, *WRITTEN), ContentStatus.PROCESSING),
        ((*DRAFTED, fact(DraftEdited, changed=("title",))), ContentStatus.NEEDS_INFO),
        ((*TRANSCRIBING, fact(TranscriptionFailed)), ContentStatus.ERROR),
        ((*TRANSCRIBING, fact(TranscriptionFailed), *WRITTEN), ContentStatus.READY),
        ((fact(DraftEdited, changed=("title",), title="A roof"),), ContentStatus.DRAFT),
    ],
)
def test_the_status_says_how_far_the_content_has_come(history: Any, expected: ContentStatus):
    assert status(*history) is expected


# Documents and erasure.


def test_a_document_is_recorded_once():
    ticket = given(*DRAFTED)
    document = fact(DocumentGenerated).fields
    for _ in range(2):
        ticket.record_document(HOLDER, DOCUMENT, document["type"], document["format"], document["content"], None)
    assert new_facts(ticket) == [fact(DocumentGenerated)]


def test_a_ticket_is_erased_once_and_then_refuses_every_change():
    ticket = given(*DRAFTED, fact(Published))
    ticket.erase(HOLDER)
    ticket.erase(HOLDER)
    assert new_facts(ticket) == [fact(Erased)]
    assert ticket.lifecycle.status is ContentStatus.ERASED
    for request in (
        lambda: ticket.rename(HOLDER, "Grace"),
        lambda: ticket.upload(HOLDER, NEWER_RECORDING, SOUND, AUDIO, None),
        lambda: ticket.process(HOLDER),
        lambda: ticket.edit_draft(HOLDER, {"title": "Back"}),
        lambda: ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT),
    ):
        with pytest.raises(NotFoundError):
            request()


def test_results_that_arrive_after_the_erasure_of_a_ticket_are_ignored():
    ticket = given(*TRANSCRIBING, fact(Erased))
    ticket.record_transcript(SYSTEM, RECORDING, *TRANSCRIPT)
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, RECORDING, AWAY)
    assert new_facts(ticket) == []


def test_nothing_is_published_without_consent():
    ticket = given(*WRITTEN)
    with pytest.raises(InvalidError) as refused:
        ticket.publish(HOLDER, False, SafetyReview(), RECORDED_AT)
    assert refused.value.pointer == "/consent"
    assert new_facts(ticket) == []
