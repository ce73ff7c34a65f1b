"""Answers of a language model: their schema, and the checks against the transcript."""

import re
from collections.abc import Sized
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from adapters.drafting.amounts import spoken_values
from adapters.drafting.goal import goal_of, money_of
from adapters.drafting.language import language_of
from adapters.drafting.utterance import Utterance, cleaned, fold
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Analysis, Draft, Money, Sentiment, Transcript, Urgency

MAX_TITLE, MAX_STORY, MAX_SHORT, MAX_LINES, MAX_LINE, MAX_POINTS = 120, 10_000, 120, 20, 200, 10

# A story with a smaller share of the speaker's words is rejected.
_MIN_OWN_WORD_SHARE = 0.6
_LINK = re.compile(r"https?://|www\.", re.I)


def _at_most(limit: int) -> AfterValidator:
    """Limit a text or a list by a validator, because the API supports no limit in the schema."""

    def check(value: Sized) -> Sized:
        if len(value) > limit:
            raise ValueError("too long")
        return value

    return AfterValidator(check)


ShortText = Annotated[str, _at_most(MAX_SHORT)]
LineText = Annotated[str, _at_most(MAX_LINE)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AnalysisAnswer(_Answer):
    """The analysis of the transcript."""

    language: Annotated[str, _at_most(35)] | None
    sentiment: Literal["positive", "neutral", "negative"]
    urgency: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    key_points: Annotated[list[LineText], _at_most(MAX_POINTS)]

    def analysis(self, transcript: Transcript) -> Analysis:
        return Analysis(
            language=language_of(transcript.text, transcript.language or self.language),
            sentiment=Sentiment(self.sentiment),
            urgency=Urgency(self.urgency),
            key_points=tuple(point for text in self.key_points if (point := _line(text))),
        )


class DraftAnswer(_Answer):
    """A campaign draft. The amount is a decimal string in the currency's major unit."""

    title: Annotated[str, _at_most(MAX_TITLE)] | None
    story: Annotated[str, _at_most(MAX_STORY)] | None
    goal_amount: Annotated[str, _at_most(20)] | None
    currency: Annotated[str, _at_most(3)] | None
    beneficiary: ShortText | None
    location: ShortText | None
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
    breakdown: Annotated[list[LineText], _at_most(MAX_LINES)]

    def draft(self, transcript: Transcript, language: str | None) -> Draft:
        """Return the draft without values that the transcript lacks. Raise ValueError if the story uses other words."""
        spoken = fold(transcript.text)
        values = spoken_values(transcript.text, language)
        story = _text(self.story)
        if story is not None and not _is_in_own_words(story, spoken):
            raise ValueError("the story does not use the speaker's words")
        goal = self._goal(transcript, language, values)
        return Draft(
            title=_if_spoken(_line(self.title), spoken, share=0.5),
            story=story,
            goal=goal,
            currency=goal.currency if goal else None,
            beneficiary=_if_spoken(_line(self.beneficiary), spoken),
            location=_if_spoken(_line(self.location), spoken),
            category=self.category,
            breakdown=tuple(line for text in self.breakdown if (line := _line(text)) and _numbers_in(line) <= values),
        )

    def _goal(self, transcript: Transcript, language: str | None, values: frozenset[Decimal]) -> Money | None:
        """Return the goal if the transcript contains it or the local rules compute the same sum."""
        if self.goal_amount is None:
            return None
        try:
            amount = Decimal(self.goal_amount.replace(",", ""))
        except InvalidOperation:
            return None
        if not amount.is_finite():
            return None
        spoken_goal = goal_of(Utterance.of(transcript.text, language))
        if amount not in values and (spoken_goal is None or spoken_goal[0].major != amount):
            return None
        currency = self.currency.upper() if self.currency and re.fullmatch("[A-Za-z]{3}", self.currency) else None
        return money_of(amount, currency or DEFAULT_CURRENCY)


def _text(text: str | None) -> str | None:
    return cleaned(text).strip() or None if text is not None else None


def _line(text: str | None) -> str | None:
    return " ".join(cleaned(text).split()) or None if text is not None else None


def _words(text: str) -> list[str]:
    """Return the words that are long enough to compare texts."""
    return [word for word in re.findall(r"[^\W\d_]+", fold(text)) if len(word) > 3 or not word.isascii()]


def _is_in_own_words(story: str, spoken: str) -> bool:
    words = _words(story)
    spoken_words = sum(word in spoken for word in words)
    links = len(_LINK.findall(story)) > len(_LINK.findall(spoken))
    return not links and spoken_words >= _MIN_OWN_WORD_SHARE * len(words)


def _if_spoken(text: str | None, spoken: str, share: float = 1.0) -> str | None:
    """Return the text if at least this share of its words is in the transcript, otherwise None."""
    if text is None or _LINK.search(text):
        return None
    words = _words(text)
    return text if sum(word in spoken for word in words) >= share * len(words) else None


def _numbers_in(line: str) -> frozenset[Decimal]:
    return frozenset(
        Decimal(figure.replace(",", "")) for figure in re.findall(r"\d{1,12}(?:,\d{3})*(?:\.\d{1,4})?", line)
    )
