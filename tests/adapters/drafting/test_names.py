from __future__ import annotations

import pytest

from adapters.drafting.beneficiary import beneficiary_in
from adapters.drafting.names import speaker_in
from adapters.drafting.places import place_in
from adapters.drafting.utterance import Utterance


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi my name is Zoe Ferrant and I need help.", "Zoe Ferrant"),
        ("This is Dr. Tomas Quill. I have three children.", "Tomas Quill"),
        ("Hello, I'm Ada O'Brien and I'm thirty.", "Ada O'Brien"),
        ("Need help. Pell Garcia-Lopez here.", "Pell Garcia-Lopez"),
        ("My name is... well, my name is Orla Dunne, Orla Dunne.", "Orla Dunne"),
        ("My name is... it's Orla Dunne.", "Orla Dunne"),
        ("My name is, sorry, I'm nervous... Orla Mae Dunne.", "Orla Mae Dunne"),
        ("This is hard to explain. My name is Priya Nair.", "Priya Nair"),
        ("This I mean is!! Orla Dunne.", "Orla Dunne"),
        ("My name is Ann Marie Van der Berg.", "Ann Marie Van der Berg"),
        ("MY NAME IS ORLA DUNNE AND I NEED HELP", "Orla Dunne"),
        ("Hi my name is orla dunne and I need help", "Orla Dunne"),
        ("hi um my name is orla dunne and uh we live in portland oregon", "Orla Dunne"),
        ("my name is jose luis garcia and i need help", "Jose Luis Garcia"),
        ("hi i'm fiona mcleod and i'm twenty five", "Fiona McLeod"),
        ("hello orla dunne speaking court costs 2500", "Orla Dunne"),
        ("Hola, me llamo Inés de la Cruz y vivo en Houston.", "Inés de la Cruz"),
        ("buenas tardes soy luis pardo necesito ayuda", "Luis Pardo"),
    ],
)
def test_the_speaker_is_named_in_the_introduction(text, name):
    assert speaker_in(Utterance.of(text, "es" if "oy " in text or "llamo" in text else "en")) == name


@pytest.mark.parametrize(
    "text",
    [
        "hi i'm really struggling and i need help",
        "this is an emergency please help",
        "This is urgent. I am desperate.",
        "My son's name is Kevin Ray.",
        "her name is dorothy and she is sick",
        "I'm a single mom of two.",
        "this is hard to talk about",
        "my name is",
        "",
    ],
)
def test_without_an_introduction_there_is_no_name(text):
    assert speaker_in(Utterance.of(text, "en")) is None


def beneficiary(text: str) -> str | None:
    return beneficiary_in(Utterance.of(text, "en"))


def test_the_beneficiary_is_the_speaker_unless_another_person_is_named():
    assert beneficiary("My name is Orla Dunne. My wife is sick and I need help with rent.") == "Orla Dunne"
    assert beneficiary("This is Orla Dunne calling about my son Kevin.") == "Kevin"
    assert beneficiary("My name is Orla Dunne. I need help with my mother's care.") == "Orla Dunne's mother"
    assert beneficiary("I'm calling on behalf of my neighbor Bill Hart. I'm Orla Dunne.") == "Bill Hart"
    assert beneficiary("my son needs surgery") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My best friend Kim has leukemia. We need $5,000 for her treatment. I'm Orla Dunne.", "Kim"),
        ("I'm Orla Dunne. My best friend Kim has leukemia and I want to raise $5,000.", "Kim"),
        (
            "my name is orla dunne my best friend kim has cancer we need a thousand for her care",
            "Orla Dunne's friend",
        ),
        ("I'm Orla Dunne. My son was hit by a car. I need $3,000 for his surgery.", "Orla Dunne's son"),
        ("I'm Orla Dunne. My neighbor, Tom Hall, lost his home. I'm raising $900 for his new furniture.", "Tom Hall"),
        ("I'm Orla Dunne. My daughter Eva has asthma. I quit to care for her. I need $900 for rent.", "Orla Dunne"),
        ("I'm Orla Dunne. My husband Jim is violent. I need $900 for his debts.", "Orla Dunne"),
        ("I'm Orla Dunne. My brother Tom died. We need $7,000 for his funeral.", "Orla Dunne"),
        ("I'm Orla Dunne. My son Tom is four. I lost my job.", "Orla Dunne"),
    ],
)
def test_a_person_with_a_trouble_is_the_beneficiary_if_the_request_is_for_them(text, name):
    assert beneficiary(text) == name


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("We live in Portland Oregon and need help.", "Portland, Oregon"),
        ("hi we live in portland oregon and my rent is due", "Portland, Oregon"),
        ("i live in salt lake city utah with my kids", "Salt Lake City, Utah"),
        ("I grew up in Kansas, but we live in Austin, Texas now.", "Austin, Texas"),
        ("I'm from Denver, CO.", "Denver, CO"),
        ("my name is maria i live in chicago and i need help", "Chicago"),
    ],
)
def test_the_home_of_the_speaker_is_found(text, place):
    assert place_in(Utterance.of(text, "en")) == place


@pytest.mark.parametrize(
    "text",
    ["i live in my car with two kids", "I was in court in January.", "we live in an apartment", "in debt", ""],
)
def test_other_places_are_not_a_home(text):
    assert place_in(Utterance.of(text, "en")) is None
