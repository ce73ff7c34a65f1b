"""Drafts name the places in the transcript, and nothing is drafted from what is uncertain."""

from __future__ import annotations

import dataclasses

from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.drafting.sources import SourcedDrafter
from domain.lifecycle import draft_parts
from domain.values import Segment, Transcript, Word
from tests.fakes.drafting import FakeAnalyser, FakeDrafter

SENTENCES = (
    "Um, my name is Maria Garcia.",
    "My landlord wants to evict us.",
    "I need fifteen hundred dollars for rent, and three hundred for food.",
)
SEGMENTS = tuple(Segment(text, 5_000 * at, 5_000 * at + 4_000) for at, text in enumerate(SENTENCES))
TRANSCRIPT = Transcript(" ".join(SENTENCES), "en", "test", SEGMENTS)
LOCAL = SourcedDrafter(LocalAnalyser(), LocalDrafter())


def with_uncertain(number: int) -> Transcript:
    segments = list(SEGMENTS)
    segments[number] = dataclasses.replace(SEGMENTS[number], uncertain=True)
    return dataclasses.replace(TRANSCRIPT, segments=tuple(segments))


def test_each_recording_begins_a_paragraph_of_its_own_for_the_drafter():
    drafter, text = FakeDrafter(), "\n\n".join(SENTENCES)
    for number, certain in enumerate(("{1}\n\n{2}", "{0}\n\n{2}", "{0}\n\n{1}")):
        transcript = dataclasses.replace(with_uncertain(number), text=text)
        SourcedDrafter(FakeAnalyser(), drafter).draft(transcript, FakeAnalyser().analysis)
        assert drafter.transcripts[-1].text == certain.format(*SENTENCES)


def test_every_part_of_a_local_draft_has_a_source():
    draft = LOCAL.draft(TRANSCRIPT, LOCAL.analyse(TRANSCRIPT))
    parts = list(draft_parts(draft))
    assert {part.field for part in parts} >= {"title", "story", "goal", "beneficiary", "category"}
    assert all(part.sources for part in parts)


def test_a_sentence_can_be_found_in_the_transcript_and_heard_in_the_recording():
    draft = LOCAL.draft(TRANSCRIPT, LOCAL.analyse(TRANSCRIPT))
    [source] = next(part.sources for part in draft_parts(draft) if part.text == "My landlord wants to evict us.")
    assert TRANSCRIPT.text[source.start : source.end] == "My landlord wants to evict us"
    assert (source.start_ms, source.end_ms) == (5_000, 9_000)


def test_words_with_times_place_a_sentence_more_exactly():
    words = tuple(Word(word, 100 * at, 100 * at + 90) for at, word in enumerate(TRANSCRIPT.text.split()))
    timed = dataclasses.replace(TRANSCRIPT, words=words)
    draft = LOCAL.draft(timed, LOCAL.analyse(timed))
    [source] = next(part.sources for part in draft_parts(draft) if part.field == "beneficiary")
    assert (source.start_ms, source.end_ms) == (400, 590)


def test_a_sentence_that_was_not_said_has_no_source():
    analysis = FakeAnalyser().analysis
    drafter = FakeDrafter(LocalDrafter().draft(TRANSCRIPT, analysis))
    drafter.proposal = dataclasses.replace(
        drafter.proposal, story="My landlord wants to evict us. Crypto is great.", sources=()
    )
    sourced = SourcedDrafter(FakeAnalyser(), _Unsourced(drafter)).draft(TRANSCRIPT, analysis)
    assert [bool(part.sources) for part in draft_parts(sourced) if part.field == "story"] == [True, False]


class _Unsourced:
    """A drafter that gives no sources."""

    def __init__(self, drafter: FakeDrafter) -> None:
        self._drafter = drafter

    def draft(self, *arguments):
        return dataclasses.replace(self._drafter.draft(*arguments), sources=())


def test_nothing_is_drafted_from_an_uncertain_segment():
    transcript = with_uncertain(1)
    analyser, drafter = FakeAnalyser(), FakeDrafter()
    both = SourcedDrafter(analyser, drafter)
    both.draft(transcript, both.analyse(transcript))
    assert [seen.text for seen in (*analyser.transcripts, *drafter.transcripts)] == [
        f"{SENTENCES[0]} {SENTENCES[2]}"
    ] * 2
    draft = LOCAL.draft(transcript, LOCAL.analyse(transcript))
    assert "evict" not in draft.story
    [place] = next(part.sources for part in draft_parts(draft) if part.text and part.text.startswith("I need"))
    assert transcript.text[place.start : place.end].startswith("I need fifteen")


def test_a_wholly_uncertain_transcript_gives_an_empty_draft_without_asking_a_model():
    transcript = Transcript(SENTENCES[1], "en", "test", (Segment(SENTENCES[1], 0, 1, uncertain=True),))
    both = SourcedDrafter(FakeAnalyser(), FakeDrafter())
    draft = both.draft(transcript, both.analyse(transcript))
    assert not list(draft_parts(draft))
