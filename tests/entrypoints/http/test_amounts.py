"""Amounts are read as the language of the page writes them, and never guessed."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidError
from domain.values import CURRENCIES, Money
from entrypoints.http.amounts import format_amount, read_amount

LANGUAGES = ("en", "es", "de", "fr", "pt", "sv", "hi", "ar", "fa", "ja", "de-CH", "no language", "zz", "")


def refusal(text: str, currency: str, language: str) -> str:
    with pytest.raises(InvalidError) as refused:
        read_amount(text, currency, language)
    return refused.value.detail


@pytest.mark.parametrize(
    ("text", "language", "amount"),
    [
        ("1,000", "en", "1000"), ("1.000", "de", "1000"), ("1.000", "es", "1000"), ("1 000", "fr", "1000"),
        ("1,000", "ja", "1000"), ("2.500,75", "de", "2500.75"), ("2,500.75", "en", "2500.75"),
        ("1’000.50", "de-CH", "1000.50"), ("1,00,000", "hi", "100000"),
        # One meaning in every language.
        ("12,50", "en", "12.50"), ("12.50", "de", "12.50"), ("1.000,00", "en", "1000"), ("1,000.00", "es", "1000"),
        ("1.000.000", "en", "1000000"), ("5.", "en", "5"), (".50", "en", "0.50"), ("007", "en", "7"),
    ],
)  # fmt: skip
def test_separators_are_read_as_the_language_writes_them(text: str, language: str, amount: str):
    assert read_amount(text, "USD", language) == Money.of(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("text", "language", "readings"),
    [
        ("1.000", "en", "1 USD or 1000 USD"), ("1,000", "de", "1 USD or 1000 USD"),
        ("1,000", "es", "1 USD or 1000 USD"),
        ("1.000", "fr", "1 USD or 1000 USD"), ("12.500", "en", "12.50 USD or 12500 USD"),
        ("12,500", "de", "12,50 USD or 12500 USD"), ("1.234", "en", "1.234 USD or 1234 USD"),
        ("1.000", "zz", "1 USD or 1000 USD"),
    ],
)  # fmt: skip
def test_an_ambiguous_amount_is_refused_with_its_two_readings(text: str, language: str, readings: str):
    detail = f"can mean {readings}; write it without a separator between thousands"
    assert refusal(text, "USD", language) == detail


def test_the_currency_decides_whether_three_decimals_are_possible():
    assert read_amount("1.234", "KWD", "en") == Money(1234, "KWD")
    assert read_amount("1,234", "KWD", "en") == Money(1_234_000, "KWD")
    assert read_amount("1,000", "JPY", "en") == Money(1000, "JPY")
    assert refusal("1.000", "JPY", "en").startswith("can mean 1 JPY or 1000 JPY")
    assert refusal("0.500", "USD", "en") == refusal("1000.000", "USD", "en") == "has more decimals than USD allows (2)"


@pytest.mark.parametrize(
    "text",
    [
        "$25", "25 $", "US$ 25", "$US 25", "25 USD", "usd25", "$25 USD", "＄２５", " 25 ", "\u00a025\u202f", "25\t",
        "２５．００", "٢٥", "٢٥٫٠٠", "२५", "\u200e25\u200f",
    ],
)  # fmt: skip
def test_currency_signs_blanks_and_digits_of_all_scripts_are_understood(text: str):
    assert read_amount(text, "USD", "fr") == Money.of(25, "USD")


def test_signs_of_other_currencies_are_read_in_their_place():
    assert read_amount("￥１０００", "JPY", "ja") == read_amount("1000¥", "JPY", "en") == Money(1000, "JPY")
    assert read_amount("25 kr", "SEK", "sv") == Money.of(25, "SEK")
    assert read_amount("kr. 25", "DKK", "da") == Money.of(25, "DKK")
    assert read_amount("25 €", "EUR", "de") == Money.of(25, "EUR")


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "$", ",", "-5", "+5", "1e3", "NaN", "Infinity", "\0", "5²", "½", "1_000", "0x10", "1,2,3", "1 2",
        "12. 50", "1.000.00", "1,000,00,0", "25 €", "25 EUR", "£25", "ten", "<b>25</b>", "5 5", "9" * 400, "25\x00",
        "$25$25", "--", "1/2", "１e３",
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_an_example(text: str):
    assert refusal(text, "USD", "de") == "must be a number in USD like 25 or 12,50"
    assert refusal("x", "JPY", "de") == "must be a number in JPY like 25 or 1000"


def test_huge_amounts_and_unknown_currencies_are_refused():
    assert refusal("9" * 39, "USD", "en") == "is out of range"
    assert refusal("5", "XXX", "en") == "is not one that donations can be made in"


@given(st.integers(0, 10**12), st.sampled_from(sorted(CURRENCIES)), st.sampled_from(LANGUAGES))
def test_an_amount_that_a_page_shows_is_read_as_the_same_amount(minor: int, currency: str, language: str):
    money = Money(minor, currency)
    assert read_amount(format_amount(money, language), currency, language) == money


@given(
    st.text("0123456789.,' $€٫٬½²１\u00a0", max_size=12),
    st.sampled_from(sorted(CURRENCIES)),
    st.sampled_from(LANGUAGES),
)
def test_every_text_is_read_as_an_amount_or_refused(text: str, currency: str, language: str):
    with suppress(InvalidError):
        assert read_amount(text, currency, language).minor >= 0
