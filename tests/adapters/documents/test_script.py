import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.documents.script import Line, Reading, Script, paragraphs, printable, stretches

ANY_TEXT = st.text(st.characters()) | st.text(st.sampled_from("aشא中あ한ह😀\u200d\ufe0f\u0301 .()1\n\u202e"))
READING = Reading("en")


@settings(deadline=None)  # a busy machine is no fault of ours
@given(ANY_TEXT)
def test_cutting_a_line_where_its_script_changes_loses_nothing(text):
    line = READING.line(text)
    assert "".join(part for _, part in stretches(line)) == line.text


@settings(deadline=None)
@given(ANY_TEXT)
def test_what_is_printable_can_be_written_down_and_stays_as_it_is(text):
    cleaned = printable(text)
    cleaned.encode("utf-8")
    assert printable(cleaned) == cleaned
    assert not set(cleaned) & set("\0\r\n\t\x1b\x7f\u202e\u2028\ufeff\uffff")


def test_every_kind_of_line_end_ends_a_paragraph():
    assert paragraphs("one\r\ntwo\n\n three \u2029four\x0bfive\x85") == ["one", "two", "three", "four", "five"]


def test_nobody_can_turn_round_the_text_beside_theirs():
    assert printable("\u202egnp.exe\u202c \u2066x\u2069") == "gnp.exe x"


def test_marks_do_not_pile_up_over_other_lines():
    assert len(printable("z" + "\u0351" * 500)) == 5


def test_a_half_of_a_character_is_shown_as_unknown():
    assert printable("a\ud83db") == "a\ufffdb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Layla lives in Beirut", False),
        ("ليلى تعيش في بيروت", True),
        ("Bosch هو اسم الشركة", True),
        ("My friend محمد helped us", False),
        ("שלום 😀", True),
        ("5,000 (!)", False),
        ("", False),
    ],
)
def test_a_line_runs_the_way_most_of_its_words_do(text, expected):
    assert READING.line(text).right_to_left is expected


@pytest.mark.parametrize(
    ("spoken", "text", "expected"),
    [
        ("ja", "東京都", "ja"),
        ("zh-Hant", "東京都", "zh-Hant"),
        ("en", "東京都", "zh"),
        ("en", "火事になりました", "ja"),
        ("en", "김민지", "ko"),
        ("fa", "ليلى", "fa"),
        ("en", "ليلى", "ar"),
        ("ar", "Layla", "en"),
        ("es-MX", "Layla", "es-MX"),
        ("en", "Maria and 王", "en"),
    ],
)
def test_a_line_is_in_the_spoken_language_if_its_script_allows(spoken, text, expected):
    assert Reading(spoken).line(text).language == expected


def test_a_sheet_without_a_language_has_that_of_its_script():
    assert Reading.of(None, ["火事", None, "台所が燃えました"]).language == "ja"
    assert Reading.of(None, ["Maria", None]).language == "en"
    assert Reading.of("<script>", ["Maria"]).language == "en"


def test_punctuation_runs_with_its_line():
    arabic = Line("(فرن Bosch 5).", right_to_left=True, language="ar")
    assert list(stretches(arabic)) == [
        (Script.RIGHT_TO_LEFT, "(فرن "),
        (Script.PLAIN, "Bosch"),
        (Script.RIGHT_TO_LEFT, " 5)."),
    ]


def test_each_script_is_told_from_its_neighbours():
    mixed = Line("Ana 王大明 हिन्दी 👍🏽!", right_to_left=False, language="en")
    assert [(script, part.strip()) for script, part in stretches(mixed) if part.strip()] == [
        (Script.PLAIN, "Ana"),
        (Script.EAST_ASIAN, "王大明"),
        (Script.COMPLEX, "हिन्दी"),
        (Script.PICTURES, "👍🏽"),
        (Script.PLAIN, "!"),
    ]
