"""A text message says who sends it, fits in two parts, and says nothing of the story."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.languages import LANGUAGES
from adapters.texts import messages
from adapters.texts.segments import is_gsm, segments, simplified
from domain.errors import InvalidError
from domain.ports import TextMessage

NUMBER = "+34600123456"
OPERATOR = "Casa de Acogida Santa María de Guadalupe"
PAGE = "https://storyledger.example/t/0190b7d2-7f5c-7cc1-9f4f-2a2f3d0c9e11/manage"
EURO = "12 345,00\u00a0EUR"
VALUES: Mapping[str, Mapping[str, str]] = {
    "access_code": {"code": "1234 5678 1234 5678", "link": f"https://storyledger.example/sign-in/{'x' * 38}"},
    "contact_code": {"code": "1234 5678"},
    "contact_changed": {"home": "https://storyledger.example"},
    "draft_ready": {"page": PAGE},
    "draft_questions": {"page": PAGE},
    "recording_failed": {"page": PAGE},
    "first_gift": {"page": PAGE, "amount": EURO, "test": "TEST"},
    "weekly_gifts": {"page": PAGE, "gifts": "12", "amount": EURO, "total": EURO, "test": "TEST"},
    "goal_reached": {"page": PAGE, "total": EURO, "goal": EURO, "test": "TEST"},
    "changes_requested": {"page": PAGE},
    "approved": {"page": PAGE},
    "suspended": {"page": PAGE},
    "reinstated": {"page": PAGE},
    "support_reply": {"page": PAGE, "message": "We have mended it."},
    "retention_notice": {"page": PAGE, "day": "2027-01-31"},
}
KINDS = sorted(file.stem for file in messages.TEMPLATES.glob("*.txt"))
# Languages in which some text message is complete, and that are written in Latin letters.
LATIN = ("en", "es", "fr")


def written(kind: str, language: str = "en", operator: str | None = OPERATOR, **more: str) -> str:
    return messages.compose(kind, {**VALUES[kind], "language": language, **more}, operator)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_fits_in_two_parts_and_names_its_sender(kind: str, language: str):
    text = written(kind, language)
    assert segments(text) <= 2, text
    assert simplified(text).startswith(f"Storyledger ({OPERATOR}): ".replace("í", "i" if is_gsm(text) else "í"))
    assert VALUES[kind].get("code", "") in text
    assert is_gsm(text) or language not in LATIN, text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LATIN)
def test_a_link_is_left_out_only_where_letters_take_more_room(kind: str, language: str):
    link = VALUES[kind].get("page") or VALUES[kind].get("link") or ""
    assert link in written(kind, language)


def test_parts_that_do_not_fit_are_left_out_the_least_important_first():
    assert written("draft_ready").endswith(f"{PAGE} Answer STOP for no more messages.")
    without_stop = written("draft_ready", page=PAGE + "x" * 120)
    assert "STOP" not in without_stop
    assert without_stop.endswith("x")
    assert "https" not in written("draft_ready", page=PAGE + "x" * 400)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_in_the_language_of_its_reader(kind: str, language: str):
    assert (written(kind, language) == written(kind, "en")) is (language == "en")


def test_a_code_is_in_the_language_of_its_reader():
    assert "is your code" in written("access_code")
    assert "codigo" in written("access_code", "es")


def test_a_number_is_normalised_and_every_value_stays_on_one_line():
    message = TextMessage("draft_ready", "+34 600 123 456", {"page": "a\r\nb\x00c\u2028d"}, "k", None)
    checked = messages.checked(message)
    assert checked.to == NUMBER
    assert "\n" not in messages.compose(checked.kind, checked.values, "A\nB")


@pytest.mark.parametrize(
    ("kind", "to", "values"),
    [
        ("no_such_text", NUMBER, {}),
        ("../messages", NUMBER, {}),
        ("draft_ready", "nobody", {"page": "x"}),
        ("draft_ready", NUMBER, {}),
        ("draft_ready", NUMBER, {"page": "x" * 3_000}),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused(kind: str, to: str, values: Mapping[str, str]):
    with pytest.raises(InvalidError):
        messages.checked(TextMessage(kind, to, values, "k", None))


def test_the_representation_of_a_message_shows_neither_number_nor_text():
    assert repr(TextMessage("draft_ready", NUMBER, {"page": PAGE}, "k", None)).count("draft_ready") == 1
    assert NUMBER not in repr(TextMessage("draft_ready", NUMBER, {"page": PAGE}, "k", None))


def test_accents_that_cost_a_part_are_left_out_and_other_scripts_stay():
    assert simplified("código, también, à la vôtre, 5\u00a0€ – “sí”") == 'codigo, también, à la votre, 5 € - "si"'
    assert simplified("رمزك") == "رمزك"
    assert not is_gsm("رمزك")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        *(("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2)),
        *(("ж" * 70, 1), ("ж" * 71, 2), ("ж" * 134, 2), ("ж" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2)),
    ],
)
def test_parts_are_counted_as_providers_count_them(text: str, parts: int):
    assert segments(text) == parts


@given(st.text(max_size=200))
def test_simplifying_never_makes_a_message_longer_in_parts(text: str):
    assert segments(simplified(text)) <= segments(text) or is_gsm(simplified(text))


@pytest.mark.parametrize("word", ["words ", "слова ", "x", "😀"])
@pytest.mark.parametrize("operator", [None, OPERATOR])
def test_the_beginning_of_a_long_answer_is_sent_with_a_link_to_the_whole(word: str, operator: str | None):
    text = written("support_reply", operator=operator, message=word * 300, page="https://s.example/t/1/help")
    assert segments(text) <= 2
    assert text.endswith("... https://s.example/t/1/help")
    assert word * 2 in text


def test_an_answer_that_fits_without_the_link_is_sent_whole():
    answer = "a" * 200
    text = written("support_reply", operator=None, message=answer)
    assert (answer in text, PAGE in text) == (True, False)


@pytest.mark.parametrize(("length", "fitting"), [(10, True), (200, True), (400, False)])
def test_an_answer_fits_if_it_does_so_whoever_sends_it(length: int, fitting: bool):
    assert messages.fits("support_reply", "a" * length) is fitting
    assert messages.fits("support_reply", "é" * length) is fitting
    assert not messages.fits("support_reply", "ж" * 200)
