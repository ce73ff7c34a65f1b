"""Amounts of money in speech: which of its numbers are money, in what currency, and where they were said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.drafting.numbers import Number, numbers_in
from adapters.drafting.speech import Filler, Token, Utterance
from adapters.drafting.vocabulary import words

_SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY", "US$": "USD", "CA$": "CAD", "AU$": "AUD", "NZ$": "NZD"}
DOLLARS = frozenset(["USD", "CAD", "AUD", "NZD", "SGD", "HKD"])
_PESOS = frozenset(["MXN", "COP", "ARS", "CLP", "PHP", "DOP", "UYU"])
_UNITS = {
    **dict.fromkeys(["euro", "euros", "eur"], "EUR"),
    **dict.fromkeys(["pound", "pounds", "quid", "gbp", "libra", "libras"], "GBP"),
    **dict.fromkeys(["yen", "jpy", "yenes"], "JPY"),
    **dict.fromkeys(["rupee", "rupees", "inr"], "INR"),
    **dict.fromkeys(["usd", "cad", "aud", "nzd", "chf", "mxn"], ""),
}
_DOLLAR_WORDS = words("dollar dollars bucks buck dolar dolares")
_PESO_WORDS = words("peso pesos")
_NATIONS = {
    "us": "USD",
    "american": "USD",
    "americanos": "USD",
    "canadian": "CAD",
    "canadienses": "CAD",
    "australian": "AUD",
    "mexicanos": "MXN",
    "colombianos": "COP",
    "argentinos": "ARS",
    "sterling": "GBP",
}

# An unsigned number before anything else counts things, not money.
_AFTER_MONEY = words(
    "for to by so and but or because before on if in total more from at now right today "
    "tomorrow as until till within "
    "just this next a an per each every urgently immediately we i my is was would will could monthly weekly "
    "yearly hourly "
    "annually altogether please need lost previously had also hello hi help which that it he she they upfront "
    "short behind maybe or then when out with "
    "para por al y antes mas porque pero cada mensuales"
)
_COUNTED = words("month months week weeks year years day days hour hours minute minutes")
_MONTHS = words(
    "january february march april may june july august september october november december jan feb "
    "mar apr jun jul aug "
    "sept sep oct nov dec enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
_NUMBERED = words(
    "apartment apt unit room suite box route highway number zip code case page line extension "
    "ext floor grade gate "
    "flight bus form chapter section phase stage type covid size"
)
_STREETS = words(
    "street st avenue ave road rd boulevard blvd drive dr lane ln court way place highway parkway circle terrace"
)
_BE = words("am i'm im is are was be he's she's age aged ages turned turning tengo tiene")


@dataclass(frozen=True)
class Amount:
    """One amount as it was said: tokens `first` to `last`, both included.

    `currency` is None where nothing said which; `explicit` tells that a sign or a word said it is money.
    `foreign` marks money of a currency nobody can name for certain.
    """

    value: Decimal
    currency: str | None
    explicit: bool
    foreign: bool
    first: int
    last: int


def amounts_in(speech: Utterance, default_currency: str) -> list[Amount]:
    """Every number of the speech that is, or may be, money."""
    kept = [index for index, token in enumerate(speech.tokens) if token.filler is not Filler.PAUSE]
    tokens = [speech.tokens[index] for index in kept]
    found = []
    for number in numbers_in(tokens, speech.language):
        amount = _amount(number, tokens, default_currency)
        if amount is not None:
            first, last = kept[amount.first], kept[amount.last]
            found.append(Amount(amount.value, amount.currency, amount.explicit, amount.foreign, first, last))
    return found


def said_values(text: str, language: str | None) -> frozenset[Decimal]:
    """Every number that a text says, in digits or in words, with both ends of its ranges."""
    speech = Utterance.of(text, language)
    tokens = [token for token in speech.tokens if token.filler is not Filler.PAUSE]
    numbers = numbers_in(tokens, speech.language)
    return frozenset(value for number in numbers for value in (number.value, number.low) if value is not None)


def _amount(number: Number, tokens: Sequence[Token], default: str) -> Amount | None:
    written = tokens[number.last].text if not number.spelled else tokens[number.first].text
    sign = re.search(r"(?:US|CA|AU|NZ)?[$€£¥]", written) or re.search(r"\$", tokens[number.first].text)
    currency, foreign, explicit, last = None, False, sign is not None, number.last
    if sign:
        currency = _SIGNS.get(sign.group()) or _dollar(default)
    else:
        unit = _unit(tokens, number.last + 1, default)
        if unit is not None:
            currency, foreign, last = unit
            explicit = True
        elif number.first and tokens[number.first - 1].text in ("USD", "EUR", "GBP", "JPY", "CAD", "AUD"):
            currency, explicit = tokens[number.first - 1].text, True
    if currency == "GBP" and not sign and _is_weight(tokens, number, last):
        return None
    value, last = _with_cents(number, tokens, last) if explicit else (number.value, last)
    if not explicit and ((number.loose and not _is_wanted(number, tokens)) or _is_no_money(number, tokens)):
        return None
    if tokens[number.last].text.endswith("%"):
        return None
    return Amount(value, currency, explicit, foreign, number.first, last)


def _dollar(default: str) -> str:
    return default if default in DOLLARS else "USD"


def _unit(tokens: Sequence[Token], at: int, default: str) -> tuple[str | None, bool, int] | None:
    """The currency word that follows a number, whether it stays unclear, and the last token it takes."""
    if at >= len(tokens) or tokens[at].gap.strip():
        return None
    word, last = tokens[at].folded, at
    following = tokens[at + 1].folded if at + 1 < len(tokens) else ""
    nation = _NATIONS.get(word)
    if nation and (following in _DOLLAR_WORDS or following in _UNITS):
        return nation, False, at + 1
    if word in ("de", "of") and (following in _DOLLAR_WORDS | _PESO_WORDS or following in _UNITS):
        word, last = following, at + 1
        following = tokens[at + 2].folded if at + 2 < len(tokens) else ""
    if word in _DOLLAR_WORDS | _PESO_WORDS and following in _NATIONS and following != "us":
        return _NATIONS[following], False, last + 1
    if word in _DOLLAR_WORDS:
        return _dollar(default), False, last
    if word in _PESO_WORDS:
        return (default, False, last) if default in _PESOS else (None, True, last)
    if word in _UNITS:
        return _UNITS[word] or word.upper(), False, last
    return None


def _with_cents(number: Number, tokens: Sequence[Token], last: int) -> tuple[Decimal, int]:
    """Adds "and fifty cents"."""
    words = [token.folded for token in tokens[last + 1 : last + 5]]
    if len(words) >= 3 and words[0] == "and" and "cents" in words[2:4]:
        cents = numbers_in(tokens[last + 2 : last + 1 + words.index("cents")], "en")
        if len(cents) == 1 and cents[0].value < 100:
            return number.value + cents[0].value / 100, last + 1 + words.index("cents")
    return number.value, last


def _is_weight(tokens: Sequence[Token], number: Number, last: int) -> bool:
    before = {token.folded for token in tokens[max(0, number.first - 4) : number.first]}
    after = tokens[last + 1].folded if last + 1 < len(tokens) else ""
    return bool(before & {"lost", "weigh", "weighs", "weighed", "weight", "gained", "lose"}) or after in (
        "of",
        "overweight",
    )


_PRICED = frozenset(["need", "needs", "cost", "costs", "owe", "bill", "pay"])


def _is_wanted(number: Number, tokens: Sequence[Token], by: frozenset[str] = _PRICED) -> bool:
    """ "need six fifty", "costs about twelve fifty": said like a price, though without a currency."""
    before = [token.folded for token in tokens[max(0, number.first - 3) : number.first]]
    while before and before[-1] in ("about", "around", "like", "maybe", "just", "only", "is"):
        before.pop()
    return bool(before) and before[-1] in by


def _is_no_money(number: Number, tokens: Sequence[Token]) -> bool:
    before = tokens[number.first - 1].folded if number.first else ""
    earlier = tokens[number.first - 2].folded if number.first > 1 else ""
    after = tokens[number.last + 1] if number.last + 1 < len(tokens) else None
    attached = after is not None and not after.gap.strip(" -")
    if number.value < 20 or number.value != number.value.to_integral_value():
        return True
    if before in _MONTHS | _NUMBERED or (before in _BE and number.value <= 120):
        return True
    if 1900 <= number.value < 2100 and before in ("in", "since", "of", "year", "en", "desde"):
        return True
    if after is None or not attached:
        return False
    if after.folded in _COUNTED | _MONTHS or after.folded.startswith(("year-", "month-", "week-", "day-")):
        return True
    following = [token.folded for token in tokens[number.last + 1 : number.last + 4]]
    if after.text[:1].isupper() and any(word in _STREETS for word in following):
        return True
    if earlier in ("at", "on") and any(word in _STREETS for word in following):
        return True
    if _is_wanted(number, tokens, frozenset(["cost", "costs", "owe", "bill"])):
        return False
    return after.folded not in _AFTER_MONEY and after.filler is Filler.NONE and not after.text[0].isupper()
