from datetime import UTC, datetime, timedelta, timezone

import pytest

from adapters.documents.wording import ENGLISH, SPANISH, Wording, clock
from domain.values import Money

EN, ES = Wording.of("en-GB"), Wording.of("es-MX")


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
def test_an_amount_is_written_with_its_currency_s_decimals(money, english, spanish):
    assert EN.money(money).replace("\xa0", " ") == english
    head, _, tail = spanish.rpartition(",00 ") if money.minor == 10**30 else ("", "", "")
    expected = f"{head.replace(',', ' ')},00 {tail}" if head else spanish
    assert ES.money(money).replace("\xa0", " ") == expected


def test_a_day_is_the_day_in_utc_in_words():
    late = datetime(2026, 3, 12, 23, 30, tzinfo=timezone(timedelta(hours=-7)))
    assert EN.date(late) == "13 March 2026"
    assert ES.moment(late) == "13 de marzo de 2026, 06:30 UTC"
    assert EN.date(datetime(2026, 3, 12, 23, 30)) == EN.date(datetime(2026, 3, 12, 23, 30, tzinfo=UTC))  # noqa: DTZ001


def test_every_label_is_said_in_both_languages():
    assert ENGLISH.keys() == SPANISH.keys()
    assert all(ENGLISH.values())
    assert all(SPANISH.values())


def test_any_other_language_gets_english_labels():
    assert Wording.of("ar")["goal"] == Wording.of("en")["goal"]


def test_the_clock_shows_hours_only_when_there_are_any():
    assert [clock(ms) for ms in (-1, 7_999, 727_000, 3_727_000)] == ["0:00", "0:07", "12:07", "1:02:07"]
