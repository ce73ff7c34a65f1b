"""Hypothesis strategies for sequences of requests to a ticket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from domain.errors import DomainError, StepFailed
from domain.safety import SafetyReview
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
from tests.domain.facts import CONTACT, HOLDER, RECORDED_AT

# Few different values of each, so that requests often concern the same recording or document.
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

_ARGUMENTS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {
    "rename": st.tuples(st.just(HOLDER), words),
    "change_contact": st.tuples(st.just(HOLDER), contacts, st.just("index"), st.sampled_from(["digest", "newer"])),
    "upload": st.tuples(st.just(HOLDER), recordings, contents, st.just(AudioFacts("audio/webm", 1)), words),
    "delete_recording": st.tuples(st.just(HOLDER), recordings),
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
    "publish": st.tuples(st.just(HOLDER), st.booleans(), st.just(SafetyReview()), st.just(RECORDED_AT)),
    "unpublish": st.tuples(st.just(HOLDER)),
    "request_publication": st.tuples(
        st.just(HOLDER), st.sampled_from([True, None]), st.just(SafetyReview()), st.just(RECORDED_AT)
    ),
    "approve": st.tuples(st.just(SYSTEM)),
    "request_changes": st.tuples(st.just(SYSTEM), st.sampled_from(["Leave out the street.", "Say more."])),
    "suspend": st.tuples(st.just(SYSTEM), st.sampled_from(["fraud", "another reason"])),
    "reinstate": st.tuples(st.just(SYSTEM)),
    "record_document": st.tuples(
        st.just(HOLDER),
        documents,
        st.sampled_from(DocumentType),
        st.sampled_from(DocumentFormat),
        contents,
        st.none(),
    ),
}
_RARE_ARGUMENTS: dict[str, st.SearchStrategy[tuple[Any, ...]]] = {"erase": st.tuples(st.just(HOLDER))}

Request = Callable[[RecordingTicket], None]


class TicketRequest:
    """One method of a ticket with its arguments."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.arguments = arguments

    def __call__(self, ticket: RecordingTicket) -> bool:
        """Make the request and return False if it is refused."""
        try:
            getattr(ticket, self.name)(*self.arguments)
        except DomainError:
            return False
        return True

    def __repr__(self) -> str:
        return f"{self.name}{self.arguments!r}"


# Built once, because building a strategy takes longer than drawing from it.
def _named(strategies: dict[str, st.SearchStrategy[tuple[Any, ...]]]) -> st.SearchStrategy[TicketRequest]:
    return st.one_of(
        [st.builds(TicketRequest, st.just(name), arguments) for name, arguments in sorted(strategies.items())]
    )


_often, _rarely = _named(_ARGUMENTS), _named(_RARE_ARGUMENTS)
requests = st.integers(0, 40).flatmap(lambda rare: _rarely if rare == 40 else _often)
sequences = st.lists(requests, max_size=25)

# The usual requests of a person, with others between them, so that the later steps are often reached.
_USUAL = ("upload", "process", "record_transcript", "record_analysis", "propose_draft", "publish")
_two, _four = st.lists(requests, max_size=2), st.lists(requests, max_size=4)


@st.composite
def journeys(draw: st.DrawFn) -> list[TicketRequest]:
    """Return the usual requests in their order with other requests between them."""
    recording = draw(recordings)
    chosen: list[TicketRequest] = []
    for name in _USUAL:
        chosen += draw(_two)
        arguments = draw(_ARGUMENTS[name])
        if len(arguments) > 1 and isinstance(arguments[1], UUID):
            arguments = (arguments[0], recording, *arguments[2:])
        chosen.append(TicketRequest(name, arguments))
    return chosen + draw(_four)


histories = st.one_of(sequences, journeys())
