"""Texts are found by their words and by parts of them, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.search.words import searched_parts, stored_parts, words


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Ada Lovelace", "lovelace"),
        ("Ada Lovelace", "LOVE"),
        ("Ada Lovelace", "ace ada"),
        ("José Núñez", "jose nunez"),
        ("Łukasz Søren Straße", "lukasz soren strasse"),
        ("O’Brien", "obrien"),
        ("O'Brien", "brien"),
        ("Jean-Luc", "luc"),
        ("Al Gore", "al"),
        ("İstanbul", "istanbul"),
        ("أحمد مُحَمَّد", "احمد محمد"),
        ("فاطمة الزهراء", "فاطمه"),
        ("على", "علي"),
        ("نور الدين", "دين"),
        ("山田太郎", "太郎"),
        ("山田太郎", "山"),
        ("김민수", "민수"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("Ανδρέας", "ανδρεασ"),
        ("Фёдор", "федор"),
        ("A roof for Ada", "roo for"),
    ],
)
def test_a_text_is_found_by_what_it_contains(text: str, typed: str):
    assert searched_parts(typed)
    assert searched_parts(typed) <= stored_parts([text])


@pytest.mark.parametrize(
    ("text", "typed"),
    [("Ada Lovelace", "lovely"), ("Alice", "al"), ("山田太郎", "田山"), ("Grace", "ada"), ("Ada", "ada grace")],
)
def test_a_text_is_not_found_by_what_it_does_not_contain(text: str, typed: str):
    assert not searched_parts(typed) <= stored_parts([text])


@pytest.mark.parametrize("typed", ["", "  ", "!?", "'", "_"])
def test_a_text_without_words_has_no_parts(typed: str):
    assert searched_parts(typed) == stored_parts([typed]) == set()


@given(st.text(max_size=40), st.text(max_size=40))
def test_every_text_is_found_by_each_of_its_words(first: str, second: str):
    stored = stored_parts([first, second])
    for word in words(f"{first} {second}"):
        assert searched_parts(word)
    assert searched_parts(first) | searched_parts(second) <= stored


@given(st.text(st.characters(categories=["Ll"], max_codepoint=0x24F), min_size=3, max_size=20), st.data())
def test_a_word_is_found_by_any_three_letters_of_it(text: str, data: st.DataObject):
    for word in words(text):
        if len(word) >= 3:
            start = data.draw(st.integers(0, len(word) - 3))
            assert searched_parts(word[start : start + 3]) <= stored_parts([text])
