"""An analyser and a drafter that use rules instead of a language model, without network."""

from adapters.drafting.amounts import Amount, amounts_in
from adapters.drafting.beneficiary import beneficiary_in
from adapters.drafting.categories import category_of
from adapters.drafting.goal import goal_of
from adapters.drafting.language import language_of
from adapters.drafting.names import speaker_in
from adapters.drafting.numbers import SPOKEN_LANGUAGES
from adapters.drafting.places import place_in
from adapters.drafting.points import breakdown_of, key_points_of, parts_of
from adapters.drafting.sentiment import sentiment_of
from adapters.drafting.story import story_of
from adapters.drafting.titles import title_of
from adapters.drafting.urgency import urgency_of
from adapters.drafting.utterance import Utterance
from domain.tickets import DEFAULT_CURRENCY
from domain.values import Analysis, Draft, Transcript

ENGINE = "local"


class LocalAnalyser:
    """Finds language, sentiment, urgency and key points. The same transcript gives the same analysis."""

    def analyse(self, transcript: Transcript) -> Analysis:
        language = language_of(transcript.text, transcript.language)
        utterance = Utterance.of(transcript.text, language)
        names = [name for name in (speaker_in(utterance), place_in(utterance)) if name]
        _, goal_amount = goal_of(utterance) or (None, None)
        return Analysis(
            language=language,
            sentiment=sentiment_of(utterance),
            urgency=urgency_of(utterance),
            key_points=key_points_of(story_of(utterance, names, _offset(goal_amount, utterance)), language),
        )


class LocalDrafter:
    """Drafts a campaign from English or Spanish. In other languages the draft has only a story.

    An amount in dollars without a country is in DEFAULT_CURRENCY.
    """

    def draft(self, transcript: Transcript, analysis: Analysis, currency: str = DEFAULT_CURRENCY) -> Draft:
        utterance = Utterance.of(transcript.text, analysis.language or transcript.language)
        if utterance.language not in SPOKEN_LANGUAGES:
            return Draft(story=story_of(utterance).text or None, engine=ENGINE)
        goal, goal_amount = goal_of(utterance, currency) or (None, None)
        parts = parts_of(utterance, amounts_in(utterance), goal) if goal else []
        speaker = speaker_in(utterance)
        beneficiary = beneficiary_in(utterance)
        place = place_in(utterance)
        names = [name for name in (speaker, beneficiary, place) if name]
        category = category_of(utterance, goal_amount)
        return Draft(
            title=title_of(utterance, beneficiary, category, goal_amount, [purpose for purpose, _ in parts]),
            story=story_of(utterance, names, _offset(goal_amount, utterance)).text or None,
            goal=goal,
            currency=goal.currency if goal else None,
            beneficiary=beneficiary,
            location=place,
            category=category,
            breakdown=breakdown_of(parts, goal.currency) if goal else (),
            engine=ENGINE,
        )


def _offset(amount: Amount | None, utterance: Utterance) -> int | None:
    return utterance.tokens[amount.first].start if amount else None
