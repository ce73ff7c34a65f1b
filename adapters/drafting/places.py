"""Finds where the speaker lives: "we live in Portland Oregon"."""

from collections.abc import Sequence

from adapters.drafting.utterance import Token, Utterance
from adapters.drafting.vocabulary import FUNCTION_WORDS, SITUATION_WORDS, TABLES, WORDS, words

MAX_PLACE = 120

REGIONS = frozenset(tuple(name.split("_")) for name in WORDS["region"])
_ABBREVIATED = WORDS["abbreviated_region"]
_LEAD_INS = tuple((tuple(phrase.split()), weight) for phrase, weight in TABLES["lead_ins_to_a_place"].items())
_COMPOUND = WORDS["compound_town"]
_AFTER_A_TOWN = words("and i we my with but so because since for where")
_NOT_A_TOWN = (SITUATION_WORDS - {"city"}) | WORDS["not_a_town"]


def place_in(utterance: Utterance) -> str | None:
    """Return the town and state where the speaker lives, or None."""
    words = utterance.words
    best: tuple[int, str] | None = None
    for at in range(len(words)):
        for lead, weight in _LEAD_INS:
            end = at + len(lead)
            if tuple(word.folded for word in words[at:end]) != lead:
                continue
            place = _place_at(words, end, utterance.cased, weight)
            if place and (best is None or place[0] > best[0]):
                best = place
            break
    return best[1][:MAX_PLACE] if best else None


def _place_at(words: Sequence[Token], start: int, cased: bool, weight: int) -> tuple[int, str] | None:
    """Return the score and name of the place that begins here, or None. A town alone needs a strong lead-in."""
    for length in range(4):
        region = _region_at(words, start + length)
        town = words[start : start + length]
        if not region or (town and town[0].folded == "city"):
            continue
        if not all(_may_be_town(token, cased) for token in town) or any(
            "," in token.separator or token.sentence != words[start].sentence for token in town[1:]
        ):
            continue
        if length == 0 and (town_of_region := _town_before_state(words, start, region)):
            return weight + 4, town_of_region
        state = " ".join(_capital(token.text) for token in words[start + length : start + length + region])
        if not town:
            return (weight + 1, state) if weight >= 2 else None
        return weight + 4, f"{' '.join(_capital(token.text) for token in town)}, {state}"
    if weight < 2:
        return None
    town = _town_alone(words, start, cased)
    return (weight, " ".join(_capital(token.text) for token in town)) if town else None


def _town_before_state(words: Sequence[Token], start: int, region: int) -> str | None:
    """Return a town named like a state, with its state: "New York, New York", "Kansas City Missouri"."""
    for extra in (0, 1):
        end = start + region + extra
        second = _region_at(words, end)
        if second and (not extra or words[end - 1].folded == "city"):
            town = " ".join(_capital(token.text) for token in words[start:end])
            return f"{town}, {' '.join(_capital(token.text) for token in words[end : end + second])}"
    return None


def _region_at(words: Sequence[Token], at: int) -> int:
    """Return the number of words of the state or country named here, 0 for none."""
    for length in (2, 1):
        part = words[at : at + length]
        if len(part) == length and tuple(token.folded for token in part) in REGIONS:
            return length
    return 1 if at < len(words) and words[at].text in _ABBREVIATED else 0


def _may_be_town(token: Token, cased: bool) -> bool:
    if any(letter.isdigit() for letter in token.text) or token.folded in _NOT_A_TOWN:
        return False
    if cased:
        return token.text[0].isupper() and token.folded != "i"
    return token.folded not in FUNCTION_WORDS or token.folded in _COMPOUND


def _town_alone(words: Sequence[Token], start: int, cased: bool) -> list[Token]:
    town: list[Token] = []
    for at in range(start, min(start + 3, len(words))):
        token = words[at]
        if (town and token.separator.strip()) or not _may_be_town(token, cased):
            break
        if not cased and town and town[-1].folded not in _COMPOUND:
            break
        town.append(token)
    end = start + len(town)
    if not town or (
        not cased and end < len(words) and not words[end].separator.strip() and words[end].folded not in _AFTER_A_TOWN
    ):
        return []
    return [] if len(town) == 1 and town[0].folded in _COMPOUND else town


def _capital(text: str) -> str:
    return (
        text if text.isupper() and len(text) == 2 else "-".join(part[:1].upper() + part[1:] for part in text.split("-"))
    )
