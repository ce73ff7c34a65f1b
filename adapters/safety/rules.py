"""The rules that find phone numbers, addresses, names, minors, hiding places and violence in one text."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from adapters.drafting.names import name_at
from adapters.drafting.utterance import Token, fold, tokenized
from adapters.drafting.vocabulary import FUNCTION_WORDS, PARTICLES, RELATIONS, SITUATION_WORDS, WORDS
from domain.values import FindingKind

WORD_LISTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
REGIONS = ("US", "ES", "MX")
_NOT_A_NAME = frozenset(WORD_LISTS["not_a_name"].split())
_REGION_WORDS = frozenset(word for region in WORDS["region"] for word in region.split("_"))
_BEFORE_A_NAME = frozenset(WORD_LISTS["before_a_name"].split())
_PLACES = frozenset(WORD_LISTS["places"].split())
_KINDS_OF_SENTENCE = ((FindingKind.VIOLENCE, "violence"), (FindingKind.HIDING_PLACE, "hiding"))


class Span(NamedTuple):
    """A place in a text; `end` is exclusive."""

    kind: FindingKind
    start: int
    end: int


def folded(text: str) -> str:
    """Return the text without accents in lower case; every character keeps its place."""
    return text.lower() if text.isascii() else "".join(_folded_character(character) for character in text)


@cache
def _folded_character(character: str) -> str:
    return fold(character)[:1] or " "


def _any_of(phrases: str | Sequence[str]) -> str:
    words = phrases.split() if isinstance(phrases, str) else phrases
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(re.escape(word).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for word in longest_first)


def _phrases(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'-])(?:{_any_of(WORD_LISTS[name])})(?![\w'])")


_VIOLENCE, _NOT_VIOLENCE = _phrases("violence"), _phrases("not_violence")
_HIDING, _NOT_HIDING = _phrases("hiding"), _phrases("not_hiding")
_EMAIL = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
    r"|[\w.+-]{1,64} (?:at|arroba) [\w-]{1,63}(?: (?:dot|punto) [a-z]{2,10})+\b"
)
_SEVEN_DIGITS = re.compile(r"(?<![\w$€£.,/-])\d{3}[-. ]\d{4}(?![\w%]|[.,/-]\d)")
_DIGIT = rf"(?:{_any_of(WORD_LISTS['digits'])})"
_SPOKEN_DIGITS = re.compile(rf"(?<!\w){_DIGIT}(?:[\s,.-]+{_DIGIT}){{6,19}}(?!\w)")
_STREET = re.compile(
    rf"(?<![\w$€£.,])\d{{1,6}}[a-z]?,?\s(?P<name>(?:[^\W_][\w.'’-]*\s){{1,4}}?)(?:{_any_of(WORD_LISTS['street_after'])})\b"
    r"(?:,?\s(?:apartment|apt|unit|suite|#)\.?\s?\w{1,5})?"
    rf"|(?<!\w)(?:{_any_of(WORD_LISTS['street_before'])})\.?\s(?P<nombre>(?:[^\W\d_][\w.'’-]*,?\s){{1,5}}?)"
    r"(?:numero\s|n[uo]m?\.?\s|#\s?)?\d{1,6}(?![\w/-])"
    r"|\bp\.?\s?o\.?\sbox\s\d+"
)
_CHILD_AGE = rf"(?:1[0-7]|[1-9]|{_any_of(WORD_LISTS['child_ages'])})"
_ADULT_AGE = rf"(?:1[89]|[2-9]\d|1\d\d|{_any_of(WORD_LISTS['adult_ages'])})"
_YEARS = r"[\s-](?:years?|yrs?|months?|weeks?|days?|anos?|anitos|mes|meses)(?:[\s-]old)?"
_IS = (
    r"(?:\s*[,(]\s*|\s)(?:(?:who|que)\s)?(?:(?:is|was|turned|turns|tiene|cumplio|cumple|de)\s)?"
    r"(?:(?:only|just|now|about|solo|apenas)\s)?"
)
_AFTER_AGE = rf"(?:{_YEARS}(?!\w)|\s*(?=[,.;)!?]|$|\s(?:and|y)\s))"
_IS_CHILD = re.compile(rf"{_IS}{_CHILD_AGE}(?![\d:%])(?:{_AFTER_AGE})")
_IS_ADULT = re.compile(rf"{_IS}{_ADULT_AGE}(?![\d:%])")
_CHILDREN = rf"(?:{_any_of(WORD_LISTS['children'])})"
_SEVERAL_CHILDREN = _any_of([word for word in WORD_LISTS["children"].split() if word[-1] == "s" or word == "children"])
_CHILD_BEFORE = re.compile(
    rf"(?:(?<!\w){_CHILDREN},?|(?<![\w$]){_CHILD_AGE}(?:[\s-]years?[\s-]old|\sanos))"
    r"(?:\s(?:named|called|is|se|llama|llamad[oa]|little|girl|boy|nin[oa]|hij[oa])){0,3}\s\Z"
    # "my kids Ana, Luis and Mia"
    rf"|(?<!\w)(?:{_SEVERAL_CHILDREN}),?\s(?:\w+,\s){{0,4}}(?:\w+,\s|\w+,?\s(?:and|y)\s)\Z"
)
_CHILD_AFTER = re.compile(rf",?\s(?:is\s|es\s)?(?:my|our|mi|nuestr[oa])\s(?:\w+\s){{0,2}}?{_CHILDREN}(?!\w)")
_PEOPLE = rf"(?:{_any_of(WORD_LISTS['children'])}|{_any_of(sorted(RELATIONS))})"
_ANNOUNCED = re.compile(
    rf"(?<!\w)(?:(?:his|her|their|\w+'s|{_PEOPLE}) name is|(?:his|her) name's|{_PEOPLE},? (?:is )?(?:named|called)"
    rf"|{_PEOPLE} (?:se llama|llamad[oa])) "
)
_I_AM_A_CHILD = re.compile(
    rf"(?<!\w)(?:i\s?am|i'm|im|soy\sde)\s(?:only\s|just\s)?{_CHILD_AGE}(?:[\s-](?:years?|yrs?)[\s-]old|\s*(?=[.!?]))"
    rf"|(?<!\w)tengo\s(?:solo\s|apenas\s)?{_CHILD_AGE}\sanos(?!\w)"
)
_PLACE = re.compile(
    r"\b(?:[Ii]n|[Aa]t|[Oo]n|[Nn]ear|[Ff]rom|[Tt]o|[Ww]ith|[Ee]n|de|cerca de|con)\s(?:the\s|a\s|el\s|la\s|los\s|las\s)?"
    r"(?:[A-ZÀ-Þ0-9]|(?:my|our|a|mi|una?)\s\w+(?:'s)?)|[A-ZÀ-Þ][\w'’-]+\s(?:[Ss]helter|[Mm]otel|[Hh]ouse|[Hh]otel)"
)


class Text:
    """A text of the draft with its words."""

    def __init__(self, text: str) -> None:
        # A curly apostrophe counts as a straight one, and every character keeps its place.
        self.text = text.replace("’", "'")
        self.folded = folded(self.text)
        self.tokens = tokenized(self.text)

    def sentences(self) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of each sentence, the final mark included."""
        first = 0
        for index, token in enumerate(self.tokens):
            last = index + 1 == len(self.tokens)
            if last or self.tokens[index + 1].sentence != token.sentence:
                following = len(self.text) if last else self.tokens[index + 1].start
                end = token.end + len(re.match(r"[^\s\w]*", self.text[token.end : following])[0])  # type: ignore[index]
                yield self.tokens[first].start, end
                first = index + 1


def contacts_in(text: Text) -> Iterator[Span]:
    """Yield phone numbers, e-mail addresses and street addresses."""
    for start, end in _phone_numbers(text):
        yield Span(FindingKind.PHONE, start, end)
    for match in _EMAIL.finditer(text.folded):
        yield Span(FindingKind.EMAIL, match.start(), match.end())
    for match in _STREET.finditer(text.folded):
        names = [fold(word).strip(".,") for word in (match["name"] or match["nombre"] or "").split()]
        if not names or any(word not in FUNCTION_WORDS | WORDS["counted"] or word in PARTICLES for word in names[-1:]):
            yield Span(FindingKind.ADDRESS, match.start(), match.end())


def _phone_numbers(text: Text) -> Iterator[tuple[int, int]]:
    from phonenumbers import Leniency, PhoneNumberMatcher

    if any(character.isdigit() for character in text.text):
        for region in REGIONS:
            for match in PhoneNumberMatcher(text.text, region, leniency=Leniency.VALID):
                yield match.start, match.end
        # Numbers that nobody has yet, as in examples, and those without an area code.
        for match in PhoneNumberMatcher(text.text, REGIONS[0], leniency=Leniency.POSSIBLE):
            if re.search(r"\d[-.) ]+\d{3}[-. ]+\d{4}$|^\+", match.raw_string):
                yield match.start, match.end
        for seven in _SEVEN_DIGITS.finditer(text.text):
            yield seven.start(), seven.end()
    for spoken in _SPOKEN_DIGITS.finditer(text.folded):
        yield spoken.start(), spoken.end()


def sentences_in(text: Text) -> Iterator[Span]:
    """Yield the sentences with words of violence or threat, and those that tell where somebody hides or stays."""
    for start, end in text.sentences():
        sentence = _NOT_HIDING.sub(" ", _NOT_VIOLENCE.sub(" ", text.folded[start:end]))
        if _VIOLENCE.search(sentence):
            yield Span(FindingKind.VIOLENCE, start, end)
        if _HIDING.search(sentence) and _PLACE.search(text.text[start:end]):
            yield Span(FindingKind.HIDING_PLACE, start, end)


def names_in(text: Text, usual_words: frozenset[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield each run of words that is a person's name, with its folded words.

    `usual_words` are those that the draft also has without a capital: they are no names.
    """
    if text.text.isupper():
        return
    index = 0
    while index < len(text.tokens):
        parts, end = name_at(text.tokens, index, cased=True, sure=False)
        first = end - len(parts)
        index = max(end, index + 1)
        while first < end and _usual(text.tokens[first], usual_words):
            first += 1
        while first < end and _usual(text.tokens[end - 1], usual_words):
            end -= 1
        run = text.tokens[first:end]
        words = tuple(token.folded.removesuffix("'s") for token in run)
        if not words or any(word in _NOT_A_NAME for word in words):
            continue
        if _is_place(text.tokens, first, end, words):
            continue
        possessive = run[-1].text.lower().endswith("'s")
        yield run[0].start, run[-1].end - (2 if possessive else 0), words
    yield from _announced_names_in(text)


def _announced_names_in(text: Text) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield each place of a name without capitals that some words announce: "my neighbor's name is john smith".

    Without capitals nothing else tells a name from other words.
    """
    starts = {token.start: index for index, token in enumerate(text.tokens)}
    announced = set()
    for match in _ANNOUNCED.finditer(text.folded):
        at = starts.get(match.end())
        if at is None or not text.tokens[at].text[0].islower():
            continue
        parts, end = name_at(text.tokens, at, cased=False, sure=True)
        words = tuple(token.folded.removesuffix("'s") for token in text.tokens[end - len(parts) : end])
        if words and not any(word in _NOT_A_NAME or word in SITUATION_WORDS for word in words):
            announced.add(words)
    for words in sorted(announced):
        name = r"\s+".join(map(re.escape, words))
        for place in re.finditer(rf"(?<![\w'-]){name}(?![\w-])", text.folded):
            if text.text[place.start()].islower():
                yield place.start(), place.end(), words


def _usual(token: Token, usual_words: frozenset[str]) -> bool:
    word = token.folded.removesuffix("'s")
    return word in FUNCTION_WORDS or word in SITUATION_WORDS or word in _BEFORE_A_NAME or word in usual_words


def _is_place(tokens: Sequence[Token], first: int, end: int, words: Sequence[str]) -> bool:
    """Return True if the words are a town or a region by their own form or by the words beside them."""
    before = tokens[first - 1].folded if first else ""
    if before in _PLACES or (len(words) > 1 and (words[0] in WORDS["compound_town"] or words[-1] in _REGION_WORDS)):
        return True
    if all(word in _REGION_WORDS for word in words):
        return True
    follows = tokens[end] if end < len(tokens) else None
    return follows is not None and (
        (follows.separator.strip() == "," and follows.folded in _REGION_WORDS)
        or follows.text in WORDS["abbreviated_region"]
    )


def is_minor(text: Text, start: int, end: int) -> bool:
    """Return True if the text says that the person with the name at this place is under 18."""
    before, after = text.folded[max(0, start - 60) : start], text.folded[end : end + 60]
    if _IS_CHILD.match(after):
        return True
    return not _IS_ADULT.match(after) and bool(_CHILD_BEFORE.search(before) or _CHILD_AFTER.match(after))


def is_adult(text: Text, end: int) -> bool:
    """Return True if the text says that the person whose name ends here is at least 18."""
    return _IS_ADULT.match(text.folded[end : end + 60]) is not None


def minor_speaking_in(text: Text) -> Iterator[Span]:
    """Yield where the speaker says to be under 18."""
    for match in _I_AM_A_CHILD.finditer(text.folded):
        yield Span(FindingKind.MINOR, match.start(), match.end())


@cache
def load() -> None:
    """Import the library that finds phone numbers, which takes long."""
    import phonenumbers  # noqa: F401
