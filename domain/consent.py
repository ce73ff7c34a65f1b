"""A person's consent to be shown: the aggregate and the read models fold it alike, and it limits what is shown."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain import events
from domain.safety import OMISSION
from domain.values import ConsentHow, ConsentScope, Draft, OthersDecision

# Publishing gives these where no earlier consent is relied on.
USUAL_SCOPES = (ConsentScope.STORY, ConsentScope.NAME, ConsentScope.PLACE)
ALL_SCOPES = frozenset(ConsentScope)


@dataclass(frozen=True)
class Consent:
    """A consent about to be given; the fields are those of `ConsentGiven`."""

    scopes: tuple[ConsentScope, ...]
    how: ConsentHow = ConsentHow.TYPED
    text_version: str | None = None
    language: str | None = None
    by: str | None = None
    note: str | None = None
    valid_until: int | None = None
    others: OthersDecision | None = None
    looked_by: str | None = None


@dataclass
class Consents:
    """The consents of one person: when each that was not withdrawn ends, or None if it does not; and the withdrawn."""

    given: dict[ConsentScope, int | None] = field(default_factory=dict)
    withdrawn: frozenset[ConsentScope] = frozenset()

    def apply(self, event: events.TicketEvent) -> None:
        match event:
            case events.ConsentGiven(scopes=scopes, valid_until=valid_until):
                self.give(scopes, valid_until)
            case events.Published(scopes=None):
                self.give(USUAL_SCOPES)
            case events.Published(scopes=scopes):
                # Publishing without the name is a decision not to show it.
                self.withdraw(scope for scope in USUAL_SCOPES if scope not in (scopes or ()))
            case events.ConsentWithdrawn(scopes=scopes):
                self.withdraw(scopes)
            case _:
                pass

    def give(self, scopes: Iterable[ConsentScope], valid_until: int | None = None) -> None:
        given = dict.fromkeys(scopes, valid_until)
        self.given = {**self.given, **given}
        self.withdrawn -= given.keys()

    def withdraw(self, scopes: Iterable[ConsentScope]) -> None:
        self.withdrawn |= frozenset(scopes)
        self.given = {scope: ends for scope, ends in self.given.items() if scope not in self.withdrawn}

    def valid(self, now: datetime) -> frozenset[ConsentScope]:
        """Return what may be shown now: a consent that has ended counts as withdrawn."""
        return frozenset(scope for scope, ends in self.given.items() if ends is None or now.timestamp() < ends)

    def not_withdrawn(self, now: datetime) -> frozenset[ConsentScope]:
        """Return what the person has not taken back: everything except what was withdrawn or has ended."""
        return ALL_SCOPES - self.withdrawn - (self.given.keys() - self.valid(now))


def shown_draft(draft: Draft, display_name: str | None, scopes: Collection[ConsentScope]) -> Draft:
    """Return the draft with only what these consents allow to show.

    Without the story nothing is left but the goal. A name or place that is not shown is also taken out of the texts.
    """
    if ConsentScope.STORY not in scopes:
        return Draft(goal=draft.goal, currency=draft.currency)
    named, placed = ConsentScope.NAME in scopes, ConsentScope.PLACE in scopes
    if named and placed:
        return draft
    pattern = _hidden(draft, display_name, scopes)
    return replace(
        draft,
        title=_without(pattern, draft.title),
        story=_without(pattern, draft.story),
        category=_without(pattern, draft.category),
        beneficiary=_without(pattern, draft.beneficiary) if named else None,
        location=_without(pattern, draft.location) if placed else None,
        breakdown=tuple(_without(pattern, line) or "" for line in draft.breakdown),
    )


def shown_text(text: str, draft: Draft, display_name: str | None, scopes: Collection[ConsentScope]) -> str:
    """Return a text that belongs to the story of the draft without a name and a place that may not be shown."""
    return _without(_hidden(draft, display_name, scopes), text) or ""


def _hidden(draft: Draft, display_name: str | None, scopes: Collection[ConsentScope]) -> re.Pattern[str] | None:
    """Return a pattern that matches the words to be taken out of texts."""
    names = () if ConsentScope.NAME in scopes else _names(display_name, draft.beneficiary)
    places = () if ConsentScope.PLACE in scopes else _places(draft.location)
    return _pattern((*names, *places))


# Words with a capital that are no name, before or in the words for the person who is helped.
_ENGLISH = ("A", "An", "And", "For", "Of", "Our", "My", "The")
_SPANISH = ("De", "El", "La", "Las", "Los", "Mi", "Mis", "Para", "Su", "Sus", "Un", "Una", "Y")
_FRENCH = ("Et", "Le", "Les", "Ma", "Mon")
_NO_NAMES = frozenset((*_ENGLISH, *_SPANISH, *_FRENCH))


def _names(display_name: str | None, beneficiary: str | None) -> Iterator[str]:
    for name in filter(None, (display_name, beneficiary)):
        # A whole phrase such as "my mother" is no name.
        words = [word for word in re.findall(r"\w[\w'’-]*", name) if word[:1] != word[:1].lower() or _uncased(word)]
        words = [word for word in words if word not in _NO_NAMES and len(word) > 1]
        if words:
            yield name
        yield from words


def _uncased(word: str) -> bool:
    """Return True for a word of a script without capitals."""
    return word.lower() == word.upper()


def _places(location: str | None) -> Iterator[str]:
    if location:
        yield location
        yield from (part.strip() for part in location.split(",") if len(part.strip()) > 2)


def _pattern(texts: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(set(texts), key=len, reverse=True)
    if not longest_first:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


def _without(pattern: re.Pattern[str] | None, text: str | None) -> str | None:
    if pattern is None or text is None:
        return text
    omission = re.escape(OMISSION)
    return re.sub(rf"{omission}(?:\s+{omission})+", OMISSION, pattern.sub(OMISSION, text))
