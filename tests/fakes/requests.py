"""Any request that can be made of a ticket, for laws that hold whatever is asked and in whichever order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from domain.errors import DomainError, StepFailed
from domain.tickets import RecordingTicket
from domain.values import (
    SYSTEM,
    Analysis,
    AudioFacts,
    Contact,
    ContactType,
    Content,
    DocumentFormat,
    DocumentType,
    Draft,
    Money,
    Sentiment,
    Step,
    Urgency,
)
from tests.domain.facts import CONTACT, HOLDER

# Few different ones of each, so that requests meet each other.
recordings = st.integers(1, 3).map(lambda number: UUID(int=number))
documents = st.integers(11, 13).map(lambda number: UUID(int=number))
contents = st.integers(1, 3).map(lambda number: Content(f"{number:064x}", number))
words = st.sampled_from([None, "one", "two"])
goals = st.sampled_from([None, Money(150_000, "USD"), Money(900, "JPY")])
lists = st.sampled_from([(), ("one",), ("one", "two")])

_FIELDS: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(Draft.names(), words) | {"goal": goals, "breakdown": lists}
drafts = st.builds(Draft, **_FIELDS)
changes = st.fixed_dictionaries({}, optional=_FIELDS)
analyses = st.builds(Analysis, words, st.sampled_from(Sentiment), st.sampled_from(Urgency), lists)
faults = st.builds(StepFailed, st.just("away"), st.just("Later."), retryable=st.booleans())
transcriptions = st.integers(21, 23).map(lambda number: UUID(int=number))
contacts = st.sampled_from([CONTACT, Contact(ContactType.SOCIAL, "@grace")])

_ASKED: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "rename": st.tuples(st.just(HOLDER), words),
    "change_contact": st.tuples(st.just(HOLDER), contacts, st.just("index"), st.sampled_from(["digest", "newer"])),
    "upload": st.tuples(st.just(HOLDER), recordings, contents, st.just(AudioFacts("audio/webm", 1)), words),
    "process": st.tuples(st.just(HOLDER)),
    "retry": st.tuples(st.just(HOLDER)),
    "record_transcript": st.tuples(
        st.just(SYSTEM), recordings, transcriptions, contents, st.just("en"), st.just("fake")
    ),
    "record_analysis": st.tuples(st.just(SYSTEM), recordings, analyses),
    "propose_draft": st.tuples(st.just(SYSTEM), recordings, drafts),
    "fail_step": st.tuples(st.just(SYSTEM), st.sampled_from(Step), recordings, faults),
    "edit_draft": st.tuples(st.just(HOLDER), changes),
    "provide_info": st.tuples(st.just(HOLDER), changes),
    "publish": st.tuples(st.just(HOLDER), st.booleans()),
    "unpublish": st.tuples(st.just(HOLDER)),
    "record_document": st.tuples(
        st.just(HOLDER),
        documents,
        st.sampled_from(DocumentType),
        st.sampled_from(DocumentFormat),
        contents,
        st.none(),
    ),
}
_RARE: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {"erase": st.tuples(st.just(HOLDER))}

Request = Callable[[RecordingTicket], None]


class Asked:
    """One request with all its words; refusing it is an answer too."""

    def __init__(self, name: str, words: tuple[Any, ...]) -> None:
        self.name = name
        self.words = words

    def __call__(self, ticket: RecordingTicket) -> bool:
        """Whether it was taken."""
        try:
            getattr(ticket, self.name)(*self.words)
        except DomainError:
            return False
        return True

    def __repr__(self) -> str:
        return f"{self.name}{self.words!r}"


# Made once: to make a strategy takes longer than to draw from it.
def _named(asked: dict[str, st.SearchStrategy[tuple[Any, ...]]]) -> st.SearchStrategy[Asked]:
    return st.one_of([st.builds(Asked, st.just(name), words) for name, words in sorted(asked.items())])


_often, _rarely = _named(_ASKED), _named(_RARE)
requests = st.integers(0, 40).flatmap(lambda rare: _rarely if rare == 40 else _often)
sequences = st.lists(requests, max_size=25)

# A person's usual way, with anything else in between, so that the later steps are met often.
_USUAL = ("upload", "process", "record_transcript", "record_analysis", "propose_draft", "publish")
_two, _four = st.lists(requests, max_size=2), st.lists(requests, max_size=4)


@st.composite
def journeys(draw: st.DrawFn) -> list[Asked]:
    """Requests that get somewhere: the usual ones in their order, and others between them."""
    recording = draw(recordings)
    asked: list[Asked] = []
    for name in _USUAL:
        asked += draw(_two)
        words = draw(_ASKED[name])
        if len(words) > 1 and isinstance(words[1], UUID):
            words = (words[0], recording, *words[2:])
        asked.append(Asked(name, words))
    return asked + draw(_four)


histories = st.one_of(sequences, journeys())
