"""The person's voice on the page: which passages can be chosen, and when a chosen one is removed."""

from __future__ import annotations

import pytest

from domain.commands.voices import ChosenPassage
from domain.corrections import CorrectedSegment, SegmentPlace
from domain.errors import FaultCode, InvalidError, RefusedError
from domain.events import (
    AudioUploaded,
    ConsentGiven,
    ConsentWithdrawn,
    FindingDecided,
    RecordingDeleted,
    VoiceChosen,
    VoiceRemoved,
)
from domain.safety import Finding, SafetyReview, UndecidedFindings
from domain.values import (
    AudioFacts,
    ConsentHow,
    ConsentScope,
    Content,
    FindingDecision,
    FindingKind,
    Segment,
    Transcript,
)
from domain.voice import MARGIN_MS, Passage, Voice, passage_of, spoken_text, text_heard
from tests.domain.facts import (
    ANALYSING,
    HOLDER,
    NEWER_RECORDING,
    RECORDING,
    SOUND,
    TICKET,
    UPLOADED,
    WORDS,
    fact,
    given,
    new_facts,
)
from tests.domain.test_commands import processing, run_all_steps, uploaded
from tests.fakes.outside import FakeCutter
from tests.fakes.speech import FakeTranscriber
from tests.fakes.stores import MemoryContents

CLIP = Content("c" * 64, 42_000)
VOICE = Voice(RECORDING, 2, 3, 4_000, 9_000, "It fell in. Help us.", CLIP, AudioFacts("audio/mpeg", 5_000))
CHOSEN = fact(VoiceChosen, **vars(VOICE))
AGREED = fact(ConsentGiven, scopes=(ConsentScope.RECORDING,), how=ConsentHow.TYPED)


def segment(number: int, text: str, start_ms: int, end_ms: int, recording=RECORDING, original: str | None = None):
    return CorrectedSegment(SegmentPlace(recording, number), Segment(text, start_ms, end_ms), original)


SEGMENTS = [
    segment(1, "My name is Ada.", 0, 3_900),
    segment(2, "The roof fell in.", 4_000, 6_000),
    segment(3, "Help us.", 6_500, 9_000),
    segment(4, "", 9_500, 10_000, original="My number is 555 0100."),
    segment(5, "Thank you.", 70_000, 99_000),
    segment(1, "One thing more.", 0, 2_000, NEWER_RECORDING),
]


LENGTHS = {RECORDING: 99_000, NEWER_RECORDING: 2_100}


def ids(first: int, last: int) -> tuple[str, str]:
    return str(SEGMENTS[first].place), str(SEGMENTS[last].place)


def test_a_passage_has_some_time_around_it_but_nothing_of_the_segments_beside_it():
    passage = passage_of(SEGMENTS, *ids(1, 2), LENGTHS)
    assert passage == Passage(RECORDING, 2, 3, 3_900, 9_000 + MARGIN_MS, "The roof fell in. Help us.")
    whole = passage_of(SEGMENTS, *ids(5, 5), LENGTHS)
    assert (whole.start_ms, whole.end_ms) == (0, 2_100)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (2, 1, FaultCode.OUT_OF_RANGE),
        (0, 5, FaultCode.OUT_OF_RANGE),
        (2, 3, FaultCode.INVALID),
        (1, 4, FaultCode.INVALID),
    ],
    ids=["backwards", "two recordings", "left out", "over what was left out"],
)
def test_other_passages_cannot_be_chosen(first: int, last: int, code: FaultCode):
    with pytest.raises(InvalidError) as refused:
        passage_of(SEGMENTS, *ids(first, last), LENGTHS)
    assert (refused.value.pointer, refused.value.code) == ("/lastSegmentId", code)


def test_an_unknown_segment_and_a_long_passage_cannot_be_chosen():
    for segments, last, code in (
        ([segment(1, "Help.", 0, 900, TICKET)], "none", FaultCode.UNKNOWN_VALUE),
        (SEGMENTS, "none", FaultCode.UNKNOWN_VALUE),
        ([SEGMENTS[0], segment(2, "Help.", 85_000, 90_001)], ids(1, 1)[0], FaultCode.TOO_LONG),
        ([segment(1, "Help.", 0, 0)], ids(0, 0)[0], FaultCode.TOO_LONG),
    ):
        with pytest.raises(InvalidError) as refused:
            passage_of(segments, ids(0, 0)[0], last, LENGTHS)
        assert refused.value.code == code


def test_without_times_a_short_recording_is_chosen_as_a_whole():
    whole = [segment(1, "One thing more.", 0, 0, NEWER_RECORDING)]
    place = str(whole[0].place)
    passage = passage_of(whole, place, place, LENGTHS)
    assert (passage.start_ms, passage.end_ms) == (0, 2_100)


def test_the_recognised_words_are_reviewed_although_the_text_was_corrected():
    corrected = [segment(1, "Call me.", 0, 2_000, original="Call 555 0100.")]
    place = str(corrected[0].place)
    passage = passage_of(corrected, place, place, LENGTHS)
    assert spoken_text(passage, corrected) == "Call me.\nCall 555 0100."


def test_the_text_follows_the_transcript_by_time():
    renumbered = [segment(7, "The house fell in.", 4_100, 6_000), segment(8, "Help us!", 6_400, 9_000), *SEGMENTS[:1]]
    assert text_heard(VOICE, renumbered) == "The house fell in. Help us!"
    assert text_heard(VOICE, [SEGMENTS[1], segment(3, "", 6_500, 9_000)]) is None
    assert text_heard(VOICE, []) is None


def test_a_voice_is_chosen_once_and_removed_once():
    ticket = given(*UPLOADED)
    for _ in range(2):
        ticket.choose_voice(HOLDER, VOICE, SafetyReview(), keep_findings=False)
    assert CLIP in ticket.recorded_contents
    for _ in range(2):
        ticket.remove_voice(HOLDER)
    assert new_facts(ticket) == [CHOSEN, fact(VoiceRemoved)]
    assert ticket.recorded_contents == {SOUND}


def test_a_dangerous_passage_is_heard_only_if_a_person_keeps_it():
    review = SafetyReview((Finding(FindingKind.PHONE, "story", 0, 8, "555 0100"),) * 2)
    ticket = given(*UPLOADED)
    with pytest.raises(UndecidedFindings):
        ticket.choose_voice(HOLDER, VOICE, review, keep_findings=False)
    ticket.choose_voice(HOLDER, VOICE, review, keep_findings=True)
    kept, chosen = new_facts(ticket)
    assert (kept.kind, kept.fields["decision"], kept.fields["text"]) == (
        FindingDecided,
        FindingDecision.KEEP,
        "555 0100",
    )
    assert chosen == CHOSEN
    ticket.choose_voice(HOLDER, VOICE, review, keep_findings=False)
    assert new_facts(ticket) == []


def test_taking_back_the_consent_to_the_recording_removes_the_voice():
    ticket = given(*UPLOADED, CHOSEN, AGREED)
    ticket.withdraw_consent(HOLDER, [ConsentScope.PHOTO])
    ticket.withdraw_consent(HOLDER, [ConsentScope.RECORDING])
    assert [each.kind for each in new_facts(ticket)] == [ConsentWithdrawn, ConsentWithdrawn, VoiceRemoved]
    assert CLIP not in ticket.recorded_contents


def test_the_voice_ends_with_its_recording_and_not_with_another():
    newer = fact(AudioUploaded, recording_id=NEWER_RECORDING, content=WORDS, joins=True)
    ticket = given(*UPLOADED, CHOSEN, newer, fact(RecordingDeleted, recording_id=NEWER_RECORDING, remaining=1))
    assert ticket.voice == VOICE
    assert ticket.recorded_contents == {SOUND, CLIP}
    for end in (
        fact(RecordingDeleted, recording_id=RECORDING, remaining=1),
        fact(AudioUploaded, recording_id=TICKET, joins=False),
    ):
        ended = given(*UPLOADED, CHOSEN, newer, end)
        assert ended.voice is None
        assert CLIP not in ended.recorded_contents


def test_a_recording_with_the_bytes_of_the_voice_stays():
    ticket = given(*UPLOADED, CHOSEN, fact(AudioUploaded, recording_id=NEWER_RECORDING, content=CLIP))
    assert CLIP in ticket.recorded_contents
    ticket = given(*UPLOADED, fact(AudioUploaded, recording_id=NEWER_RECORDING, content=CLIP), CHOSEN)
    ticket.remove_voice(HOLDER)
    assert CLIP in ticket.recorded_contents


def test_the_voice_keeps_its_sound_if_a_recording_with_the_same_bytes_is_deleted():
    twin = fact(AudioUploaded, recording_id=NEWER_RECORDING, content=CLIP, joins=True)
    gone = fact(RecordingDeleted, recording_id=NEWER_RECORDING, remaining=1)
    for history in ((twin, CHOSEN, gone), (CHOSEN, twin, gone)):
        ticket = given(*UPLOADED, *history)
        assert CLIP in ticket.recorded_contents
        ticket.remove_voice(HOLDER)
        assert CLIP not in ticket.recorded_contents


def test_a_corrected_text_keeps_the_sound_and_a_part_left_out_removes_it():
    ticket = given(*ANALYSING, CHOSEN)
    ticket.reword_voice(HOLDER, VOICE.text)
    ticket.reword_voice(HOLDER, "The roof fell in.")
    ticket.reword_voice(HOLDER, None)
    assert new_facts(ticket) == [
        fact(VoiceChosen, **vars(VOICE) | {"text": "The roof fell in."}),
        fact(VoiceRemoved),
    ]


HEARD = Transcript(
    "My name is Ada. The rough fell in.",
    "en",
    "fake",
    (Segment("My name is Ada.", 0, 1_500), Segment("The rough fell in.", 2_000, 3_600)),
)


def chosen_by_commands():
    """Return the commands after a voice was chosen, and what is stored of it."""
    commands = run_all_steps(processing(transcriber=FakeTranscriber(HEARD)))
    commands.voices.choose(HOLDER, TICKET, ChosenPassage(f"{RECORDING}.1", f"{RECORDING}.2"))
    return commands, commands.tickets.store.get(TICKET).voice


def test_the_sound_of_a_passage_is_stored_and_its_text_follows_corrections():
    commands, voice = chosen_by_commands()
    with commands.voices.contents.open(TICKET, voice.content) as sound:
        assert sound.read() == b"sound from 0 to 3850"
    commands.transcripts.correct(HOLDER, TICKET, [(f"{RECORDING}.2", "The roof fell in.")])
    reworded = commands.tickets.store.get(TICKET).voice
    assert (reworded.text, reworded.content) == ("My name is Ada. The roof fell in.", voice.content)


@pytest.mark.parametrize(
    "end",
    [
        lambda commands: commands.voices.remove(HOLDER, TICKET),
        lambda commands: commands.tickets.withdraw_consent(HOLDER, TICKET, [ConsentScope.RECORDING]),
        lambda commands: commands.transcripts.correct(HOLDER, TICKET, [(f"{RECORDING}.1", "")]),
        lambda commands: commands.recordings.delete(HOLDER, TICKET, RECORDING),
        lambda commands: commands.voices.choose(
            HOLDER, TICKET, ChosenPassage(f"{RECORDING}.2", f"{RECORDING}.2", keep_findings=True)
        ),
    ],
    ids=["removed", "withdrawn", "left out", "deleted recording", "another passage"],
)
def test_a_sound_that_is_not_heard_any_more_is_deleted(end):
    commands, voice = chosen_by_commands()
    uploaded(commands, NEWER_RECORDING, b"other sound")
    assert commands.voices.contents.has(TICKET, voice.content)
    end(commands)
    assert not commands.voices.contents.has(TICKET, voice.content)
    recorded = commands.tickets.store.get(TICKET).recorded_contents
    assert all(commands.voices.contents.has(TICKET, content) for content in recorded)


def test_a_passage_whose_transcript_is_corrected_while_it_is_cut_is_not_chosen():
    class SlowCutter(FakeCutter):
        def cut(self, *passage):
            commands.transcripts.correct(HOLDER, TICKET, [(f"{RECORDING}.2", "")])
            return super().cut(*passage)

    contents = MemoryContents()
    commands = run_all_steps(processing(transcriber=FakeTranscriber(HEARD), cutter=SlowCutter(), contents=contents))
    stored = set(contents.kept)
    with pytest.raises(RefusedError):
        commands.voices.choose(HOLDER, TICKET, ChosenPassage(f"{RECORDING}.1", f"{RECORDING}.2"))
    assert commands.tickets.store.get(TICKET).voice is None
    assert set(contents.kept) == stored
