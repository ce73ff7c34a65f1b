"""A sentence is left out of a story, and the rest stays as it was written."""

import pytest

from domain.sentences import without_sentence


@pytest.mark.parametrize(
    ("text", "number", "left"),
    [
        ("One.  Two. Three.", 2, "One. Three."),
        ("One. Two.\nThree.", 3, "One. Two."),
        ("One.\n\nTwo.\n\nThree.", 2, "One.\n\nThree."),
        ("  One.  Two.", 3, "One.  Two."),
        ("One", 1, ""),
        ("", 1, ""),
    ],
)
def test_a_sentence_is_left_out_by_its_number(text: str, number: int, left: str):
    assert without_sentence(text, number) == left
