"""Category and urgency: what the money is asked for, and how soon."""

from __future__ import annotations

import pytest

from adapters.drafting.local import LocalAnalyser, LocalDrafter
from domain.values import Transcript


def category(text: str) -> str | None:
    transcript = Transcript(text, "en", "test")
    return LocalDrafter().draft(transcript, LocalAnalyser().analyse(transcript)).category


def urgency(text: str) -> str:
    return str(LocalAnalyser().analyse(Transcript(text, "en", "test")).urgency)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My truck was towed and the hospital called. I need 300 dollars for insulin.", "HEALTHCARE"),
        ("I work at a school. The water bill is 240 dollars and I can't pay it.", "UTILITIES"),
        ("I need 900 dollars to pay my bail bond.", "LEGAL"),
        ("I need 700 dollars to bury my uncle.", "FAMILY"),
        ("They let me go in May. I need 1,000 dollars until I find work.", "EMPLOYMENT"),
        ("I need help with food, gas and school. 300 dollars would cover it.", "FOOD"),
        ("Necesito 800 dólares para el alquiler.", "HOUSING"),
        ("I need 500 dollars.", None),
    ],
)
def test_the_category_is_what_the_money_is_asked_for(text, expected):
    assert category(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My ex threatened me, and I have a restraining order. I need 800 dollars for a new phone.", "SAFETY"),
        ("Our house burned down. We need 2,000 dollars for clothes and food.", "EMERGENCY"),
    ],
)
def test_a_danger_or_a_disaster_is_the_category_whatever_the_money_buys(text, expected):
    assert category(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Nobody is abusing me. I need 600 dollars for rent.",
        "It is not for medical bills. I need 600 dollars for rent.",
        "I used to have cancer. I need 600 dollars for rent.",
    ],
)
def test_a_need_that_is_denied_or_over_gives_no_category(text):
    assert category(text) == "HOUSING"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I need 400 dollars for glasses.", "MEDIUM"),
        ("I need 400 dollars by Thursday for glasses.", "CRITICAL"),
        ("They will take the car in 48 hours.", "CRITICAL"),
        ("I have five days to pay.", "HIGH"),
        ("We are two months behind on the mortgage.", "HIGH"),
        ("My emergency fund is gone. I need 400 dollars for glasses.", "MEDIUM"),
        ("This is not an emergency. I need 400 dollars for glasses.", "MEDIUM"),
        ("It is not urgent and can wait. I need 400 dollars for a birthday.", "LOW"),
        ("I am behind on rent, but my landlord says there's no rush.", "MEDIUM"),
    ],
)
def test_the_urgency_is_what_deadlines_danger_and_patience_say(text, expected):
    assert urgency(text) == expected
