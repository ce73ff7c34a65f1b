"""Chunks are short, end at paragraphs and sentences if possible, and together have every word."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.knowledge.chunks import LONGEST, OVERLAP, chunks, spans

words = st.text(st.sampled_from("abcé漢.!?\"' \n\t"), max_size=40)
texts = st.one_of(
    st.text(max_size=300),
    st.lists(words, max_size=60).map("".join),
    st.builds(lambda part, times: part * times, words, st.integers(1, 400)),
)


@given(texts)
def test_every_word_is_in_some_chunk_in_its_order_and_no_chunk_is_too_long(text: str):
    reached = 0
    for start, end in spans(text):
        assert 0 < end - start <= LONGEST
        assert text[start:end] == text[start:end].strip()
        assert not text[reached:start].strip()
        assert reached - OVERLAP <= start < reached < end or reached <= start < end
        reached = end
    assert not text[reached:].strip()
    assert chunks(text) == [text[start:end] for start, end in spans(text)]


def paragraph(name: str, sentences: int = 5) -> str:
    return " ".join(f"Sentence {number} of paragraph {name} says what it says." for number in range(sentences))


def test_a_short_text_is_one_chunk():
    assert chunks(f"\n {paragraph('a')}\n\n{paragraph('b')} ") == [f"{paragraph('a')}\n\n{paragraph('b')}"]


def test_a_text_of_white_space_has_no_chunk():
    assert chunks(" \n\n\t ") == []


def test_a_chunk_ends_with_a_paragraph_where_that_leaves_it_half_full():
    first, second, third = (paragraph(name, 10) for name in "abc")
    text_chunks = chunks(f"{first}\n\n{second}\n\n{third}")
    assert text_chunks[0].endswith(f"{second[-60:]}")
    assert text_chunks[-1].endswith(third)


def test_a_chunk_begins_with_the_last_sentences_of_the_one_before():
    text_chunks = chunks(paragraph("a", 100))
    assert len(text_chunks) > 3
    for before, after in pairwise(text_chunks):
        shared = next(size for size in range(OVERLAP, 0, -1) if after.startswith(before[-size:]))
        assert shared > OVERLAP // 2
        assert after.startswith("Sentence ")


def test_a_sentence_longer_than_a_chunk_is_cut_between_words():
    text_chunks = chunks("word " * 1_000)
    assert all(set(chunk.split()) == {"word"} for chunk in text_chunks)


def test_a_word_longer_than_a_chunk_is_cut_anyway():
    assert "".join(chunks("x" * 5_000)) == "x" * 5_000
