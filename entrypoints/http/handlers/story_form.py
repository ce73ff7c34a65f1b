"""The form in which a holder writes the fields of a draft, compared with what others wrote since it was filled in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from domain.sentences import sentences, without_sentence
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Draft
from entrypoints.http.amounts import read_amount
from entrypoints.http.handlers.question_pages import fault_sentence
from entrypoints.http.problems import problem_of

# The fields of the form, and the most characters of each.
LONGEST = {
    "title": 120,
    "story": 10_000,
    "beneficiary": 120,
    "location": 120,
    "amount": 40,
    "currency": 3,
    "breakdown": 4_000,
}
# The fields that together are the goal of the draft.
GOAL = frozenset({"amount", "currency"})
_TEXTS = ("title", "story", "beneficiary", "location")


def texts_of(draft: Draft) -> dict[str, str]:
    """Return the draft as it stands in the form."""
    return {
        "title": draft.title or "",
        "story": draft.story or "",
        "beneficiary": draft.beneficiary or "",
        "location": draft.location or "",
        "amount": format(draft.goal.major, "f") if draft.goal else "",
        "currency": draft.goal.currency if draft.goal else draft.currency or DEFAULT_CURRENCY,
        "breakdown": "\n".join(draft.breakdown),
    }


@dataclass(frozen=True)
class StoryForm:
    """The texts that a person sent; `before` is what the form was filled with, and `now` what the draft says.

    A field that the person left as it was never undoes what somebody else wrote into it.
    """

    before: Mapping[str, str]
    now: Mapping[str, str]
    typed: Mapping[str, str]

    @classmethod
    def of(cls, before: Mapping[str, str], now: Mapping[str, str], form: Mapping[str, str]) -> StoryForm:
        return cls(before, now, {name: form.get(name, before[name]) for name in LONGEST})

    @property
    def texts(self) -> dict[str, str]:
        """The form as it goes on: what the person wrote, and elsewhere what the draft says now."""
        return {name: self.typed[name] if name in self._mine else self.now[name] for name in LONGEST}

    @property
    def changed(self) -> frozenset[str]:
        """The fields to save."""
        return frozenset(name for name in self._mine if self.typed[name] != self.now[name])

    @property
    def theirs(self) -> dict[str, str]:
        """The texts that others wrote since, unless the person wrote the same."""
        return {name: text for name, text in self.now.items() if text not in (self.before[name], self.typed[name])}

    @property
    def conflicts(self) -> dict[str, str]:
        """The texts of others in fields that the person changed, too; the goal counts as one field."""
        mine, theirs = self._mine, self.theirs
        both = {*mine} & {*theirs}
        if mine & GOAL and GOAL & {*theirs}:
            both |= GOAL & {*theirs}
        return {name: theirs[name] for name in LONGEST if name in both}

    @property
    def _mine(self) -> frozenset[str]:
        return frozenset(name for name in LONGEST if self.typed[name] != self.before[name])

    def changes(self, names: Collection[str], language: str) -> dict[str, object]:
        """Return the change of the draft, as a client of the API would send it; an empty field is cleared."""
        typed = self.texts
        changes: dict[str, object] = {name: typed[name] or None for name in _TEXTS if name in names}
        if "breakdown" in names:
            changes["breakdown"] = [line.strip() for line in typed["breakdown"].splitlines() if line.strip()] or None
        if "amount" in names or ("currency" in names and typed["amount"]):
            goal = read_amount(typed["amount"], typed["currency"], language) if typed["amount"] else None
            changes |= {"goalAmount": str(goal.major), "currency": goal.currency} if goal else {"goalAmount": None}
        return changes


def without_dropped(form: Mapping[str, str], before: Mapping[str, str]) -> Mapping[str, str]:
    """Return the form without the sentence of the story that its button names, unless the person changed it."""
    number = form.get("drop", "")
    sentence = dict(enumerate(sentences(before["story"]), 1)).get(int(number) if number.isdecimal() else 0)
    story = form.get("story", before["story"])
    place = next((place for place, text in enumerate(sentences(story), 1) if text == sentence), None)
    return form if place is None else {**form, "story": without_sentence(story, place)}


def faults_of(error: Exception, translate: Callable[[str], str]) -> dict[str, str]:
    """Return for each invalid field of the form what to do; raise an error that is about something else."""
    problem = problem_of(error)
    if problem.name != "invalid":
        raise error
    faults = {}
    for invalid_field in problem.errors:
        name = invalid_field.pointer.split("/")[1] if "/" in invalid_field.pointer else ""
        name = "amount" if name in ("goalAmount", "amount") else name
        faults[name] = fault_sentence(invalid_field.code, "goal" if name in GOAL else name, translate)
    return faults
