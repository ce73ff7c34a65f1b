"""Corrections of a transcript keep its times, and count only where the recogniser understood what they correct."""

from __future__ import annotations

from domain.corrections import Correction, corrected, corrected_segments
from domain.values import Segment, Transcript, Word
from tests.domain.facts import NEWER_RECORDING, RECORDING

WORDS = (
    Word("My", 0, 200, 0.9),
    Word("rough", 200, 600, 0.4),
    Word("fell", 600, 900, 0.9),
    Word("in.", 900, 1_000, 0.9),
    Word("Help", 2_000, 2_300, 0.9),
    Word("us.", 2_300, 2_500, 0.9),
)
TRANSCRIPT = Transcript(
    "My rough fell in.\nHelp us.",
    "en",
    "fake",
    (Segment("My rough fell in.", 0, 1_000, uncertain=True), Segment("Help us.", 2_000, 2_500)),
    WORDS,
)


def correction(from_text: str, to_text: str, segment: int = 1) -> Correction:
    return Correction(RECORDING, segment, from_text, to_text)


def test_a_corrected_word_takes_the_time_of_the_word_it_replaces():
    result = corrected(RECORDING, TRANSCRIPT, [correction("My rough fell in.", "My roof fell in.")])
    assert result.text == "My roof fell in.\nHelp us."
    assert result.words == (WORDS[0], Word("roof", 200, 600), *WORDS[2:])
    assert result.segments is not None
    assert [segment.uncertain for segment in result.segments] == [False, False]


def test_words_that_are_added_share_the_time_there_is():
    result = corrected(RECORDING, TRANSCRIPT, [correction("My rough fell in.", "My old roof fell right in.")])
    assert result.words is not None
    assert [word.text for word in result.words] == ["My", "old", "roof", "fell", "right", "in.", "Help", "us."]
    assert [(word.start_ms, word.end_ms) for word in result.words[1:3]] == [(200, 400), (400, 600)]
    starts = [word.start_ms for word in result.words]
    assert starts == sorted(starts)


def test_a_segment_without_text_is_left_out():
    result = corrected(RECORDING, TRANSCRIPT, [correction("Help us.", "", 2)])
    assert (result.text, result.words) == ("My rough fell in.", WORDS[:4])


def test_a_correction_follows_another_and_the_first_text_stays_known():
    chain = [correction("My rough fell in.", "My roof fell in."), correction("My roof fell in.", "Our roof fell in.")]
    first, second = corrected_segments(RECORDING, TRANSCRIPT, chain)
    assert (first.segment.text, first.original) == ("Our roof fell in.", "My rough fell in.")
    assert second.original is None


def test_a_correction_does_not_count_where_something_else_was_understood():
    assert corrected(RECORDING, TRANSCRIPT, [correction("My dog fell in.", "My roof fell in.")]) is TRANSCRIPT
    assert corrected(NEWER_RECORDING, TRANSCRIPT, [correction("Help us.", "Help me.", 2)]) is TRANSCRIPT
    assert corrected(RECORDING, TRANSCRIPT, [correction("Help us.", "Help me.", 9)]) is TRANSCRIPT


def test_a_transcript_without_segments_is_corrected_as_a_whole():
    whole = Transcript("My rough fell in.", "en", "fake")
    result = corrected(RECORDING, whole, [correction("My rough fell in.", "My roof fell in.")])
    assert result == Transcript("My roof fell in.", "en", "fake")
