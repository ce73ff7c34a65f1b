"""Finds amounts of money: which numbers are money, their currency and their position."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.drafting.numbers import Number, numbers_in
from adapters.drafting.utterance import FillerKind, Token, Utterance
from adapters.drafting.vocabulary import TABLES, WORDS, words
from domain.tickets import DEFAULT_CURRENCY

_CURRENCY_SYMBOLS = {"€": "EUR", "£": "GBP", "¥": "JPY", "US$": "USD", "CA$": "CAD", "AU$": "AUD", "NZ$": "NZD"}
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

# A number without currency is money only if one of these words follows; before a noun it counts things.
_AFTER_MONEY = WORDS["after_money"]
_COUNTED = WORDS["counted"]
_MONTHS = WORDS["month"]
_NUMBERED = WORDS["numbered"]
_STREETS = WORDS["street"]
_SHARES = words("short pays paid pay covers covered cover have has saved raised need needs got owe missing only about")
_ENDING_A_BARE_NUMBER = words("so and but i i'm we we're which that short more of then leaving")
_BE = words("am i'm im is are was be he's she's age aged ages turned turning tengo tiene")


@dataclass(frozen=True)
class Amount:
    """One amount, from token `first` to token `last`, both included.

    `currency` is None if the speaker named none. `explicit` means that a symbol or word marks it as money.
    `foreign` means that the currency is ambiguous, such as pesos.
    """

    value: Decimal
    currency: str | None
    explicit: bool
    foreign: bool
    first: int
    last: int


def amounts_in(utterance: Utterance) -> list[Amount]:
    """Return every number that is, or may be, money."""
    spoken_indexes = [index for index, token in enumerate(utterance.tokens) if token.filler is not FillerKind.PAUSE]
    tokens = [utterance.tokens[index] for index in spoken_indexes]
    amounts: list[Amount] = []
    for number in numbers_in(tokens, utterance.language):
        amount = _amount(number, tokens) or _in_thousands(number, tokens, amounts[-1] if amounts else None)
        if amount is not None:
            first, last = spoken_indexes[amount.first], spoken_indexes[amount.last]
            amounts.append(Amount(amount.value, amount.currency, amount.explicit, amount.foreign, first, last))
    return amounts


def spoken_values(text: str, language: str | None) -> frozenset[Decimal]:
    """Return every number in the text, in digits or words, with both ends of ranges."""
    utterance = Utterance.of(text, language)
    tokens = [token for token in utterance.tokens if token.filler is not FillerKind.PAUSE]
    numbers = numbers_in(tokens, utterance.language)
    return frozenset(value for number in numbers for value in (number.value, number.low) if value is not None)


def _amount(number: Number, tokens: Sequence[Token]) -> Amount | None:
    written = tokens[number.last].text if not number.spelled else tokens[number.first].text
    symbol = re.search(r"(?:US|CA|AU|NZ)?[$€£¥]", written) or re.search(r"\$", tokens[number.first].text)
    currency, foreign, explicit, last = None, False, symbol is not None, number.last
    if symbol:
        currency = _CURRENCY_SYMBOLS.get(symbol.group(), DEFAULT_CURRENCY)
    else:
        unit = _unit(tokens, number.last + 1)
        if unit is not None:
            currency, foreign, last = unit
            explicit = True
        elif number.first and tokens[number.first - 1].text in ("USD", "EUR", "GBP", "JPY", "CAD", "AUD"):
            currency, explicit = tokens[number.first - 1].text, True
    value, last = _with_cents(number, tokens, last) if explicit else (number.value, last)
    if not explicit and ((number.loose and not _is_priced(number, tokens)) or _is_not_money(number, tokens)):
        return None
    if tokens[number.last].text.endswith("%"):
        return None
    return Amount(value, currency, explicit, foreign, number.first, last)


def _in_thousands(number: Number, tokens: Sequence[Token], previous: Amount | None) -> Amount | None:
    """Return the amount in "insurance pays six, so I'm short two" after an amount of thousands, otherwise None."""
    if previous is None or previous.value < 1000 or previous.value % 1000 or number.value * 1000 >= previous.value:
        return None
    before = tokens[number.first - 1].folded if number.first else ""
    after = tokens[number.last + 1] if number.last + 1 < len(tokens) else None
    is_bare = after is None or bool(after.separator.strip()) or after.folded in _ENDING_A_BARE_NUMBER
    if before not in _SHARES or not is_bare or not tokens[number.first].text.isalnum():
        return None
    return Amount(number.value * 1000, previous.currency, True, previous.foreign, number.first, number.last)


def _unit(tokens: Sequence[Token], at: int) -> tuple[str | None, bool, int] | None:
    """Return the currency after a number, whether it is ambiguous, and the index of its last token."""
    if at >= len(tokens) or tokens[at].separator.strip():
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
        return DEFAULT_CURRENCY, False, last
    if word in _PESO_WORDS:
        return None, True, last
    if word in _UNITS:
        return _UNITS[word] or word.upper(), False, last
    return None


def _with_cents(number: Number, tokens: Sequence[Token], last: int) -> tuple[Decimal, int]:
    """Return the value with following cents ("and fifty cents"), and the index of its last token."""
    words = [token.folded for token in tokens[last + 1 : last + 5]]
    if len(words) >= 3 and words[0] == "and" and "cents" in words[2:4]:
        cents = numbers_in(tokens[last + 2 : last + 1 + words.index("cents")], "en")
        if len(cents) == 1 and cents[0].value < 100:
            return number.value + cents[0].value / 100, last + 1 + words.index("cents")
    return number.value, last


# Words before a number that make it a price, and words that may stand between.
_PRICED = frozenset(word for kind, text in TABLES["governors"].items() if kind != "own_money" for word in text.split())
_HEDGED = words("about around like maybe just only is was are be exactly another roughly almost for at some to it's")


def _is_priced(number: Number, tokens: Sequence[Token], by: frozenset[str] = _PRICED) -> bool:
    """Return True for a number used like a price: "need six fifty", "costs about twelve fifty"."""
    before = [token.folded for token in tokens[max(0, number.first - 4) : number.first]]
    while before and before[-1] in _HEDGED:
        before.pop()
    return bool(before) and before[-1] in by


def _is_not_money(number: Number, tokens: Sequence[Token]) -> bool:
    before = tokens[number.first - 1].folded if number.first else ""
    after = tokens[number.last + 1] if number.last + 1 < len(tokens) else None
    attached = after is not None and not after.separator.strip(" -")
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
    if any(word in _STREETS for word in following):
        return True
    if _is_priced(number, tokens, frozenset(["cost", "costs", "owe", "bill"])):
        return False
    return after.folded not in _AFTER_MONEY and not after.is_filler and not after.text[0].isupper()
