"""Amounts of money and points in time as people read them, in English and Spanish."""

from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock

from babel import Locale, UnknownLocaleError
from babel.dates import format_date as babel_date
from babel.numbers import format_decimal

from domain.values import Money, decimals

DATE_PATTERNS = {"en": "d MMMM y", "es": "d 'de' MMMM 'de' y"}
CURRENCY_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
NO_BREAK_SPACE = "\u00a0"
MINUS = "\u2212"

_loading = Lock()


def supported_language(tag: str) -> str:
    """Return "es" for a tag of any kind of Spanish and "en" for every other language tag."""
    return "es" if tag.partition("-")[0].lower() == "es" else "en"


@lru_cache(maxsize=256)
def locale_of(language: str) -> Locale:
    """Return the notation of a language tag, and that of English for an unknown one. Threads may share it.

    Whatever needs data of Babel takes the locale from here: Babel 2.18 fails to parse an unknown tag in the moment in
    which another thread loads the data of a locale.
    """
    with _loading:
        try:
            locale = Locale.parse(language, sep="-")
        except (ValueError, UnknownLocaleError):
            locale = Locale("en")
        _ = locale.text_direction  # loads the data
        return locale


def format_date(moment: datetime, language: str) -> str:
    """Return the date in UTC with the month as a word, because 3/12 means different days to different readers."""
    return babel_date(in_utc(moment), DATE_PATTERNS[language], locale_of(language))


def format_moment(moment: datetime, language: str) -> str:
    """Return the date and the time of day in UTC."""
    return f"{format_date(moment, language)}, {in_utc(moment):%H:%M} UTC"


def format_money(money: Money, language: str) -> str:
    """Return the amount with the currency's decimals and code: "$5,000.00 USD" or "5 000,00 USD".

    Babel is not used here: it writes 5000 dollars as "5000,00 US$" or "USD5,000.00" depending on the country, and a
    point between thousands is a decimal point to readers in Mexico. A space is understood in every country. Babel also
    has other decimals than Stripe for some currencies, such as ISK.
    """
    code = money.currency.upper()
    places = decimals(code)
    major, minor = divmod(abs(money.minor), 10**places)
    minus = MINUS if money.minor < 0 else ""
    if language == "es":
        fraction = f",{minor:0{places}}" if places else ""
        return f"{minus}{f'{major:,}'.replace(',', NO_BREAK_SPACE)}{fraction}{NO_BREAK_SPACE}{code}"
    fraction = f".{minor:0{places}}" if places else ""
    return f"{minus}{CURRENCY_SYMBOLS.get(code, '')}{major:,}{fraction}{NO_BREAK_SPACE}{code}"


def format_number(number: float, language: str) -> str:
    """Return the number with two decimals at most."""
    return format_decimal(number, "#,##0.##", locale_of(language))


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC. A moment without a time zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_offset(milliseconds: int) -> str:
    """Return a position in a recording: 0:07, 12:07 or 1:02:07."""
    minutes, seconds = divmod(max(0, milliseconds) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
