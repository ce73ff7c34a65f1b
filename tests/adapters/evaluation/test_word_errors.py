"""Word errors: the edit distance of words, whatever their case, punctuation and way of writing numbers."""

from __future__ import annotations

import pytest

from adapters.evaluation.word_errors import normalized_words, word_errors


@pytest.mark.parametrize(
    ("reference", "transcript"),
    [
        ("Hello, my name is Ana.", "hello my name is ana"),
        ("I need fifteen hundred dollars", "I need $1,500."),
        ("thirty-five hundred dollars", "3500 dollars"),
        ("a hundred dollars", "$100"),
        ("call five five five oh one two three", "Call 555-0123."),
        ("Room twenty-one, one bed", "room 21 1 bed"),
        ("I don’t know", "I don't know"),
        ("It costs $20.00", "it costs 20 dollars"),
        ("Mr. Smith", "mister smith"),
        ("forty percent", "40%"),
    ],
)
def test_the_way_of_writing_is_no_error(reference, transcript):
    assert normalized_words(reference) == normalized_words(transcript)


def test_spanish_numbers_and_accents_are_no_error():
    said, heard = "necesito mil quinientos dólares para mamá", "Necesito 1.500 dolares para mama."
    assert word_errors(said, heard, "es").errors == 0


def test_a_rate_counts_words_that_are_replaced_left_out_or_added():
    errors = word_errors("we need money for the rent", "we need honey for rent today")
    assert (errors.words, errors.errors, errors.rate) == (6, 3, 0.5)


def test_a_wrong_amount_is_an_error():
    assert word_errors("we need fifteen hundred dollars", "We need $1,600").errors == 1


def test_words_out_of_nothing_are_wrong():
    assert word_errors("", "thank you").rate == 1.0
