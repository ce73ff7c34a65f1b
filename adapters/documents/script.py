"""Text in any script: printable characters, direction, language, and the places where the script changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from unicodedata import normalize

RIGHT_TO_LEFT = "\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
EAST_ASIAN = (
    "\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
)
COMPLEX = "\u0900-\u109f\u1200-\u139f\u1780-\u17ff\u1a20-\u1aaf\ua8e0-\ua8ff"
PICTURES = "\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
LETTER = rf"[^\W\d_{RIGHT_TO_LEFT}{EAST_ASIAN}{COMPLEX}{PICTURES}][\u0300-\u036f]*+"
BETWEEN = rf"(?:[^\w{RIGHT_TO_LEFT}{EAST_ASIAN}{COMPLEX}{PICTURES}]|[\d_])*+"


class Script(StrEnum):
    """A group of scripts that need the same fonts and direction."""

    PLAIN = "plain"
    RIGHT_TO_LEFT = "right_to_left"
    EAST_ASIAN = "east_asian"
    COMPLEX = "complex"
    PICTURES = "pictures"


SCRIPT_RUN = re.compile(
    "|".join(
        [
            *(
                rf"(?P<{script}>[{members}](?:{BETWEEN}[{members}])*)"
                for script, members in [
                    (Script.RIGHT_TO_LEFT, RIGHT_TO_LEFT),
                    (Script.EAST_ASIAN, EAST_ASIAN),
                    (Script.COMPLEX, COMPLEX),
                ]
            ),
            rf"(?P<{Script.PICTURES}>[{PICTURES}][{PICTURES}\ufe0f\u200d\u20e3\U000e0020-\U000e007f]*)",
            rf"(?P<{Script.PLAIN}>{LETTER}(?:{BETWEEN}{LETTER})*)",
        ]
    )
)

# Control characters, noncharacters, and the marks that would reverse the direction of the text after them.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffc\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
NEW_LINE = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
BLANKS = re.compile("[\t\x1f \u200b]+")
# More than four combining marks on one letter would cover the lines above and below.
PILED_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)

TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
EAST_ASIAN_LETTERS = re.compile(f"[{EAST_ASIAN}]")
ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")
HEBREW = re.compile("[\u0590-\u05ff\ufb1d-\ufb4f]")
DEVANAGARI = re.compile("[\u0900-\u097f]")
BENGALI = re.compile("[\u0980-\u09ff]")
TAMIL = re.compile("[\u0b80-\u0bff]")
TELUGU = re.compile("[\u0c00-\u0c7f]")
THAI = re.compile("[\u0e00-\u0e7f]")
# For each script: the language it usually means, the letters that identify it, all of its letters, and every language
# that is written in it.
SCRIPT_LANGUAGES = [
    ("ja", re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]"), EAST_ASIAN_LETTERS, {"ja"}),
    ("ko", re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]"), EAST_ASIAN_LETTERS, {"ko"}),
    ("zh", EAST_ASIAN_LETTERS, EAST_ASIAN_LETTERS, {"zh", "yue", "ja", "ko"}),
    ("he", HEBREW, HEBREW, {"he", "iw", "yi"}),
    ("ar", ARABIC, ARABIC, {"ar", "fa", "ur", "ps", "ku", "ckb", "sd", "ug"}),
    ("hi", DEVANAGARI, DEVANAGARI, {"hi", "mr", "ne", "sa"}),
    ("bn", BENGALI, BENGALI, {"bn", "as"}),
    ("ta", TAMIL, TAMIL, {"ta"}),
    ("te", TELUGU, TELUGU, {"te"}),
    ("th", THAI, THAI, {"th"}),
]
# A script decides the language of a text if at least every fourth character is one of its letters.
SCRIPT_SHARE = 4


@dataclass(frozen=True)
class TextLine:
    """The text of one paragraph, with its direction and language tag."""

    text: str
    right_to_left: bool
    language: str


def printable(text: str) -> str:
    """Return the text on one line, without characters that cannot be printed."""
    return " ".join(paragraphs(text))


def paragraphs(text: str) -> list[str]:
    """Return the lines that are not blank, without characters that cannot be printed."""
    # Composed only after the removal: a removed character may have stood between a letter and its mark.
    text = normalize("NFC", UNPRINTABLE.sub("", LONE_SURROGATE.sub("\ufffd", text)))
    lines = (BLANKS.sub(" ", PILED_MARKS.sub(r"\1", line)).strip() for line in NEW_LINE.split(text))
    return [line for line in lines if line]


@dataclass(frozen=True)
class DocumentLanguage:
    """The language tag of a document, which decides the language and direction of each of its lines."""

    tag: str

    @classmethod
    def of(cls, language: str | None, texts: Iterable[str | None]) -> DocumentLanguage:
        """Return `language` if it is a valid tag, otherwise the usual language of the texts' script."""
        if language is not None and TAG.fullmatch(language):
            return cls(language)
        return cls(_script_language("".join(text for text in texts if text), None) or "en")

    def line(self, text: str) -> TextLine:
        """Return the text on one line, in the direction of most of its words."""
        text = printable(text)
        return TextLine(text, is_right_to_left(text), self._language_of(text))

    def lines(self, text: str) -> list[TextLine]:
        """Return one line for each paragraph of the text."""
        return [self.line(paragraph) for paragraph in paragraphs(text)]

    def _language_of(self, text: str) -> str:
        if text.isascii():
            return "en" if is_right_to_left_language(self.tag) else self.tag
        return _script_language(text, self.tag) or self.tag


def _script_language(text: str, spoken_language: str | None) -> str | None:
    """Return the language of the text's script, or None if no script decides.

    This is `spoken_language` if that is written in the script, otherwise the script's usual language.
    """
    if text.isascii():
        return None
    for usual_language, identifying, letters, languages in SCRIPT_LANGUAGES:
        if identifying.search(text) and len(letters.findall(text)) * SCRIPT_SHARE >= len(text):
            is_possible = spoken_language is not None and primary(spoken_language) in languages
            return spoken_language if is_possible else usual_language
    return None


def primary(language: str) -> str:
    """Return the primary subtag: "es" for "es-MX"."""
    return language.partition("-")[0].lower()


def is_right_to_left_language(language: str) -> bool:
    return primary(language) in {"ar", "fa", "he", "iw", "yi", "ur", "ps", "sd", "ug", "dv", "ckb"}


def is_right_to_left(text: str) -> bool:
    """Return True if most of the words are in a script that runs right to left."""
    if text.isascii():
        return False
    balance = 0
    for word in text.split():
        for run in SCRIPT_RUN.finditer(word):
            if run.lastgroup != Script.PICTURES:
                balance += 1 if run.lastgroup == Script.RIGHT_TO_LEFT else -1
                break
    return balance > 0


def script_runs(line: TextLine) -> Iterator[tuple[Script, str]]:
    """Split the line where its script changes. Characters of no script take the direction of the line."""
    neutral = Script.RIGHT_TO_LEFT if line.right_to_left else Script.PLAIN
    for script, parts in groupby(_script_parts(line.text, neutral), key=itemgetter(0)):
        yield script, "".join(text for _, text in parts)


def _script_parts(text: str, neutral: Script) -> Iterator[tuple[Script, str]]:
    if text.isascii() and neutral is Script.PLAIN:
        yield neutral, text
        return
    end = 0
    for run in SCRIPT_RUN.finditer(text):
        if run.start() > end:
            yield neutral, text[end : run.start()]
        yield Script(run.lastgroup or neutral), run.group()
        end = run.end()
    if end < len(text):
        yield neutral, text[end:]
