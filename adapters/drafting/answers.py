"""Answers of a language model: their schema, and the checks against the transcript."""

import re
from collections import Counter
from collections.abc import Sized
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal, TypeVar

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict

from adapters.drafting.amounts import amounts_in, spoken_values
from adapters.drafting.goal import goal_of, money_of
from adapters.drafting.heard import Heard
from adapters.drafting.language import language_of
from adapters.drafting.utterance import Utterance, cleaned
from adapters.drafting.vocabulary import TABLES
from adapters.observability import counters
from domain.sentences import sentences
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Analysis, Draft, Money, Sentiment, Transcript, Urgency

MAX_TITLE, MAX_STORY, MAX_SHORT, MAX_LINES, MAX_LINE, MAX_POINTS = 120, 10_000, 120, 20, 200, 10

# An answer is rejected if a smaller share of its story is left.
_MIN_OWN_WORD_SHARE = 0.6
_LINK = re.compile(r"https?://|www\.", re.I)

ValueT = TypeVar("ValueT")
logger = structlog.get_logger()


def _at_most(limit: int) -> AfterValidator:
    """Limit a text or a list by a validator, because the API supports no limit in the schema."""

    def check(value: Sized) -> Sized:
        if len(value) > limit:
            raise ValueError("too long")
        return value

    return AfterValidator(check)


ShortText = Annotated[str, _at_most(MAX_SHORT)]
LineText = Annotated[str, _at_most(MAX_LINE)]


class _Drops:
    """Counts the parts of an answer that the speaker did not say. Its log has no text of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def unless(self, field: str, value: ValueT | None, is_said: object) -> ValueT | None:
        """Return the value if it was said; otherwise count it and return None."""
        if value is None or is_said:
            return value
        self._counts[field] += 1
        return None

    def report(self) -> None:
        for field, count in self._counts.items():
            counters.drafting_dropped.labels(field).inc(count)
        if self._counts:
            logger.info("parts of the model's answer were not said", dropped=dict(self._counts))


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AnalysisAnswer(_Answer):
    """The analysis of the transcript."""

    language: Annotated[str, _at_most(35)] | None
    sentiment: Literal["positive", "neutral", "negative"]
    urgency: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    key_points: Annotated[list[LineText], _at_most(MAX_POINTS)]

    def analysis(self, transcript: Transcript) -> Analysis:
        language = language_of(transcript.text, transcript.language or self.language)
        heard = Heard(transcript.text, language)
        drop = _Drops()
        points = [
            point
            for text in self.key_points
            if (point := _line(text)) and drop.unless("key_points", point, heard.says(point))
        ]
        drop.report()
        return Analysis(
            language=language,
            sentiment=Sentiment(self.sentiment),
            urgency=Urgency(self.urgency),
            key_points=tuple(points),
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

    def draft(self, transcript: Transcript, language: str | None, currency: str = DEFAULT_CURRENCY) -> Draft:
        """Return what the speaker said of the draft; the rest is dropped and counted.

        Raise ValueError for a link that was not said, or if too little of the story is in the speaker's words.
        """
        heard = Heard(transcript.text, language)
        drop = _Drops()
        category = drop.unless("category", self.category, self.category and _is_category_said(heard, self.category))
        goal = self._goal(transcript, language, currency)
        drop.unless("goal", self.goal_amount, goal)
        purpose = TABLES["purposes"].get(language or "en", {}).get(category, "")
        title, beneficiary, location = _line(self.title), _line(self.beneficiary), _line(self.location)
        draft = Draft(
            title=drop.unless("title", title, title and not _LINK.search(title) and heard.mentions(title, purpose)),
            story=self._story(transcript, heard, drop),
            goal=goal,
            currency=goal.currency if goal else None,
            beneficiary=drop.unless("beneficiary", beneficiary, beneficiary and heard.names(beneficiary)),
            location=drop.unless("location", location, location and heard.names(location)),
            category=category,
            breakdown=tuple(
                line
                for text in self.breakdown
                if (line := _line(text)) and drop.unless("breakdown", line, heard.itemises(line))
            ),
        )
        drop.report()
        return draft

    def _story(self, transcript: Transcript, heard: Heard, drop: _Drops) -> str | None:
        story = _text(self.story)
        if story is None:
            return None
        if len(_LINK.findall(story)) > len(_LINK.findall(transcript.text)):
            raise ValueError("the story has a link that was not said")
        paragraphs = [
            [text for text in sentences(line) if drop.unless("story", text, heard.says(text))]
            for line in story.splitlines()
        ]
        kept = "\n\n".join(" ".join(paragraph) for paragraph in paragraphs if paragraph)
        if len(kept.split()) < _MIN_OWN_WORD_SHARE * len(story.split()):
            raise ValueError("the story does not use the speaker's words")
        return kept

    def _goal(self, transcript: Transcript, language: str | None, default: str) -> Money | None:
        """Return the goal if the transcript contains it or the local rules compute the same sum."""
        if self.goal_amount is None:
            return None
        try:
            amount = Decimal(self.goal_amount.replace(",", ""))
        except InvalidOperation:
            return None
        if not amount.is_finite():
            return None
        utterance = Utterance.of(transcript.text, language)
        spoken_goal = goal_of(utterance, default)
        if spoken_goal is not None and spoken_goal[0].major == amount:
            return spoken_goal[0]
        if amount not in spoken_values(transcript.text, language):
            return None
        currency = self.currency.upper() if self.currency and re.fullmatch("[A-Za-z]{3}", self.currency) else None
        currencies = {spoken.currency for spoken in amounts_in(utterance) if spoken.value == amount and spoken.currency}
        if currencies and currency not in currencies:
            return None
        return money_of(amount, currency or default)


def _text(text: str | None) -> str | None:
    return cleaned(text).strip() or None if text is not None else None


def _line(text: str | None) -> str | None:
    return " ".join(cleaned(text).split()) or None if text is not None else None


def _is_category_said(heard: Heard, category: str) -> bool:
    return category == "OTHER" or bool(heard.category_places(category))
