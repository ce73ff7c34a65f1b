"""Text of any script: what may be printed, which way it runs, in which language, and where the script changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
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
    """How a stretch of text has to be set."""

    PLAIN = "plain"
    RIGHT_TO_LEFT = "right_to_left"
    EAST_ASIAN = "east_asian"
    COMPLEX = "complex"
    PICTURES = "pictures"


STRETCH = re.compile(
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

# Nothing a person writes: controls, noncharacters, and the marks that would turn round the text after them.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffc\ufffe\uffff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
NEW_LINE = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
BLANKS = re.compile("[\t\x1f \u200b]+")
# More marks than this on one letter is a prank that runs over the lines above and below.
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
# The language a text is taken to be in, the letters that tell it from the others, all its letters, who else writes so.
WRITTEN = [
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
LARGE_PART = 4  # one in so many characters


@dataclass(frozen=True)
class Line:
    """A stretch of text to be set in one paragraph."""

    text: str
    right_to_left: bool
    language: str


def printable(text: str) -> str:
    """The text on one line, without anything that a page cannot show."""
    return " ".join(paragraphs(text))


def paragraphs(text: str) -> list[str]:
    """The text's lines that are not blank, without anything that a page cannot show."""
    text = normalize("NFC", LONE_SURROGATE.sub("\ufffd", text))
    lines = (
        BLANKS.sub(" ", PILED_MARKS.sub(r"\1", UNPRINTABLE.sub("", line))).strip() for line in NEW_LINE.split(text)
    )
    return [line for line in lines if line]


@dataclass(frozen=True)
class Reading:
    """Reads a sheet's texts in the language its speaker speaks, or else in that of their script."""

    language: str

    @classmethod
    def of(cls, language: str | None, texts: Iterable[str | None]) -> Reading:
        if language is not None and TAG.fullmatch(language):
            return cls(language)
        return cls(_written_in("".join(text for text in texts if text), None) or "en")

    def line(self, text: str) -> Line:
        """The text on one line, running the way most of its words do."""
        text = printable(text)
        return Line(text, runs_right_to_left(text), self._language_of(text))

    def lines(self, text: str) -> list[Line]:
        """Each paragraph by itself."""
        return [self.line(paragraph) for paragraph in paragraphs(text)]

    def _language_of(self, text: str) -> str:
        if text.isascii():
            return "en" if runs_right_to_left_by_nature(self.language) else self.language
        return _written_in(text, self.language) or self.language


def _written_in(text: str, spoken: str | None) -> str | None:
    """`spoken` where the script of a large part of the text allows it, else what is usually written so."""
    if text.isascii():
        return None
    for name, mark, letters, languages in WRITTEN:
        if mark.search(text) and len(letters.findall(text)) * LARGE_PART >= len(text):
            return spoken if spoken is not None and primary(spoken) in languages else name
    return None


def primary(language: str) -> str:
    return language.partition("-")[0].lower()


def runs_right_to_left_by_nature(language: str) -> bool:
    return primary(language) in {"ar", "fa", "he", "iw", "yi", "ur", "ps", "sd", "ug", "dv", "ckb"}


def runs_right_to_left(text: str) -> bool:
    """Whether more of the words are in a script that runs right to left than not."""
    if text.isascii():
        return False
    balance = 0
    for word in text.split():
        for stretch in STRETCH.finditer(word):
            if stretch.lastgroup != Script.PICTURES:
                balance += 1 if stretch.lastgroup == Script.RIGHT_TO_LEFT else -1
                break
    return balance > 0


def stretches(line: Line) -> Iterator[tuple[Script, str]]:
    """The line cut where its script changes; what belongs to no script runs with the line."""
    neutral = Script.RIGHT_TO_LEFT if line.right_to_left else Script.PLAIN
    pending, text = neutral, ""
    for script, part in _pieces(line.text, neutral):
        if script is pending:
            text += part
            continue
        if text:
            yield pending, text
        pending, text = script, part
    if text:
        yield pending, text


def _pieces(text: str, neutral: Script) -> Iterator[tuple[Script, str]]:
    if text.isascii() and neutral is Script.PLAIN:
        yield neutral, text
        return
    end = 0
    for stretch in STRETCH.finditer(text):
        if stretch.start() > end:
            yield neutral, text[end : stretch.start()]
        yield Script(stretch.lastgroup or neutral), stretch.group()
        end = stretch.end()
    if end < len(text):
        yield neutral, text[end:]
