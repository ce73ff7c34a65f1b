"""Finds numbers in digits and words: text2num reads the words, and rules for spoken prices complete it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from adapters.drafting.utterance import Token
from adapters.drafting.vocabulary import words

SPOKEN_LANGUAGES = frozenset(["en", "es"])

_SCALES = {
    "hundred": 100,
    "thousand": 1000,
    "grand": 1000,
    "k": 1000,
    "million": 1_000_000,
    "cien": 100,
    "cientos": 100,
    "mil": 1000,
    "millon": 1_000_000,
    "millones": 1_000_000,
}
_VAGUE = words("few several many some hundreds thousands pocos varios")
_PLAIN = re.compile(r"(?:(?:US|CA|AU|NZ)?[$€£¥]\s?)?(\d+(?:[.,]\d+)*)(?:\s?[€£¥])?([kKmM])?\Z")
_SPAN = re.compile(r"\$?(\d+(?:,\d{3})*)[-–]\$?(\d+(?:,\d{3})*)\Z")


@dataclass(frozen=True)
class Number:
    """A number from token `first` to token `last`, both included. `low` is the lower end of a range.

    `loose` marks a number such as "six fifty" or "8-10", which is a price only if the context says so.
    """

    value: Decimal
    first: int
    last: int
    low: Decimal | None = None
    scale: int = 1
    spelled: bool = False
    loose: bool = False


def digits_value(text: str) -> Decimal | None:
    """Return the value of written digits with points and commas in either convention, or None if it is not a number."""
    match = _PLAIN.match(text)
    if not match:
        return None
    digits, suffix = match.groups()
    if len(digits) > 20:
        return None
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        digits = digits.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", digits) and not suffix:
        digits = digits.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d+,\d{1,2}", digits):
        digits = digits.replace(",", ".")
    elif not re.fullmatch(r"\d+(?:\.\d+)?", digits):
        return None
    scale = {"k": 1000, "m": 1_000_000}.get((suffix or "").lower(), 1)
    return Decimal(digits) * scale


def numbers_in(tokens: Sequence[Token], language: str) -> list[Number]:
    """Return the numbers in order: digits in any language, number words in English and Spanish."""
    parts = sorted([*_written(tokens), *_spelled(tokens, language)], key=lambda part: part.first)
    return _ranges(_joined(parts, tokens), tokens)


def _written(tokens: Sequence[Token]) -> list[Number]:
    numbers = []
    for index, token in enumerate(tokens):
        if not token.text[-1].isdigit() and not any(letter.isdigit() for letter in token.text):
            continue
        value = digits_value(token.text)
        if value is not None:
            numbers.append(Number(value, index, index, scale=_suffix_scale(token.text)))
        elif (span := _SPAN.match(token.text)) and len(span[1]) <= 12 and len(span[2]) <= 12:
            low, high = (Decimal(part.replace(",", "")) for part in span.groups())
            if low < high:
                numbers.append(Number(high, index, index, low=low, loose="$" not in token.text))
    return numbers


def _suffix_scale(text: str) -> int:
    return {"k": 1000, "m": 1_000_000}.get(text[-1].lower(), 1)


@dataclass(frozen=True)
class _TextToNumToken:
    """A token with the interface that text2num expects."""

    token: Token

    def text(self) -> str:
        return self.token.text.lower()

    def nt_separated(self, previous: object) -> bool:
        return bool(self.token.separator.strip(" -")) and isinstance(previous, _TextToNumToken)

    def not_a_number_part(self) -> bool:
        return any(letter.isdigit() for letter in self.token.text)


def _spelled(tokens: Sequence[Token], language: str) -> list[Number]:
    if language not in SPOKEN_LANGUAGES:
        return []
    from text_to_num import find_numbers

    numbers = []
    for match in find_numbers([_TextToNumToken(token) for token in tokens], language, threshold=0.0):
        if match.is_ordinal or match.value != match.value or abs(match.value) > 1e12:
            continue
        last = tokens[match.end - 1].folded
        scale = _SCALES.get(last.rsplit("-", 1)[-1], 1)
        numbers.append(Number(Decimal(str(match.value)), match.start, match.end - 1, scale=scale, spelled=True))
    taken = {index for number in numbers for index in range(number.first, number.last + 1)}
    for index, token in enumerate(tokens):
        if index not in taken and index and token.folded in ("grand", "k"):
            numbers.append(Number(Decimal(1000), index, index, scale=1000, spelled=True))
    return numbers


def _is_scale(number: Number, tokens: Sequence[Token]) -> bool:
    return number.spelled and number.first == number.last and tokens[number.first].folded in _SCALES


def _joined(parts: Sequence[Number], tokens: Sequence[Token]) -> list[Number]:
    """Join the parts of one number: "5 thousand 2 hundred", "two and a half thousand", "one fifty"."""
    joined: list[Number] = []
    for number in _scaled(parts, tokens):
        previous = joined[-1] if joined else None
        if (
            previous is not None
            and previous.last + 1 == number.first
            and not _pause(tokens, previous.last, number.first)
        ):
            if previous.scale > 1 and number.value < previous.scale and not previous.spelled:
                joined[-1] = replace(previous, value=previous.value + number.value, last=number.last)
                continue
            if _two_parts(previous, number):
                value = previous.value * 100 + number.value
                joined[-1] = replace(previous, value=value, last=number.last, loose=True)
                continue
        joined.append(number)
    return joined


def _scaled(parts: Sequence[Number], tokens: Sequence[Token]) -> list[Number]:
    """Multiply counts and scales: "5 thousand", "two and a half thousand", "a couple hundred"."""
    scaled: list[Number] = []
    for part in parts:
        if not _is_scale(part, tokens):
            scaled.append(part)
            continue
        previous = scaled[-1] if scaled else None
        if previous is not None and previous.scale < part.scale and not _pause(tokens, previous.last, part.first):
            between = tuple(token.folded for token in tokens[previous.last + 1 : part.first])
            fraction = {(): Decimal(0), ("and", "a", "half"): Decimal("0.5")}.get(between)
            is_whole = not fraction or previous.value == int(previous.value)
            if fraction is not None and previous.value < 1000 and is_whole:
                value = (previous.value + fraction) * part.scale
                scaled[-1] = replace(previous, value=value, last=part.last, scale=part.scale)
                continue
        counted = _counted_scale(part, tokens)
        if counted is not None:
            scaled.append(counted)
    return scaled


def _pause(tokens: Sequence[Token], first: int, last: int) -> bool:
    return any(token.separator.strip(" -") for token in tokens[first + 1 : last + 1])


def _two_parts(before: Number, after: Number) -> bool:
    """Return True for a price in two parts, such as "six fifty" or "twelve fifty"."""
    return (
        before.spelled
        and after.spelled
        and before.scale == after.scale == 1
        and not before.loose
        and 1 <= before.value < 100
        and 10 <= after.value < 100
    )


def _counted_scale(part: Number, tokens: Sequence[Token]) -> Number | None:
    """Return a bare "thousand" with the count before it, or None if the count is vague ("a few thousand")."""
    last = tokens[part.first - 1].folded if part.first else ""
    second = tokens[part.first - 2].folded if part.first > 1 else ""
    if tokens[part.first].folded in ("k", "grand"):
        return part if last == "a" and tokens[part.first].folded == "grand" else None
    if last == "couple" or (last == "of" and second == "couple"):
        return replace(part, value=Decimal(2 * part.scale), first=part.first - (1 if last == "couple" else 2))
    if last in _VAGUE or (last == "of" and second in _VAGUE):
        return None
    if tokens[part.first].folded in ("hundreds", "thousands"):
        return None
    if last == "a" and second == "half":
        return replace(part, value=Decimal(part.scale) / 2, first=part.first - 2)
    return part


def _ranges(numbers: Sequence[Number], tokens: Sequence[Token]) -> list[Number]:
    """Join "eight to ten thousand" into one number with a lower end."""
    ranges: list[Number] = []
    for number in numbers:
        if ranges:
            previous = ranges[-1]
            between = [token.folded for token in tokens[previous.last + 1 : number.first]]
            lead = [token.folded for token in tokens[max(0, previous.first - 3) : previous.first]]
            is_dashed = not between and re.fullmatch(r"\s*[-–—]\s*", tokens[number.first].separator)
            if (
                is_dashed
                or between in (["to"], ["or"], ["a"], ["o"])
                or (between in (["and"], ["y"]) and ("between" in lead or "entre" in lead))
            ):
                low = previous.value
                if previous.scale == 1 and number.scale > 1 and low < 1000 and low < number.value / number.scale:
                    low *= number.scale
                if low < number.value and previous.low is None and number.value <= low * 10:
                    ranges[-1] = replace(number, first=previous.first, low=low)
                    continue
        ranges.append(number)
    return ranges
