from datetime import UTC, datetime, timedelta, timezone

import pytest

from adapters.localisation import format_date, format_moment, format_money, format_offset, supported_language
from domain.values import Money

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
