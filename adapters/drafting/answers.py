"""What a language model may answer, and what of it is believed: only what the transcript bears out."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from adapters.drafting.amounts import said_values
from adapters.drafting.goal import goal_of, money_of
from adapters.drafting.language import language_of
from adapters.drafting.speech import Utterance, fold, tidy
from domain.values import Analysis, Draft, Money, Sentiment, Transcript, Urgency

MAX_TITLE, MAX_STORY, MAX_SHORT, MAX_LINES, MAX_LINE, MAX_POINTS = 120, 10_000, 120, 20, 200, 10

# A story holds the speaker's own words; one that holds fewer of them is about something else.
_LEAST_OWN_WORDS = 0.6
_LINK = re.compile(r"https?://|www\.", re.I)


def _at_most(limit: int) -> AfterValidator:
    """Bounds a text without a keyword in the schema, where the API knows none."""

    def check(text: str) -> str:
        if len(text) > limit:
            raise ValueError("too long")
        return text

    return AfterValidator(check)


def _few(limit: int) -> AfterValidator:
    def check(items: list[str]) -> list[str]:
        if len(items) > limit:
            raise ValueError("too many")
        return items

    return AfterValidator(check)


Short = Annotated[str, _at_most(MAX_SHORT)]
NormalizedText = Annotated[str, _at_most(MAX_LINE)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AnalysisAnswer(_Answer):
    """The transcript's analysis, as the model is asked for it."""

    language: Annotated[str, _at_most(35)] | None
    sentiment: Literal["positive", "neutral", "negative"]
    urgency: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    key_points: Annotated[list[NormalizedText], _few(MAX_POINTS)]

    def analysis(self, transcript: Transcript) -> Analysis:
        return Analysis(
            language=language_of(transcript.text, transcript.language or self.language),
            sentiment=Sentiment(self.sentiment),
            urgency=Urgency(self.urgency),
            key_points=tuple(point for text in self.key_points if (point := _line(text))),
        )


class DraftAnswer(_Answer):
    """A campaign, as the model is asked for it; the amount is a decimal string in the currency's major unit."""

    title: Annotated[str, _at_most(MAX_TITLE)] | None
    story: Annotated[str, _at_most(MAX_STORY)] | None
    goal_amount: Annotated[str, _at_most(20)] | None
    currency: Annotated[str, _at_most(3)] | None
    beneficiary: Short | None
    location: Short | None
    category: (
        Literal[
            "HOUSING",
            "HEALTHCARE",
            "UTILITIES",
            "LEGAL",
            "EMPLOYMENT",
            "FAMILY",
            "FOOD",
            "TRANSPORTATION",
            "EDUCATION",
            "SAFETY",
            "EMERGENCY",
            "OTHER",
        ]
        | None
    )
    breakdown: Annotated[list[NormalizedText], _few(MAX_LINES)]

    def draft(self, transcript: Transcript, language: str | None, default_currency: str) -> Draft:
        """The campaign without what nobody said; ValueError if the story is not the speaker's."""
        said = fold(transcript.text)
        values = said_values(transcript.text, language)
        story = _text(self.story)
        if story is not None and not _is_own(story, said):
            raise ValueError("a story in other words than the speaker's")
        goal = self._goal(transcript, language, default_currency, values)
        return Draft(
            title=_if_said(_line(self.title), said, share=0.5),
            story=story,
            goal=goal,
            currency=goal.currency if goal else None,
            beneficiary=_if_said(_line(self.beneficiary), said),
            location=_if_said(_line(self.location), said),
            category=self.category,
            breakdown=tuple(line for text in self.breakdown if (line := _line(text)) and _figures(line) <= values),
        )

    def _goal(
        self, transcript: Transcript, language: str | None, default_currency: str, values: frozenset[Decimal]
    ) -> Money | None:
        """The amount if it was said, or is the sum that the local grammar reads as well."""
        if self.goal_amount is None:
            return None
        try:
            amount = Decimal(self.goal_amount.replace(",", ""))
        except InvalidOperation:
            return None
        if not amount.is_finite():
            return None
        heard = goal_of(Utterance.of(transcript.text, language), default_currency)
        if amount not in values and (heard is None or heard[0].major != amount):
            return None
        currency = self.currency.upper() if self.currency and re.fullmatch("[A-Za-z]{3}", self.currency) else None
        return money_of(amount, currency or default_currency)


def _text(text: str | None) -> str | None:
    return tidy(text).strip() or None if text is not None else None


def _line(text: str | None) -> str | None:
    return " ".join(tidy(text).split()) or None if text is not None else None


def _words(text: str) -> list[str]:
    """The words long enough to tell one text from another."""
    return [word for word in re.findall(r"[^\W\d_]+", fold(text)) if len(word) > 3 or not word.isascii()]


def _is_own(story: str, said: str) -> bool:
    words = _words(story)
    own = sum(word in said for word in words)
    links = len(_LINK.findall(story)) > len(_LINK.findall(said))
    return not links and own >= _LEAST_OWN_WORDS * len(words)


def _if_said(text: str | None, said: str, share: float = 1.0) -> str | None:
    """The text if at least this share of its words was said."""
    if text is None or _LINK.search(text):
        return None
    words = _words(text)
    return text if sum(word in said for word in words) >= share * len(words) else None


def _figures(line: str) -> frozenset[Decimal]:
    return frozenset(
        Decimal(figure.replace(",", "")) for figure in re.findall(r"\d{1,12}(?:,\d{3})*(?:\.\d{1,4})?", line)
    )
