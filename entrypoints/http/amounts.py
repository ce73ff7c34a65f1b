"""Amounts as people read and type them on a page, in the notation of the page's language."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from babel import Locale
from babel.numbers import format_decimal, get_currency_symbol, get_decimal_symbol, get_group_symbol

from adapters.localisation import locale_of
from domain.errors import FaultCode, InvalidError
from domain.values import CURRENCIES, Money, decimals, payable_decimals

MAX_AMOUNT_LENGTH = 40

# Blanks, apostrophes and the Arabic separators have one meaning everywhere; a point or a comma has two.
_DECIMAL_SIGNS = ".,٫"
_GROUP_SIGNS = ".,' ٬"
_TYPED = re.compile(r"(.*?) *([.,٫]?[0-9](?:[0-9.,' ٫٬]*[0-9])?[.,٫]?) *(.*)")


@dataclass(frozen=True)
class _Reading:
    """One meaning of a typed number."""

    value: Decimal
    decimal_places: int
    notation: tuple[str, str]


def read_amount(text: str, currency: str, language: str) -> Money:
    """Return the amount that a person typed; InvalidError if it is none, or if it can mean two amounts.

    `1,000` and `1.000` are read as the language writes them. They are refused with both readings if the language has
    another notation, or if the amount would have more decimals than its currency.
    """
    if currency not in CURRENCIES:
        raise InvalidError("is not one that donations can be made in", "/currency", FaultCode.UNKNOWN_CURRENCY)
    locale = locale_of(language)
    readings = _readings(_number(text, currency, locale))
    fitting = {reading for reading in readings if reading.decimal_places <= decimals(currency)}
    if len({reading.value for reading in readings}) > 1:
        readings = {reading for reading in fitting if reading.notation == _notation(locale)} or readings
    values = sorted({reading.value for reading in readings})
    match values:
        case [value] if readings & fitting:
            return Money.of(value, currency)
        case [_]:
            detail = f"has more decimals than {currency} allows ({decimals(currency)})"
            raise InvalidError(detail, "/amount", FaultCode.TOO_MANY_DECIMALS)
        case [first, second]:
            written = [f"{_plain(value, currency, locale)} {currency}" for value in (first, second)]
            detail = f"can mean {written[0]} or {written[1]}; write it without a separator between thousands"
            raise InvalidError(detail, "/amount", FaultCode.AMBIGUOUS)
        case _:
            raise _not_an_amount(currency, locale)


def format_amount(money: Money, language: str) -> str:
    """Return the amount with grouped digits, with decimals unless they are zero, and with the currency's code."""
    locale = locale_of(language)
    whole, fraction = divmod(money.major, 1)
    grouped = format_decimal(whole, "#,##0", locale, numbering_system="latn")
    # Babel knows a language but not the reader's country: in Mexico, 5.000 is five. A blank is understood everywhere.
    grouped = grouped.replace(".", "\u00a0")
    cents = _plain(fraction, money.currency, locale)[1:] if fraction else ""
    return f"{grouped}{cents} {money.currency}"


def _notation(locale: Locale) -> tuple[str, str]:
    """Return the language's sign before decimals and its sign between thousands."""
    decimal_sign = get_decimal_symbol(locale, numbering_system="latn")
    return _plain_characters(decimal_sign), _plain_characters(get_group_symbol(locale, numbering_system="latn"))


def _number(text: str, currency: str, locale: Locale) -> str:
    """Return the digits and separators of the text, without the signs of the currency."""
    typed = _TYPED.fullmatch(_plain_characters(text).strip()) if len(text) <= MAX_AMOUNT_LENGTH else None
    if typed is None or not {typed[1].casefold(), typed[3].casefold()} <= _currency_signs(currency, locale):
        raise _not_an_amount(currency, locale)
    return typed[2]


def _not_an_amount(currency: str, locale: Locale) -> InvalidError:
    example = _plain(Decimal("12.5"), currency, locale) if payable_decimals(currency) else "1000"
    return InvalidError(f"must be a number in {currency} like 25 or {example}", "/amount", FaultCode.WRONG_TYPE)


def _plain_characters(text: str) -> str:
    return "".join(map(_plain_character, text))


def _plain_character(character: str) -> str:
    """Return a digit of any script as an ASCII digit, any blank as a space, and a wide character as a normal one."""
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if character.isspace():
        return " "
    if character == "’":
        return "'"
    if unicodedata.category(character) == "Cf":
        # Marks for the direction of text come along with copied numbers.
        return ""
    is_wide = unicodedata.decomposition(character).startswith("<wide>")
    return unicodedata.normalize("NFKC", character) if is_wide else character


def _currency_signs(currency: str, locale: Locale) -> set[str]:
    """Return the texts that may stand beside an amount in the currency, such as `$`, `US$`, `USD` or none."""
    symbols = {_plain_characters(get_currency_symbol(currency, each)) for each in (locale, locale_of("en"))}
    signs = {character for symbol in symbols for character in symbol if unicodedata.category(character) == "Sc"}
    signs_with_country = {f"{currency[:2]}{sign}" for sign in signs}
    return {sign.casefold() for sign in ({"", currency} | symbols | signs | signs_with_country)}


def _readings(number: str) -> set[_Reading]:
    """Return every meaning of the number: with each sign as the decimal sign and as the one between thousands."""
    readings = set()
    for decimal_sign in _DECIMAL_SIGNS:
        for group_sign in _GROUP_SIGNS.replace(decimal_sign, ""):
            whole, _, fraction = number.partition(decimal_sign)
            # Groups of three digits; in India only the last group has three and the others have two.
            groups = rf"[1-9]\d{{0,2}}(?:{re.escape(group_sign)}\d{{3}})+|[1-9]\d?(?:{re.escape(group_sign)}\d\d)+"
            is_number = re.fullmatch(rf"\d*|{groups}(?:{re.escape(group_sign)}\d{{3}})", whole)
            if is_number and re.fullmatch(r"\d*", fraction) and (whole or fraction):
                value = Decimal(f"{whole.replace(group_sign, '') or 0}.{fraction or 0}")
                readings.add(_Reading(value, len(fraction), (decimal_sign, group_sign)))
    return readings


def _plain(value: Decimal, currency: str, locale: Locale) -> str:
    """Return the number without a separator between thousands, and with the language's decimal sign."""
    if value == value.to_integral_value():
        return str(int(value))
    places = max(decimals(currency), -int(value.normalize().as_tuple().exponent))
    return f"{value:.{places}f}".replace(".", get_decimal_symbol(locale, numbering_system="latn"))
