"""From what the decoder heard to what a person reads."""

from __future__ import annotations

from adapters.speech.phrasing import RecognizedWord, is_english, is_speech, phrases, sentence

WORD_MS = 300


def heard(text: str, confidence: float = 0.9) -> list[RecognizedWord]:
    """Words of equal length one after the other; a number is a pause of so many milliseconds."""
    parts: list[RecognizedWord] = []
    now = 0
    for token in text.split():
        length = int(token) if token.isdigit() else WORD_MS
        parts.append(RecognizedWord("<sil>" if token.isdigit() else token, now, now + length, confidence))
        now += length
    return parts


def sentences(text: str) -> list[str]:
    return [sentence(phrase).text for phrase in phrases(heard(text))]


def test_a_pause_ends_a_sentence_and_a_breath_does_not() -> None:
    assert sentences("<s> hello 700 my name(2) is 200 david </s>") == ["Hello.", "My name is david."]


def test_a_sentence_longer_than_people_speak_ends_at_its_longest_pause() -> None:
    told = "we lost our house " * 3 + "100 " + "we need help now " * 2 + "60 " + "thank you " * 2
    assert sentences(told) == [
        "We lost our house we lost our house we lost our house.",
        "We need help now we need help now thank you thank you.",
    ]


def test_words_without_any_pause_stay_together() -> None:
    assert len(sentences("word " * 50)) == 1


def test_what_is_always_written_with_a_capital_has_one() -> None:
    assert sentences("on monday i think i'm ill") == ["On Monday I think I'm ill."]


def test_a_segment_knows_its_time() -> None:
    (first, second) = [sentence(phrase) for phrase in phrases(heard("one two 1000 three"))]
    assert (first.start_ms, first.end_ms, second.start_ms, second.end_ms) == (0, 600, 1600, 1900)


def test_fillers_a_lone_word_and_one_word_over_and_over_are_no_speech() -> None:
    assert is_speech(heard("<s> hello my name is david </s>"))
    assert not is_speech([])
    assert not is_speech(heard("<s> [SPEECH] the [SPEECH] [SPEECH] the </s>"))
    assert not is_speech(heard("5000 if 5000 if 5000"))
    assert not is_speech(heard("ooh " * 12))


def test_a_few_guesses_are_english_and_many_are_not() -> None:
    assert is_english(heard("a b c d e f g h i", 0.9) + heard("x y z", 0.1))
    assert not is_english(heard("a b c d e f", 0.9) + heard("x y z", 0.1))
