"""Recognised words as sentences."""

from __future__ import annotations

from adapters.speech.phrasing import RecognizedWord, is_english, is_speech, phrases, sentence

WORD_MS = 300


def recognised(text: str, confidence: float = 0.9) -> list[RecognizedWord]:
    """Return words of equal length in sequence. A number is a pause in milliseconds."""
    recognized_words: list[RecognizedWord] = []
    now = 0
    for token in text.split():
        length = int(token) if token.isdigit() else WORD_MS
        recognized_words.append(RecognizedWord("<sil>" if token.isdigit() else token, now, now + length, confidence))
        now += length
    return recognized_words


def sentences(text: str) -> list[str]:
    return [sentence(phrase).text for phrase in phrases(recognised(text))]


def test_a_pause_ends_a_sentence_and_a_breath_does_not() -> None:
    assert sentences("<s> hello 700 my name(2) is 200 david </s>") == ["Hello.", "My name is david."]


def test_a_long_sentence_is_split_at_its_longest_pause() -> None:
    text = "we lost our house " * 3 + "100 " + "we need help now " * 2 + "60 " + "thank you " * 2
    assert sentences(text) == [
        "We lost our house we lost our house we lost our house.",
        "We need help now we need help now thank you thank you.",
    ]


def test_words_without_any_pause_stay_together() -> None:
    assert len(sentences("word " * 50)) == 1


def test_weekdays_and_i_are_written_with_a_capital() -> None:
    assert sentences("on monday i think i'm ill") == ["On Monday I think I'm ill."]


def test_a_segment_has_the_time_of_its_words() -> None:
    (first, second) = [sentence(phrase) for phrase in phrases(recognised("one two 1000 three"))]
    assert (first.start_ms, first.end_ms, second.start_ms, second.end_ms) == (0, 600, 1600, 1900)


def test_noises_single_words_and_one_repeated_word_are_not_speech() -> None:
    assert is_speech(recognised("<s> hello my name is david </s>"))
    assert not is_speech([])
    assert not is_speech(recognised("<s> [SPEECH] the [SPEECH] [SPEECH] the </s>"))
    assert not is_speech(recognised("5000 if 5000 if 5000"))
    assert not is_speech(recognised("ooh " * 12))


def test_a_few_guesses_are_english_and_many_are_not() -> None:
    assert is_english(recognised("a b c d e f g h i", 0.9) + recognised("x y z", 0.1))
    assert not is_english(recognised("a b c d e f", 0.9) + recognised("x y z", 0.1))
