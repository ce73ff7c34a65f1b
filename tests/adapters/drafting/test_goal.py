from __future__ import annotations

from decimal import Decimal

import pytest

from adapters.drafting.amounts import spoken_values
from adapters.drafting.goal import goal_of
from adapters.drafting.utterance import Utterance
from domain.values import Money


def goal(text: str, language: str = "en") -> tuple[str, str] | None:
    result = goal_of(Utterance.of(text, language))
    return None if result is None else (f"{result[0].major.normalize():f}", result[0].currency)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("I need fifteen hundred dollars to stay.", "1500"),
        ("i need one thousand five hundred dollars for rent", "1500"),
        ("The lawyer says I need exactly two thousand two hundred fifty dollars.", "2250"),
        ("therapy that costs about thirty-five hundred dollars", "3500"),
        ("therapy that costs about thirty five hundred dollars", "3500"),
        ("we need twenty five hundred dollars", "2500"),
        ("We need $1.5k for rent.", "1500"),
        ("We need 1.5k for rent.", "1500"),
        ("i need 5 grand for a funeral", "5000"),
        ("we need a couple thousand dollars", "2000"),
        ("we need two and a half thousand dollars", "2500"),
        ("we need half a million dollars", "500000"),
        ("the surgery costs one point five million dollars", "1500000"),
        ("i need six fifty for the landlord", "650"),
        ("we need twenty dollars and fifty cents for the bus", "20.5"),
        ("we need two um thousand dollars", "2000"),
        ("Need 1200 for rent.", "1200"),
        ("i need 5 thousand 2 hundred dollars", "5200"),
    ],
)
def test_amounts_are_found_in_digits_and_words(text, amount):
    assert goal(text) == (amount, "USD")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("I make $3,200 a month, my rent is $1,800, the deposit they want is $900.", "900"),
        ("i make two thousand dollars a month and my rent is twelve hundred and i need eight hundred dollars", "800"),
        ("I have $2,000 saved and need $3,000 more. Surgery costs $18,000 total.", "3000"),
        ("My wife earns 500 dollars a week and we need 900 dollars.", "900"),
        ("I already raised 2000 dollars and my goal is 6000 dollars.", "6000"),
        ("I can pay $300 myself so I am asking for $450.", "450"),
        ("If I don't pay eighteen hundred dollars by Friday we are out.", "1800"),
        ("We have six hundred dollars saved and we are 400 dollars short.", "400"),
        ("We want to raise five thousand dollars, her insurance pays ten thousand dollars.", "5000"),
        ("I'm 28, have $12,000 in student loans, and need $600 for my electric bill.", "600"),
        ("Rent went up to $1,400, but I only need $420 for gas.", "420"),
    ],
)
def test_the_goal_is_the_amount_asked_for(text, amount):
    assert goal(text) == (amount, "USD")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("i need three thousand dollars no wait four thousand dollars", "4000"),
        ("We need three thousand, no, five thousand for the surgery.", "5000"),
        ("We need 3000 dollars. No, sorry, 5000 dollars.", "5000"),
        ("i need three thousand for the rent actually no make that four thousand", "4000"),
    ],
)
def test_a_corrected_amount_replaces_the_first(text, amount):
    assert goal(text) == (amount, "USD")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("we need eight to ten thousand dollars for the roof", "10000"),
        ("We need between $3,000 and $4,000 for the roof.", "4000"),
        ("We need 2,000 – 2,500 dollars for the roof.", "2500"),
        ("We need $10-15,000 for the roof.", "15000"),
    ],
)
def test_the_goal_of_a_range_is_its_upper_end(text, amount):
    assert goal(text) == (amount, "USD")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("We need $500 for rent, $400 for the car, and $200 for food.", "1100"),
        ("I need $500 for rent and $300 for food, $800 total.", "800"),
        ("We need $500 for rent. And $300 for food. And another $150 for gas.", "950"),
        ("We owe $1,200 for rent, $300 for the electric bill, and $150 for water.", "1650"),
        ("Rent is $900, electric is $150 and food is $200. I need help with all of it.", "1250"),
        ("I need help with three things: rent, $900, electric, $150, and food, $200.", "1250"),
        ("I need to pay the rent, 900, the electric bill, 150, and groceries, 200.", "1250"),
    ],
)
def test_parts_that_are_asked_for_together_are_added(text, amount):
    assert goal(text) == (amount, "USD")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("I owe three months of rent at $950.", "2850"),
        ("I need help with 3 months rent, $950 each.", "2850"),
        ("My rent is $950 a month and I'm two months behind.", "1900"),
        ("i need nine hundred fifty dollars a month for three months", "2850"),
        ("My rent is $700 a month. I have been out of work for three months and I need $700.", "700"),
    ],
)
def test_an_amount_for_each_month_is_multiplied_by_the_months_asked_for(text, amount):
    assert goal(text) == (amount, "USD")


@pytest.mark.parametrize(
    "text",
    [
        "The surgery is eight thousand, insurance pays six, so I'm short two.",
        "The surgery is $8,000. Insurance pays 6, so I'm short 2.",
        "the surgery costs eight thousand dollars insurance pays six so i'm short two",
    ],
)
def test_a_bare_number_after_thousands_is_in_thousands(text):
    assert goal(text) == ("2000", "USD")


@pytest.mark.parametrize(
    "text",
    [
        "My rent is twenty-nine fifty.",
        "i need twenty nine fifty for rent",
        "It comes to twenty-nine fifty.",
        "I need 2950 for rent.",
    ],
)
def test_a_price_may_be_said_in_two_parts(text):
    assert goal(text) == ("2950", "USD")


@pytest.mark.parametrize(
    "text",
    [
        "i am twenty five years old and live at 1200 Main Street and my number is 555-123-4567",
        "call me at five five five one two three four five six seven",
        "I lost my job in 2019 and I am 45.",
        "On January 15th 2026 I had an accident.",
        "Interest is 40% and they want 3 percent.",
        "i lost twenty pounds since the accident",
        "we need a few thousand dollars",
        "We need 200 blankets and help.",
        "I make $18 an hour.",
        "I need 20000000 dollars.",
        "I need two hundred pesos.",
        "",
    ],
)
def test_a_number_that_is_not_asked_for_is_not_a_goal(text):
    assert goal(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I need 1.500 euros for the deposit.", ("1500", "EUR")),
        ("we need two thousand pounds for the school", ("2000", "GBP")),
        ("I need £2,000 for my tuition.", ("2000", "GBP")),
        ("i need five hundred thousand yen for tuition", ("500000", "JPY")),
        ("I need 750 canadian dollars.", ("750", "CAD")),
    ],
)
def test_a_spoken_currency_is_used(text, expected):
    assert goal(text) == expected


def test_dollars_without_a_country_are_us_dollars():
    assert goal("I need 500 dollars.") == ("500", "USD")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("me llamo maria y necesito dos mil quinientos dolares para la renta", ("2500", "USD")),
        ("Necesito mil quinientos dólares. Gano 800 dólares al mes.", ("1500", "USD")),
        ("Necesitamos ochocientos euros para la operación de mi hijo.", ("800", "EUR")),
    ],
)
def test_spanish_amounts_are_found(text, expected):
    assert goal(text, "es") == expected


def test_an_amount_with_too_many_decimals_is_not_a_goal():
    assert goal("I need ¥1500.5 for tuition.") is None


def test_every_spoken_number_is_found():
    values = spoken_values("I make $400 a week and need two to three thousand dollars", "en")
    assert {Decimal(400), Decimal(2000), Decimal(3000)} <= values


def test_the_goal_keeps_its_cents():
    result = goal_of(Utterance.of("We need $20.50.", "en"))
    assert result is not None
    assert result[0] == Money(2050, "USD")
