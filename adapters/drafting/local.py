"""An analyser and a drafter that need no network: what a transcript says, by the grammar of asking for help."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.drafting.amounts import amounts_in
from adapters.drafting.beneficiary import beneficiary_in
from adapters.drafting.categories import category_of
from adapters.drafting.goal import goal_of
from adapters.drafting.language import language_of
from adapters.drafting.names import speaker_in
from adapters.drafting.numbers import SPOKEN_LANGUAGES
from adapters.drafting.places import place_in
from adapters.drafting.points import breakdown_of, key_points_of
from adapters.drafting.sentiment import sentiment_of
from adapters.drafting.speech import Utterance
from adapters.drafting.story import story_in
from adapters.drafting.titles import title_of
from adapters.drafting.urgency import urgency_of
from domain.values import Analysis, Draft, Transcript


@dataclass(frozen=True)
class LocalAnalyser:
    """Reads language, mood, urgency and key points off a transcript, always the same ones for the same words."""

    def analyse(self, transcript: Transcript) -> Analysis:
        language = language_of(transcript.text, transcript.language)
        speech = Utterance.of(transcript.text, language)
        names = [name for name in (speaker_in(speech), place_in(speech)) if name]
        return Analysis(
            language=language,
            sentiment=sentiment_of(speech),
            urgency=urgency_of(speech),
            key_points=key_points_of(story_in(speech, names)),
        )


@dataclass(frozen=True)
class LocalDrafter:
    """Writes a campaign of what was said in English or Spanish; of other languages it keeps the story alone.

    An amount said in no currency, or in dollars of no country, is one in `default_currency`.
    """

    default_currency: str = "USD"

    def draft(self, transcript: Transcript, analysis: Analysis) -> Draft:
        speech = Utterance.of(transcript.text, analysis.language or transcript.language)
        if speech.language not in SPOKEN_LANGUAGES:
            return Draft(story=story_in(speech))
        goal, asked = goal_of(speech, self.default_currency) or (None, None)
        breakdown = breakdown_of(speech, amounts_in(speech, self.default_currency), goal) if goal else ()
        speaker = speaker_in(speech)
        beneficiary = beneficiary_in(speech)
        place = place_in(speech)
        category = category_of(speech, asked)
        return Draft(
            title=title_of(speech, beneficiary, category, None if breakdown else asked),
            story=story_in(speech, [name for name in (speaker, beneficiary, place) if name]),
            goal=goal,
            currency=goal.currency if goal else None,
            beneficiary=beneficiary,
            location=place,
            category=category,
            breakdown=breakdown,
        )
