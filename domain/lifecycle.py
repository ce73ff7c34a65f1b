"""How far a ticket's content has come, and its draft: folded alike by the aggregate and by the read models."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from msgspec import structs

from domain import events
from domain.errors import RefusedError
from domain.sentences import sentences
from domain.values import Actor, ContentStatus, Draft, Kind, Source, Step


@dataclass(frozen=True)
class Policy:
    """The draft fields that a kind of ticket requires before it may be published, and words that recordings of it use.

    The words help a recogniser. They are few, because they say nothing about the language of the recording.
    """

    required: tuple[str, ...]
    spoken_words: tuple[str, ...] = ()


POLICIES: Mapping[Kind, Policy] = {
    Kind.CAMPAIGN: Policy(
        required=("title", "story", "goal", "beneficiary"), spoken_words=("GoFundMe", "fundraiser", "donation")
    )
}


def missing_fields(kind: Kind, draft: Draft) -> tuple[str, ...]:
    """Return the draft's fields that its kind requires and that are still empty, in the policy's order."""
    return tuple(name for name in POLICIES[kind].required if getattr(draft, name) is None)


def spoken_hints(kind: Kind, display_name: str | None) -> tuple[str, ...]:
    """Return what a recording of such a ticket is likely to contain: the person's name first, then the kind's words."""
    return ((display_name,) if display_name else ()) + POLICIES[kind].spoken_words


# The states between an upload and a draft.
WITHOUT_DRAFT = frozenset({ContentStatus.RECORDING, ContentStatus.PROCESSING, ContentStatus.ERROR})


@dataclass
class Lifecycle:
    """The state of a ticket's content, and the step that is being worked on."""

    base: ContentStatus = ContentStatus.DRAFT
    published: bool = False
    step: Step | None = None
    suspended: bool = False

    @property
    def public(self) -> bool:
        """Whether strangers see the page."""
        return self.published and not self.suspended

    @property
    def status(self) -> ContentStatus:
        """The status to show: a published page stays published while a new recording is processed."""
        return ContentStatus.PUBLISHED if self.published else self.base

    def apply(self, event: events.TicketEvent, *, complete: bool) -> None:
        """Apply an event; `complete` is True if the draft after it has every field that its kind requires."""
        match event:
            case events.AudioUploaded():
                self.base, self.step = ContentStatus.RECORDING, None
            case events.RecordingDeleted(remaining=remaining):
                self.step = None
                if self.base in WITHOUT_DRAFT:
                    without_any = ContentStatus.READY if complete else ContentStatus.DRAFT
                    self.base = ContentStatus.RECORDING if remaining else without_any
            case events.ProcessingRequested():
                self.base, self.step = ContentStatus.PROCESSING, Step.TRANSCRIBE
            case events.Transcribed():
                self.step = Step.ANALYSE
            case events.DraftingRequested():
                self.base, self.step = ContentStatus.PROCESSING, Step.ANALYSE
            case events.Analysed():
                self.step = Step.DRAFT
            case events.TranscriptionFailed() | events.DraftingFailed():
                self.base, self.step = ContentStatus.ERROR, None
            case events.DraftProposed() | events.InfoRequested():
                self.base, self.step = ContentStatus.READY if complete else ContentStatus.NEEDS_INFO, None
            case events.DraftEdited() if self.base is not ContentStatus.PROCESSING:
                if complete:
                    self.base = ContentStatus.READY
                elif self.base is ContentStatus.READY:
                    self.base = ContentStatus.NEEDS_INFO
            case events.Published():
                self.published = True
            case events.Unpublished():
                self.published = False
            case events.TicketSuspended():
                self.suspended = True
            case events.TicketReinstated():
                self.suspended = False
            case events.Erased():
                self.published, self.step, self.base = False, None, ContentStatus.ERASED
            case _:
                pass


@dataclass(frozen=True)
class DraftPart:
    """A field of a draft, a sentence of its story or a line of its breakdown; the goal has no text."""

    field: str
    number: int | None
    text: str | None
    sources: tuple[Source, ...]

    def __str__(self) -> str:
        match self.field:
            case "story":
                return f"sentence {self.number} of the story"
            case "breakdown":
                return f"line {self.number} of the breakdown"
            case _:
                return f"the {self.field}"


def _numbered_texts(field: str, value: Any) -> Iterable[tuple[int | None, str | None]]:
    match field:
        case "story":
            return enumerate(sentences(value), 1)
        case "breakdown":
            return enumerate(value, 1)
        case _:
            return ((None, None if field == "goal" else value),)


def draft_parts(draft: Draft) -> Iterator[DraftPart]:
    """Yield every part of the draft that needs a source, with its sources."""
    for name in Draft.names():
        value = getattr(draft, name)
        if value and name != "currency":
            of_field = [source for source in draft.sources if source.field == name]
            for number, text in _numbered_texts(name, value):
                numbered_sources = tuple(source for source in of_field if source.number == number)
                whole = tuple(source for source in of_field if source.number is None)
                yield DraftPart(name, number, text, numbered_sources or whole)


def require_publishable(kind: Kind, draft: Draft) -> None:
    """RefusedError unless the draft is complete and every part of it was said or written by somebody."""
    if missing := missing_fields(kind, draft):
        raise RefusedError(f"The draft is not complete yet: {', '.join(missing)} missing.")
    if unsourced := [str(part) for part in draft_parts(draft) if not part.sources]:
        raise RefusedError(f"Nobody said or wrote {', '.join(unsourced)}. Correct it, or save it as your own words.")


def unchanged_sources(draft: Draft, changes: Mapping[str, Any], actor: Actor) -> tuple[Source, ...]:
    """Return the sources, other than the actor, of those parts of the draft that the changes leave as they are."""
    before = {(part.field, part.text): part.sources for part in draft_parts(draft)}
    after = draft_parts(replace(draft, **changes, sources=()))
    return tuple(
        structs.replace(source, number=part.number)
        for part in after
        if part.field in changes and (part.text or changes[part.field] == getattr(draft, part.field))
        for source in before.get((part.field, part.text), ())
        if source.author != actor
    )


def edited(draft: Draft, event: events.DraftEdited) -> Draft:
    """Return the draft after a person edited it."""
    others = (source for source in draft.sources if source.field not in event.changed)
    written = (Source(name, author=event.actor) for name in event.changed if getattr(event, name))
    fields = {name: getattr(event, name) for name in event.changed}
    return replace(draft, **fields, sources=(*others, *event.sources, *written))


def proposed(draft: Draft, event: events.DraftProposed, written: frozenset[str]) -> Draft:
    """Return the draft after a proposal; the fields in `written`, which a person wrote, stay as they are."""
    fields = {name: getattr(event, name) for name in Draft.names() if name not in written}
    sources = event.sources
    if sources is None:
        sources = tuple(Source(name, recording_id=event.recording_id) for name, value in fields.items() if value)
    others = (source for source in draft.sources if source.field in written)
    return replace(draft, **fields, sources=(*others, *sources), engine=event.engine)


def without_places(draft: Draft, recording_id: UUID) -> Draft:
    """Return the draft after a recording was deleted: what was said there stays, and the places in it are unknown."""
    sources = (
        structs.replace(source, start=None, end=None, start_ms=None, end_ms=None)
        if source.recording_id == recording_id
        else source
        for source in draft.sources
    )
    return replace(draft, sources=tuple(dict.fromkeys(sources)))


def requested_step(event: events.TicketEvent) -> tuple[Step, UUID] | None:
    """Return the step that an event asks a worker to do and the recording to do it for, or None."""
    match event:
        case events.ProcessingRequested(recording_id=recording_id):
            return Step.TRANSCRIBE, recording_id
        case events.Transcribed(recording_id=recording_id) | events.DraftingRequested(recording_id=recording_id):
            return Step.ANALYSE, recording_id
        case events.Analysed(recording_id=recording_id):
            return Step.DRAFT, recording_id
        case _:
            return None
