"""The texts of a draft that may endanger somebody are found, and ordinary stories have none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.drafting.local import LocalAnalyser, LocalDrafter
from adapters.safety.reviewer import LocalSafetyReviewer
from domain.safety import SafetyReview, without
from domain.values import Draft, Source, Transcript
from tests.domain.facts import HOLDER

STORIES = Path(__file__).parent.parent.parent / "fixtures" / "stories.jsonl"
OWN_NAME = "Ada Lovelace"


def review(story: str, *, title: str = "Help Ada", display_name: str | None = OWN_NAME, **more: str) -> SafetyReview:
    draft = Draft(title=title, story=story, **{"beneficiary": OWN_NAME, **more})
    return LocalSafetyReviewer().review(draft, display_name)


def found(story: str, **more: str) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.text) for finding in review(story, **more).findings]


@pytest.mark.parametrize(
    ("story", "findings"),
    [
        ("Call me at 555-123-4567 today.", [("phone", "555-123-4567")]),
        ("Llámame al +34 612 34 56 78.", [("phone", "+34 612 34 56 78")]),
        ("It is five one two five five five one two.", [("phone", "five one two five five five one two")]),
        ("Write to ada.b@example.com please.", [("email", "ada.b@example.com")]),
        ("Write to ada at gmail dot com.", [("email", "ada at gmail dot com")]),
        ("We live at 123 Oak Street, Apartment 4B, in Austin, Texas.", [("address", "123 Oak Street, Apartment 4B")]),
        ("Vivimos en la Avenida de la Paz número 45.", [("address", "Avenida de la Paz número 45")]),
        ("My neighbor John O’Hara lent me money.", [("name", "John O’Hara")]),
        ("Mi esposo José Ramírez perdió su trabajo.", [("name", "José Ramírez")]),
        ("My daughter has a friend. Emily is nine and ill.", [("minor", "Emily")]),
        ("My seven-year-old Noah needs surgery.", [("minor", "Noah")]),
        ("Mi hija Lucía tiene 9 años.", [("minor", "Lucía")]),
        ("My kids Ana and Luis love school.", [("minor", "Ana"), ("minor", "Luis")]),
        ("I am 16 years old and out of school.", [("minor", "I am 16 years old")]),
        ("It rained. We are hiding at Hope House. Thanks.", [("hiding_place", "We are hiding at Hope House.")]),
        ("Estoy en un refugio en Tucson.", [("hiding_place", "Estoy en un refugio en Tucson.")]),
        ("My ex threatened to kill me. We ran.", [("violence", "My ex threatened to kill me.")]),
        ("Mi marido me golpeaba.", [("violence", "Mi marido me golpeaba.")]),
    ],
)  # fmt: skip
def test_dangerous_text_is_found_with_its_place(story: str, findings: list[tuple[str, str]]):
    assert found(story) == findings
    assert all(story[each.start : each.end] == each.text for each in review(story).findings)


@pytest.mark.parametrize(
    "story",
    [
        "The roof fell in. I need $4,500 by March 2026, and 1,500,000 pesos more.",
        "My name is Ada Lovelace. My son Kevin is eighteen and my kids are well.",
        "Ada was treated at Mercy General Hospital in New York by the Red Cross. We come from San Antonio.",
        "My landlord is threatening eviction, and the disease is life threatening. We found an animal shelter in Reno.",
        "I have 2 kids in 3 rooms on the street, 12 months behind. Our Toyota Corolla broke on 2026-05-12.",
    ],
)
def test_an_ordinary_story_has_no_findings(story: str):
    assert found(story) == []


def test_few_of_the_labelled_stories_have_findings():
    flagged = []
    for line in STORIES.read_text().splitlines():
        story = json.loads(line)
        transcript = Transcript(story["transcript"], "en", "none")
        draft = LocalDrafter().draft(transcript, LocalAnalyser().analyse(transcript))
        if LocalSafetyReviewer().review(draft, story["expected"].get("name")).findings:
            flagged.append(story["transcript"])
    assert len(flagged) <= 3


def test_the_name_of_another_person_in_need_is_found_and_the_own_name_is_not():
    assert found("She is my best friend.", beneficiary="Kim Lee") == [("name", "Kim Lee")]
    assert found("I need help.", display_name="Ada", beneficiary=OWN_NAME) == []


def test_every_field_that_becomes_public_is_reviewed():
    draft = Draft("Help Ada", "It rained.", location="12 Oak Street, Austin", breakdown=("Rent", "Pay John Smith"))
    fields = [(each.field, each.line, each.text) for each in LocalSafetyReviewer().review(draft, "Ada").findings]
    assert fields == [("location", None, "12 Oak Street"), ("breakdown", 1, "John Smith")]


def test_the_name_of_a_beneficiary_whom_a_person_wrote_down_is_not_found():
    story, title = "Kim Parker needs a new roof.", "Help Kim Parker"
    draft = Draft(title=title, story=story, beneficiary="Kim Parker", sources=(Source("beneficiary", author=HOLDER),))
    reviewer = LocalSafetyReviewer()
    assert reviewer.review(draft, OWN_NAME).findings == ()
    assert {finding.field for finding in reviewer.review(replace(draft, sources=()), OWN_NAME).findings} == {
        "title",
        "story",
        "beneficiary",
    }


@pytest.mark.parametrize(
    ("title", "category", "suggestion"),
    [
        ("Help Ada Lovelace with car repairs", "TRANSPORTATION", "Help with car repairs"),
        ("Ayuda para Ada Lovelace: vivienda", "HOUSING", "Ayuda: vivienda"),
        ("Ada Lovelace and Kim Lee fled", "HOUSING", "Help with housing"),
        ("Ada Lovelace fled", "Other", "A person who needs help"),
        ("A new roof", "HOUSING", None),
    ],
)
def test_a_title_that_names_nobody_is_offered(title: str, category: str, suggestion: str | None):
    assert review("He beats me.", title=title, category=category).suggested_title == suggestion


def test_the_same_text_has_the_same_id_in_every_field_and_another_text_has_another():
    findings = review("I know Kim Lee. KIM LEE knows me. I know Bo Day.", title="Help Kim Lee").findings
    assert len({finding.id for finding in findings if finding.text.lower() == "kim lee"}) == 1
    assert len({finding.id for finding in findings}) == 2


def test_findings_are_taken_out_of_the_draft():
    draft = Draft(
        title="Help Kim Lee",
        story="My friend Kim Lee is ill. He beat me. We wait.",
        beneficiary="Kim Lee",
        location="12 Oak Street, Austin",
        breakdown=("Kim Lee", "Rent"),
    )
    result = LocalSafetyReviewer().review(draft, "Ada")
    assert without(draft, result.findings, result.suggested_title) == {
        "title": "A person who needs help",
        "story": "My friend […] is ill. We wait.",
        "beneficiary": None,
        "location": "Austin",
        "breakdown": ("Rent",),
    }


@pytest.mark.parametrize(
    "text", ["a " * 5_000, "5 " * 5_000, "Aa " * 3_300, "@." * 5_000, "calle a " * 1_250, "one, " * 2_000]
)
def test_a_hostile_text_is_reviewed_in_time_proportional_to_its_length(text: str):
    LocalSafetyReviewer().review(Draft(title="T", story=text[:10_000]), None)


@pytest.mark.parametrize(
    ("story", "found"),
    [
        ("my landlord's name is john smith. i fear john smith.", ["john smith", "john smith"]),
        ("my neighbor named john smith helps us and his name is known", ["john smith"]),
        ("i live with my sister called rosa diaz", ["rosa diaz"]),
        ("my mother needs surgery and my brother lost his job", []),
        ("my son is called names at school", []),
        ("the illness is called multiple sclerosis", []),
        ("my name is ada and her name is on the lease", []),
    ],
)
def test_a_name_without_capitals_is_found_where_it_is_announced(story: str, found: list[str]):
    findings = LocalSafetyReviewer().review(Draft(title="Help with rent", story=story), "Ada").findings
    assert [finding.text for finding in findings if finding.kind == "name"] == found
