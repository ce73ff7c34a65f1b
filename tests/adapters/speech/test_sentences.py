"""Sentences made of recognised words."""

from __future__ import annotations

from adapters.speech.sentences import RecognizedWord, sentences
from domain.values import Word


def spoken(text: str, *, logprob: float = -0.2, start_ms: int = 0) -> list[RecognizedWord]:
    """Return the words of the text, one every 300 ms."""
    return [
        RecognizedWord(Word(word, start_ms + number * 300, start_ms + number * 300 + 250, 0.9), logprob)
        for number, word in enumerate(text.split())
    ]


def texts(words: list[RecognizedWord]) -> list[str]:
    return [segment.text for segment in sentences(words)]


def test_punctuation_ends_a_sentence() -> None:
    assert texts(spoken('We lost it all. Can you help? "Yes." Thank you!')) == [
        "We lost it all.",
        "Can you help?",
        '"Yes."',
        "Thank you!",
    ]


def test_an_abbreviation_or_a_small_letter_after_it_ends_no_sentence() -> None:
    assert texts(spoken("Dr. Lee came at 5 p.m. and left.")) == ["Dr. Lee came at 5 p.m. and left."]


def test_a_long_pause_ends_a_sentence() -> None:
    assert texts([*spoken("we lost"), *spoken("everything", start_ms=5_000)]) == ["we lost", "everything"]


def test_a_sentence_has_the_times_of_its_first_and_last_word() -> None:
    (segment,) = sentences(spoken("We lost it all."))
    assert (segment.start_ms, segment.end_ms) == (0, 1150)


def test_a_sentence_is_uncertain_if_a_part_of_it_was_guessed() -> None:
    first, second = sentences([*spoken("It burned."), *spoken("All gone.", logprob=-1.4, start_ms=600)])
    assert (first.uncertain, second.uncertain) == (False, True)


def test_without_words_there_is_no_sentence() -> None:
    assert sentences([]) == ()
