"""Numbers as people say them: text2num for the words, and the grammar of prices around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from adapters.drafting.speech import Token
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
# What a recogniser writes when it hears "two thousand" or "four thousand".
_HOMOPHONES = {"to": 2, "too": 2, "for": 4, "ate": 8, "won": 1}
_BEFORE_A_HOMOPHONE = words("need needs needed about around cost costs least maybe roughly approximately is")


@dataclass(frozen=True)
class Number:
    """A number between two tokens, both included; `low` is the lower end where a range was said.

    `loose` marks what is a price only beside other signs of one, such as "six fifty" or "8-10".
    """

    value: Decimal
    first: int
    last: int
    low: Decimal | None = None
    scale: int = 1
    spelled: bool = False
    loose: bool = False


def digits_value(text: str) -> Decimal | None:
    """What written digits mean, by either convention of points and commas; None if they are no plain number."""
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
    """Every number in these tokens, in their order; digits are read in any language, words in English and Spanish."""
    atoms = sorted([*_written(tokens), *_spelled(tokens, language)], key=lambda atom: atom.first)
    return _ranges(_without_digit_runs(_joined(atoms, tokens)), tokens)


def _written(tokens: Sequence[Token]) -> list[Number]:
    found = []
    for index, token in enumerate(tokens):
        if not token.text[-1].isdigit() and not any(letter.isdigit() for letter in token.text):
            continue
        value = digits_value(token.text)
        if value is not None:
            found.append(Number(value, index, index, scale=_suffix_scale(token.text)))
        elif (span := _SPAN.match(token.text)) and len(span[1]) <= 12 and len(span[2]) <= 12:
            low, high = (Decimal(part.replace(",", "")) for part in span.groups())
            if low < high:
                found.append(Number(high, index, index, low=low, loose="$" not in token.text))
    return found


def _suffix_scale(text: str) -> int:
    return {"k": 1000, "m": 1_000_000}.get(text[-1].lower(), 1)


@dataclass(frozen=True)
class _Heard:
    """A token as text2num wants to see it."""

    token: Token

    def text(self) -> str:
        return self.token.text.lower()

    def nt_separated(self, previous: object) -> bool:
        return bool(self.token.gap.strip(" -")) and isinstance(previous, _Heard)

    def not_a_number_part(self) -> bool:
        return any(letter.isdigit() for letter in self.token.text)


def _spelled(tokens: Sequence[Token], language: str) -> list[Number]:
    if language not in SPOKEN_LANGUAGES:
        return []
    from text_to_num import find_numbers

    found = []
    for heard in find_numbers([_Heard(token) for token in tokens], language, threshold=0.0):
        if heard.is_ordinal or heard.value != heard.value or abs(heard.value) > 1e12:
            continue
        last = tokens[heard.end - 1].folded
        scale = _SCALES.get(last.rsplit("-", 1)[-1], 1)
        found.append(Number(Decimal(str(heard.value)), heard.start, heard.end - 1, scale=scale, spelled=True))
    taken = {index for number in found for index in range(number.first, number.last + 1)}
    for index, token in enumerate(tokens):
        if index not in taken and index and token.folded in ("grand", "k"):
            found.append(Number(Decimal(1000), index, index, scale=1000, spelled=True))
    return found


def _is_scale(number: Number, tokens: Sequence[Token]) -> bool:
    return number.spelled and number.first == number.last and tokens[number.first].folded in _SCALES


def _joined(atoms: Sequence[Number], tokens: Sequence[Token]) -> list[Number]:
    """Puts together what is one number: "5 thousand 2 hundred", "two and a half thousand", "one fifty"."""
    found: list[Number] = []
    for number in _scaled(atoms, tokens):
        before = found[-1] if found else None
        if before is not None and before.last + 1 == number.first and not _pause(tokens, before.last, number.first):
            if before.scale > 1 and number.value < before.scale and not before.spelled:
                found[-1] = replace(before, value=before.value + number.value, last=number.last)
                continue
            if _two_parts(before, number):
                value = before.value * 100 + number.value
                found[-1] = replace(before, value=value, last=number.last, loose=True)
                continue
        found.append(number)
    return [_and_a_half(number, tokens) for number in found]


def _scaled(atoms: Sequence[Number], tokens: Sequence[Token]) -> list[Number]:
    """Multiplies "5 thousand", "two and a half thousand", "a couple hundred"."""
    found: list[Number] = []
    for atom in atoms:
        if not _is_scale(atom, tokens):
            found.append(atom)
            continue
        before = found[-1] if found else None
        if before is not None and before.scale < atom.scale and not _pause(tokens, before.last, atom.first):
            between = tuple(token.folded for token in tokens[before.last + 1 : atom.first])
            part = {(): Decimal(0), ("and", "a", "half"): Decimal("0.5")}.get(between)
            if part is not None and before.value < 1000 and (not part or before.value == int(before.value)):
                value = (before.value + part) * atom.scale
                found[-1] = replace(before, value=value, last=atom.last, scale=atom.scale)
                continue
        counted = _counted_scale(atom, tokens)
        if counted is not None:
            found.append(counted)
    return found


def _pause(tokens: Sequence[Token], first: int, last: int) -> bool:
    return any(token.gap.strip(" -") for token in tokens[first + 1 : last + 1])


def _two_parts(before: Number, after: Number) -> bool:
    """ "six fifty", "twelve fifty": hundreds first, then the rest, both in words."""
    return (
        before.spelled
        and after.spelled
        and before.scale == after.scale == 1
        and not before.loose
        and 1 <= before.value < 100
        and 10 <= after.value < 100
    )


def _counted_scale(atom: Number, tokens: Sequence[Token]) -> Number | None:
    """A bare "thousand" with what counts it: None where that is vague ("a few thousand") or nothing at all."""
    last = tokens[atom.first - 1].folded if atom.first else ""
    second = tokens[atom.first - 2].folded if atom.first > 1 else ""
    if tokens[atom.first].folded in ("k", "grand"):
        return atom if last == "a" and tokens[atom.first].folded == "grand" else None
    if last == "couple" or (last == "of" and second == "couple"):
        return replace(atom, value=Decimal(2 * atom.scale), first=atom.first - (1 if last == "couple" else 2))
    if last in _VAGUE or (last == "of" and second in _VAGUE):
        return None
    if tokens[atom.first].folded in ("hundreds", "thousands"):
        return None
    if last == "a" and second == "half":
        return replace(atom, value=Decimal(atom.scale) / 2, first=atom.first - 2)
    if last in _HOMOPHONES:
        heard = last in ("to", "too") or second in _BEFORE_A_HOMOPHONE
        count = _HOMOPHONES[last] if heard else 1
        return replace(atom, value=Decimal(count * atom.scale), first=atom.first - (1 if heard else 0))
    return atom


def _and_a_half(number: Number, tokens: Sequence[Token]) -> Number:
    after = tuple(token.folded for token in tokens[number.last + 1 : number.last + 4])
    if number.scale >= 1000 and number.value == number.scale and after == ("and", "a", "half"):
        return replace(number, value=number.value + Decimal(number.scale) / 2, last=number.last + 3)
    return number


def _without_digit_runs(numbers: Sequence[Number]) -> list[Number]:
    """Drops three or more single digits in a row: a telephone or house number read aloud."""
    kept: list[Number] = []
    run: list[Number] = []
    for number in [*numbers, None]:
        if (
            number is not None
            and number.value < 10
            and number.scale == 1
            and (not run or run[-1].last + 1 == number.first)
        ):
            run.append(number)
            continue
        if len(run) < 3:
            kept.extend(run)
        run = []
        if number is None:
            break
        if number.value < 10 and number.scale == 1:
            run = [number]
        else:
            kept.append(number)
    return kept


def _ranges(numbers: Sequence[Number], tokens: Sequence[Token]) -> list[Number]:
    """Reads "eight to ten thousand" as one number with a lower end."""
    found: list[Number] = []
    for number in numbers:
        if found:
            before = found[-1]
            between = [token.folded for token in tokens[before.last + 1 : number.first]]
            lead = [token.folded for token in tokens[max(0, before.first - 3) : before.first]]
            if between in (["to"], ["or"], ["a"], ["o"]) or (
                between in (["and"], ["y"]) and ("between" in lead or "entre" in lead)
            ):
                low = before.value
                if before.scale == 1 and number.scale > 1 and low < 1000 and low < number.value / number.scale:
                    low *= number.scale
                if low < number.value and before.low is None and number.value <= low * 10:
                    found[-1] = replace(number, first=before.first, low=low)
                    continue
        found.append(number)
    return found
