import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.documents.script import DocumentLanguage, Script, TextLine, paragraphs, printable, script_runs

ANY_TEXT = st.text(st.characters()) | st.text(st.sampled_from("aشא中あ한ह😀\u200d\ufe0f\u0301 .()1\n\u202e"))
ENGLISH = DocumentLanguage("en")


@given(ANY_TEXT)
def test_the_script_runs_of_a_line_make_up_the_line(text):
    line = ENGLISH.line(text)
    assert "".join(part for _, part in script_runs(line)) == line.text


@given(ANY_TEXT)
@example("A\ufeff\u0300")
def test_printable_text_can_be_encoded_and_does_not_change_again(text):
    cleaned = printable(text)
    cleaned.encode("utf-8")
    assert printable(cleaned) == cleaned
    assert not set(cleaned) & set("\0\r\n\t\x1b\x7f\u202e\u2028\ufeff\uffff")


def test_every_kind_of_line_end_ends_a_paragraph():
    assert paragraphs("one\r\ntwo\n\n three \u2029four\x0bfive\x85") == ["one", "two", "three", "four", "five"]


def test_marks_that_reverse_direction_are_removed():
    assert printable("\u202egnp.exe\u202c \u2066x\u2069") == "gnp.exe x"


def test_at_most_four_combining_marks_stay_on_a_letter():
    assert len(printable("z" + "\u0351" * 500)) == 5


def test_a_lone_surrogate_becomes_the_replacement_character():
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
def test_a_line_has_the_direction_of_most_of_its_words(text, expected):
    assert ENGLISH.line(text).right_to_left is expected


@pytest.mark.parametrize(
    ("transcript_language", "text", "expected"),
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
def test_a_line_is_in_the_transcripts_language_if_its_script_allows_it(transcript_language, text, expected):
    assert DocumentLanguage(transcript_language).line(text).language == expected


def test_a_sheet_without_a_language_gets_the_language_of_its_script():
    assert DocumentLanguage.of(None, ["火事", None, "台所が燃えました"]).tag == "ja"
    assert DocumentLanguage.of(None, ["Maria", None]).tag == "en"
    assert DocumentLanguage.of("<script>", ["Maria"]).tag == "en"


def test_punctuation_takes_the_direction_of_its_line():
    arabic = TextLine("(فرن Bosch 5).", right_to_left=True, language="ar")
    assert list(script_runs(arabic)) == [
        (Script.RIGHT_TO_LEFT, "(فرن "),
        (Script.PLAIN, "Bosch"),
        (Script.RIGHT_TO_LEFT, " 5)."),
    ]


def test_each_script_is_separated_from_its_neighbours():
    mixed = TextLine("Ana 王大明 हिन्दी 👍🏽!", right_to_left=False, language="en")
    assert [(script, part.strip()) for script, part in script_runs(mixed) if part.strip()] == [
        (Script.PLAIN, "Ana"),
        (Script.EAST_ASIAN, "王大明"),
        (Script.COMPLEX, "हिन्दी"),
        (Script.PICTURES, "👍🏽"),
        (Script.PLAIN, "!"),
    ]
