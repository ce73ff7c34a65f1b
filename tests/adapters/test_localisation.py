import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from types import FrameType
from typing import Any

import pytest

from adapters.localisation import format_date, format_moment, format_money, format_offset, locale_of, supported_language
from domain.values import Money

# More than loading a language takes, unless it has to wait for another thread.
TURN_SECONDS = 0.5

EN, ES = supported_language("en-GB"), supported_language("es-MX")


@pytest.mark.parametrize(
    ("money", "english", "spanish"),
    [
        (Money(500000, "USD"), "$5,000.00 USD", "5 000,00 USD"),
        (Money(100005, "EUR"), "€1,000.05 EUR", "1 000,05 EUR"),
        (Money(1000, "JPY"), "¥1,000 JPY", "1 000 JPY"),
        (Money(1234567, "KWD"), "1,234.567 KWD", "1 234,567 KWD"),
        (Money(-5, "USD"), "\u2212$0.05 USD", "\u22120,05 USD"),
        (Money(10**30, "USD"), f"${10**28:,}.00 USD", f"{10**28:,},00 USD"),
    ],
    ids=str,
)
def test_an_amount_is_written_with_its_currencys_decimals(money, english, spanish):
    assert format_money(money, EN).replace("\xa0", " ") == english
    head, _, tail = spanish.rpartition(",00 ") if money.minor == 10**30 else ("", "", "")
    expected = f"{head.replace(',', ' ')},00 {tail}" if head else spanish
    assert format_money(money, ES).replace("\xa0", " ") == expected


def test_a_date_is_the_day_in_utc_in_words():
    late = datetime(2026, 3, 12, 23, 30, tzinfo=timezone(timedelta(hours=-7)))
    assert format_date(late, EN) == "13 March 2026"
    assert format_moment(late, ES) == "13 de marzo de 2026, 06:30 UTC"
    without_zone = datetime(2026, 3, 12, 23, 30)  # noqa: DTZ001
    assert format_date(without_zone, EN) == format_date(without_zone.replace(tzinfo=UTC), EN)


def test_a_position_shows_hours_only_when_there_are_any():
    assert [format_offset(ms) for ms in (-1, 7_999, 727_000, 3_727_000)] == ["0:00", "0:07", "12:07", "1:02:07"]


def test_an_unknown_tag_can_be_parsed_while_another_thread_loads_a_language():
    # Babel looks for it among the languages that are loaded, and writes each in lower case for that.
    rare_languages = ["vun", "rof", "kde"]

    def load_another(_: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ == "lower" and rare_languages:
            thread = threading.Thread(target=locale_of, args=(rare_languages.pop(),))
            thread.start()
            # It may have to wait until the tag is parsed.
            thread.join(TURN_SECONDS)

    locale_of.cache_clear()
    locale_of("en")
    sys.setprofile(load_another)
    try:
        unknown = locale_of("xx")
    finally:
        sys.setprofile(None)
    assert (unknown.language, rare_languages) == ("en", [])


def test_an_unknown_tag_has_the_notation_of_english():
    assert [locale_of(tag).language for tag in ("xx", "", "not a tag", "pt-BR")] == ["en", "en", "en", "pt"]
