"""Several recordings of one ticket: all are transcribed, and the draft is made of all of them in their order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID

import pytest
from msgspec import structs

from domain.commands import Commands
from domain.commands.recordings import Upload, transcript_of
from domain.corrections import Correction
from domain.errors import NotFoundError, RefusedError, StepFailed
from domain.events import (
    Analysed,
    AudioUploaded,
    DraftingRequested,
    ProcessingRequested,
    Published,
    RecordingDeleted,
    Transcribed,
    TranscriptCorrected,
    TranscriptionFailed,
)
from domain.ports import Report
from domain.safety import SafetyReview
from domain.tickets import MOST_RECORDINGS
from domain.transcripts import HeardRecording, attributed, joined
from domain.values import SYSTEM, Content, ContentStatus, Segment, Source, Step, Transcript, Word
from tests.domain.facts import (
    AUDIO,
    COMPLETE,
    DRAFTED,
    HEARD,
    HOLDER,
    NEWER_RECORDING,
    RECORDED_AT,
    RECORDING,
    SOUND,
    TICKET,
    TRANSCRIBING,
    TRANSCRIPTION,
    WORDS,
    WRITTEN,
    fact,
    given,
    new_facts,
)
from tests.domain.test_commands import OPENING
from tests.fakes.drafting import FakeDrafter
from tests.fakes.outside import fake_commands

SECOND_SOUND = Content("c" * 64, 1_000)
SECOND_WORDS = Content("e" * 64, 200)
SECOND = fact(AudioUploaded, recording_id=NEWER_RECORDING, content=SECOND_SOUND)
BOTH = (fact(AudioUploaded), SECOND, fact(ProcessingRequested))
TRANSCRIPT = (TRANSCRIPTION, WORDS, "en", "fake")
SILENCE = StepFailed("no_speech", "Nothing was said.", retryable=False)
AWAY = StepFailed("away", "Later.", retryable=True)


def requested(recording: UUID) -> Any:
    return fact(ProcessingRequested, actor=SYSTEM, recording_id=recording)


def drafting_requested(recording: UUID) -> Any:
    return fact(DraftingRequested, actor=SYSTEM, recording_id=recording)


def test_the_recordings_are_transcribed_one_after_another():
    ticket = given(*BOTH)
    ticket.record_transcript(SYSTEM, RECORDING, *TRANSCRIPT)
    assert new_facts(ticket)[1:] == [requested(NEWER_RECORDING)]
    ticket.record_transcript(SYSTEM, NEWER_RECORDING, *TRANSCRIPT)
    assert len(new_facts(ticket)) == 1
    assert ticket.awaits(Step.ANALYSE, NEWER_RECORDING)


def test_a_recording_that_is_added_later_is_the_only_one_that_is_transcribed():
    ticket = given(*DRAFTED, SECOND)
    ticket.process(HOLDER)
    assert new_facts(ticket) == [fact(ProcessingRequested, recording_id=NEWER_RECORDING)]


def test_a_recording_without_speech_does_not_block_the_others():
    ticket = given(*BOTH)
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, RECORDING, SILENCE)
    assert new_facts(ticket)[1:] == [requested(NEWER_RECORDING)]
    ticket = given(*DRAFTED, SECOND, fact(ProcessingRequested, recording_id=NEWER_RECORDING))
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, NEWER_RECORDING, SILENCE)
    assert new_facts(ticket)[1:] == [drafting_requested(RECORDING)]
    assert ticket.awaits(Step.ANALYSE, RECORDING)


def test_a_failure_that_may_pass_is_tried_again_before_the_others():
    ticket = given(*BOTH)
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, RECORDING, AWAY)
    assert [new_fact.kind for new_fact in new_facts(ticket)] == [TranscriptionFailed]
    ticket.retry(HOLDER)
    assert new_facts(ticket) == [fact(ProcessingRequested)]


def test_recordings_that_all_hold_no_speech_end_in_an_error():
    ticket = given(*BOTH)
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, RECORDING, SILENCE)
    ticket.fail_step(SYSTEM, Step.TRANSCRIBE, NEWER_RECORDING, SILENCE)
    assert ticket.lifecycle.status is ContentStatus.ERROR


def test_the_same_recording_uploaded_twice_is_transcribed_once():
    twice = fact(AudioUploaded, recording_id=NEWER_RECORDING)
    ticket = given(*TRANSCRIBING, fact(Transcribed), twice)
    assert [recording.id for recording in ticket.recordings.transcribed] == [RECORDING]
    assert not ticket.recordings.pending


def test_an_upload_of_earlier_versions_replaces_the_earlier_recordings():
    replacing = fact(AudioUploaded, recording_id=NEWER_RECORDING, content=SECOND_SOUND, joins=False)
    ticket = given(fact(AudioUploaded), replacing)
    ticket.upload(HOLDER, UUID(int=9), Content("d" * 64, 1), AUDIO, None)
    assert [recording.id for recording in ticket.recordings.used] == [NEWER_RECORDING, UUID(int=9)]


def test_a_replaced_recording_can_be_deleted_and_is_never_used_again():
    replacing = fact(AudioUploaded, recording_id=NEWER_RECORDING, content=SECOND_SOUND, joins=False)
    ticket = given(fact(AudioUploaded), replacing)
    ticket.delete_recording(HOLDER, NEWER_RECORDING)
    assert new_facts(ticket) == [fact(RecordingDeleted, recording_id=NEWER_RECORDING, remaining=0)]
    with pytest.raises(RefusedError, match="upload one first"):
        ticket.process(HOLDER)
    assert ticket.delete_recording(HOLDER, RECORDING) == {SOUND}


def test_the_number_of_recordings_is_limited():
    uploads = [
        fact(AudioUploaded, recording_id=UUID(int=number), content=Content(f"{number:064x}", 1))
        for number in range(MOST_RECORDINGS)
    ]
    with pytest.raises(RefusedError, match="delete one first"):
        given(*uploads).upload(HOLDER, RECORDING, SECOND_SOUND, AUDIO, None)


# Deleting a recording.


def test_a_deleted_recording_is_named_no_more_and_may_be_deleted_again():
    ticket = given(*DRAFTED, SECOND)
    doomed = ticket.delete_recording(HOLDER, RECORDING)
    assert doomed == {ticket.recordings.deleted[0].content, WORDS}
    assert new_facts(ticket) == [fact(RecordingDeleted, recording_id=RECORDING, remaining=1)]
    assert ticket.delete_recording(HOLDER, RECORDING) == doomed
    assert new_facts(ticket) == []
    with pytest.raises(NotFoundError):
        ticket.delete_recording(HOLDER, UUID(int=1))


def test_the_content_of_a_deleted_recording_stays_if_another_one_has_it():
    ticket = given(*DRAFTED, fact(AudioUploaded, recording_id=NEWER_RECORDING))
    assert ticket.delete_recording(HOLDER, RECORDING) == {WORDS}


def test_a_draft_keeps_what_was_said_in_a_deleted_recording_without_its_places():
    placed = tuple(Source(name, None, RECORDING, 0, 9, 0, 900) for name in ("title", "story", "goal", "beneficiary"))
    drafted = fact(DRAFTED[-1].kind, **{**DRAFTED[-1].fields, "sources": placed})
    ticket = given(*DRAFTED[:-1], drafted)
    ticket.delete_recording(HOLDER, RECORDING)
    assert {source.recording_id for source in ticket.draft.sources} == {RECORDING}
    assert {(source.start, source.end_ms) for source in ticket.draft.sources} == {(None, None)}
    ticket.publish(HOLDER, True, SafetyReview(), RECORDED_AT)


SECOND_HEARD = fact(Transcribed, recording_id=NEWER_RECORDING, transcription_id=UUID(int=6), content=SECOND_WORDS)
HEARD_TWICE = (*BOTH, fact(Transcribed), requested(NEWER_RECORDING), SECOND_HEARD, fact(Analysed), DRAFTED[-1])


def test_a_draft_is_made_again_without_the_deleted_recording():
    ticket = given(*HEARD_TWICE)
    ticket.delete_recording(HOLDER, RECORDING)
    assert new_facts(ticket)[1:] == [drafting_requested(NEWER_RECORDING)]


def test_the_draft_of_a_public_page_is_not_made_again_after_a_deletion():
    ticket = given(*HEARD_TWICE, *WRITTEN, fact(Published))
    ticket.delete_recording(HOLDER, RECORDING)
    assert [new_fact.kind for new_fact in new_facts(ticket)] == [RecordingDeleted]
    assert ticket.draft.title == COMPLETE.title


def test_the_draft_stays_when_the_only_recording_is_deleted():
    ticket = given(*DRAFTED)
    ticket.delete_recording(HOLDER, RECORDING)
    assert [new_fact.kind for new_fact in new_facts(ticket)] == [RecordingDeleted]
    assert ticket.draft.story == HEARD.story


def test_deleting_a_recording_that_could_not_be_transcribed_ends_the_error():
    failed = fact(TranscriptionFailed, recording_id=NEWER_RECORDING, retryable=True)
    ticket = given(*DRAFTED, SECOND, fact(ProcessingRequested, recording_id=NEWER_RECORDING), failed)
    ticket.delete_recording(HOLDER, NEWER_RECORDING)
    assert new_facts(ticket)[1:] == [drafting_requested(RECORDING)]


def test_corrections_belong_to_a_recording_and_are_deleted_with_it():
    ticket = given(*HEARD_TWICE)
    corrections = [Correction(recording, 1, "rof", "roof") for recording in (RECORDING, NEWER_RECORDING)]
    ticket.correct_transcript(HOLDER, corrections)
    assert new_facts(ticket)[-1] == fact(DraftingRequested, recording_id=NEWER_RECORDING)
    ticket.delete_recording(HOLDER, RECORDING)
    assert ticket.corrections == (corrections[1],)


def test_a_correction_while_another_recording_waits_to_be_transcribed_asks_for_no_draft():
    ticket = given(*DRAFTED, SECOND)
    ticket.correct_transcript(HOLDER, [Correction(RECORDING, 1, "rof", "roof")])
    assert [new_fact.kind for new_fact in new_facts(ticket)] == [TranscriptCorrected]


def test_work_goes_on_with_the_other_recordings_when_one_is_deleted():
    ticket = given(*BOTH)
    ticket.delete_recording(HOLDER, RECORDING)
    assert new_facts(ticket)[1:] == [requested(NEWER_RECORDING)]
    ticket = given(*BOTH, fact(Transcribed), requested(NEWER_RECORDING))
    ticket.delete_recording(HOLDER, NEWER_RECORDING)
    assert ticket.awaits(Step.ANALYSE, RECORDING)


@pytest.mark.parametrize(
    ("history", "status"),
    [
        ((fact(AudioUploaded),), ContentStatus.DRAFT),
        (TRANSCRIBING, ContentStatus.DRAFT),
        ((*TRANSCRIBING, fact(TranscriptionFailed)), ContentStatus.DRAFT),
        (DRAFTED, ContentStatus.READY),
        ((*DRAFTED, SECOND), ContentStatus.RECORDING),
    ],
)
def test_the_status_after_a_deletion_follows_from_what_is_left(history: Any, status: ContentStatus):
    ticket = given(*history)
    ticket.delete_recording(HOLDER, RECORDING)
    assert ticket.lifecycle.status is status


# The commands, from the recordings to the draft.


@dataclass
class Echo:
    """Returns each recording's bytes as its transcript, one segment each second."""

    def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
        report(1.0)
        text = recording.read().decode()
        if text == "silence":
            raise SILENCE
        return Transcript(text, "en", "echo", (Segment(text, 0, 1_000),), (Word(text, 0, 1_000),))


def processed(*sounds: str) -> Commands:
    commands = fake_commands(transcriber=Echo(), drafter=FakeDrafter())
    commands.tickets.open(HOLDER, OPENING)
    for number, sound in enumerate(sounds, 1):
        commands.recordings.upload(HOLDER, TICKET, Upload(UUID(int=number), BytesIO(sound.encode()), AUDIO, None))
    commands.recordings.process(HOLDER, TICKET)
    for _ in range(2):  # A repeated job changes nothing.
        for step in Step:
            for number in range(1, len(sounds) + 1):
                try:
                    commands.recordings.run_step(step, TICKET, UUID(int=number), lambda _: None)
                except StepFailed as fault:
                    commands.recordings.fail_step(step, TICKET, UUID(int=number), fault)
    return commands


def transcript_in(commands: Commands) -> Transcript:
    ticket = commands.tickets.store.get(TICKET)
    return transcript_of(ticket, commands.recordings.contents, commands.recordings.transcripts)


def test_the_draft_is_made_of_all_recordings_and_names_them():
    commands = processed("My roof fell in.", "silence", "I need help.")
    assert transcript_in(commands).text == "My roof fell in.\n\nI need help."
    ticket = commands.tickets.store.get(TICKET)
    assert ticket.lifecycle.status is ContentStatus.READY
    titles = [source for source in ticket.draft.sources if source.field == "title"]
    assert [(source.recording_id, source.start, source.end) for source in titles] == [
        (UUID(int=1), 0, 16),
        (UUID(int=3), 0, 12),
    ]


def test_quotas_count_the_sound_that_is_still_to_be_transcribed():
    commands = processed("one", "two")
    reserved: list[int] = []

    def reserve(seconds: int) -> Any:
        reserved.append(seconds)
        return nullcontext()

    commands.recordings.upload(HOLDER, TICKET, Upload(UUID(int=3), BytesIO(b"three"), AUDIO, None))
    commands.recordings.process(HOLDER, TICKET, reserve=reserve)
    assert reserved == [9]


def test_the_bytes_of_a_deleted_recording_and_of_its_transcript_are_gone():
    commands = processed("one", "two")
    contents = commands.recordings.contents.kept  # type: ignore[attr-defined]
    assert len(contents) == 4
    for _ in range(2):
        commands.recordings.delete(HOLDER, TICKET, UUID(int=1))
    assert len(contents) == 2
    assert transcript_in(commands).text == "two"


def test_a_result_made_of_a_recording_that_was_deleted_meanwhile_is_not_recorded():
    @dataclass
    class Deleting(FakeDrafter):
        def draft(self, transcript: Any, analysis: Any, currency: str = "USD") -> Any:
            if not self.transcripts:
                commands.recordings.delete(HOLDER, TICKET, UUID(int=1))
            return super().draft(transcript, analysis, currency)

    drafter = Deleting()
    commands = fake_commands(transcriber=Echo(), drafter=drafter)
    commands.tickets.open(HOLDER, OPENING)
    for number in (1, 2):
        sound = Upload(UUID(int=number), BytesIO(b"%d" % number), AUDIO, None)
        commands.recordings.upload(HOLDER, TICKET, sound)
    commands.recordings.process(HOLDER, TICKET)
    for number, step in ((1, Step.TRANSCRIBE), (2, Step.TRANSCRIBE), (2, Step.ANALYSE), (2, Step.DRAFT)):
        commands.recordings.run_step(step, TICKET, UUID(int=number), lambda _: None)
    assert commands.tickets.store.get(TICKET).awaits(Step.ANALYSE, UUID(int=2))
    for step in (Step.ANALYSE, Step.DRAFT):
        commands.recordings.run_step(step, TICKET, UUID(int=2), lambda _: None)
    assert [transcript.text for transcript in drafter.transcripts] == ["1\n\n2", "2"]


# Joining transcripts.


FIRST = HeardRecording(RECORDING, 5_000, Transcript("One.", "es", "a", (Segment("One.", 0, 900),), None))
LATER = HeardRecording(
    NEWER_RECORDING, 3_000, Transcript("Two three.", "en", "b", (Segment("Two three.", 100, 3_400),), ())
)


def test_one_transcript_is_joined_to_itself():
    assert joined([FIRST]) is FIRST.transcript


def test_the_times_of_later_recordings_follow_those_of_earlier_ones():
    transcript = joined([FIRST, LATER])
    assert (transcript.text, transcript.language, transcript.engine) == ("One.\n\nTwo three.", "en", "a, b")
    assert [(segment.start_ms, segment.end_ms) for segment in transcript.segments or ()] == [(0, 900), (5_100, 8_400)]
    assert transcript.words is None


def test_a_source_in_two_recordings_becomes_one_in_each():
    source = Source("title", None, None, 2, 9, 500, 6_000)
    assert attributed([source, Source("goal")], [FIRST, LATER]) == (
        structs.replace(source, recording_id=RECORDING, start=2, end=4, start_ms=500, end_ms=5_000),
        structs.replace(source, recording_id=NEWER_RECORDING, start=0, end=3, start_ms=0, end_ms=1_000),
        Source("goal"),
    )
