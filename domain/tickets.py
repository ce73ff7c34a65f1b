"""The RecordingTicket: a person's recording on its way to a page, and all that may be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from eventsourcing.domain import BaseAggregate

from domain.errors import InvalidError, NotFoundError, RefusedError, StepFailed
from domain.events import (
    Analysed,
    AudioUploaded,
    ContactChanged,
    ContactReindexed,
    DisplayNameChanged,
    DocumentGenerated,
    DraftEdited,
    DraftingFailed,
    DraftProposed,
    Erased,
    ErasureAnnounced,
    InfoRequested,
    ProcessingRequested,
    Published,
    TicketEvent,
    TicketOpened,
    Transcribed,
    TranscriptionFailed,
    Unpublished,
)
from domain.values import (
    Actor,
    Analysis,
    AudioFacts,
    Contact,
    Content,
    ContentStatus,
    DocumentFormat,
    DocumentType,
    Draft,
    Kind,
    Money,
    Role,
    Step,
    decimals,
)

DEFAULT_CURRENCY = "USD"
LARGEST_GOAL = 10_000_000
# Where the major unit is the minor one, a hundred times as many make about as much.
LARGEST_GOAL_ZERO_DECIMAL = 100 * LARGEST_GOAL

# Whose acts are nobody's doing.
MACHINES = frozenset({Role.STRIPE, Role.SYSTEM})


@dataclass(frozen=True)
class Policy:
    """What a kind of ticket asks of its draft before it may be published."""

    required: tuple[str, ...]


POLICIES: Mapping[Kind, Policy] = {Kind.CAMPAIGN: Policy(required=("title", "story", "goal", "beneficiary"))}


def missing_fields(kind: Kind, draft: Draft) -> tuple[str, ...]:
    """The draft's fields that its kind needs and nobody has said yet, in the policy's order."""
    return tuple(name for name in POLICIES[kind].required if getattr(draft, name) is None)


@dataclass(frozen=True)
class Recording:
    id: UUID
    content: Content


@dataclass
class Lifecycle:
    """How far a ticket's content has come: the same small machine for the aggregate and for whoever reads history.

    `complete` is told by the caller, who knows the draft: whether anything that the kind requires is missing.
    """

    base: ContentStatus = ContentStatus.DRAFT
    published: bool = False
    step: Step | None = None

    @property
    def status(self) -> ContentStatus:
        """A published page stays published, whatever is being worked on behind it."""
        return ContentStatus.PUBLISHED if self.published else self.base

    def note(self, event: TicketEvent, *, complete: bool) -> None:
        match event:
            case AudioUploaded():
                self.base, self.step = ContentStatus.RECORDING, None
            case ProcessingRequested():
                self.base, self.step = ContentStatus.PROCESSING, Step.TRANSCRIBE
            case Transcribed():
                self.step = Step.ANALYSE
            case Analysed():
                self.step = Step.DRAFT
            case TranscriptionFailed() | DraftingFailed():
                self.base, self.step = ContentStatus.ERROR, None
            case DraftProposed() | InfoRequested():
                self.base, self.step = ContentStatus.READY if complete else ContentStatus.NEEDS_INFO, None
            case DraftEdited() if self.base is not ContentStatus.PROCESSING:
                if complete:
                    self.base = ContentStatus.READY
                elif self.base is ContentStatus.READY:
                    self.base = ContentStatus.NEEDS_INFO
            case Published():
                self.published = True
            case Unpublished():
                self.published = False
            case Erased():
                self.published, self.step, self.base = False, None, ContentStatus.DRAFT
            case _:
                pass


def edited(draft: Draft, event: DraftEdited) -> Draft:
    """The draft after a person wrote."""
    return replace(draft, **{name: getattr(event, name) for name in event.changed})


def proposed(draft: Draft, event: DraftProposed, written: frozenset[str]) -> Draft:
    """The draft after a recording was drafted from: what a person wrote stays as it is."""
    fields = [name for name in Draft.names() if name not in written]
    return replace(draft, **{name: getattr(event, name) for name in fields})


def work_asked_for(event: TicketEvent) -> tuple[Step, UUID] | None:
    """The step that an event asks a worker for, and the recording it is about."""
    match event:
        case ProcessingRequested(recording_id=recording_id):
            return Step.TRANSCRIBE, recording_id
        case Transcribed(recording_id=recording_id):
            return Step.ANALYSE, recording_id
        case Analysed(recording_id=recording_id):
            return Step.DRAFT, recording_id
        case _:
            return None


class RecordingTicket(BaseAggregate[UUID]):
    """One person's story. Gifts live in streams of their own and never contend with it."""

    TOPIC = "recording_ticket"

    def __init__(
        self,
        workspace: str,
        kind: Kind,
        slug: str,
        contact: Contact,
        contact_index: str,
        display_name: str | None,
        token_digest: str,
    ) -> None:
        self.workspace = workspace
        self.kind = kind
        self.slug = slug
        self.contact = contact
        self.contact_index = contact_index
        # Every contact there ever was: what was written from an old one is forgotten with the person too.
        self.contacts: tuple[Contact, ...] = (contact,)
        self.contact_indexes: frozenset[str] = frozenset((contact_index,))
        self.display_name = display_name
        self.token_digest = token_digest
        self.recording: Recording | None = None
        # Every recording and document there ever was: a request taken up again after a crash brings the same one.
        self.noted: frozenset[UUID] = frozenset()
        # Everything in storage that the history names.
        self.kept: frozenset[Content] = frozenset()
        self.transcribed: UUID | None = None
        self.transcript: Content | None = None
        self.analysis: Analysis | None = None
        self.draft = Draft()
        self.written: frozenset[str] = frozenset()
        self.lifecycle = Lifecycle()
        self.failed_retryable: bool | None = None
        self.erased = False
        # When a person last did something, by the time it was recorded; and what was announced after that.
        self.last_act: datetime | None = None
        self.announced: ErasureAnnounced | None = None

    # Deciding.

    @classmethod
    def open(
        cls,
        actor: Actor,
        ticket_id: UUID,
        *,
        workspace: str,
        kind: Kind,
        slug: str,
        contact: Contact,
        contact_index: str,
        display_name: str | None,
        token_digest: str,
    ) -> Self:
        return cls._create(
            TicketOpened,
            id=ticket_id,
            actor=actor,
            workspace=workspace,
            kind=kind,
            slug=slug,
            contact=contact,
            contact_index=contact_index,
            display_name=display_name,
            token_digest=token_digest,
        )

    def rename(self, actor: Actor, display_name: str | None) -> None:
        if display_name != self.display_name:
            self._trigger(DisplayNameChanged, actor, display_name=display_name)

    def change_contact(self, actor: Actor, contact: Contact, contact_index: str, token_digest: str) -> None:
        if (contact, token_digest) != (self.contact, self.token_digest):
            told = {"contact": contact, "contact_index": contact_index, "token_digest": token_digest}
            self._trigger(ContactChanged, actor, **told)

    def reindex(self, actor: Actor, contact_index: str) -> None:
        """The same contact, to be found by another hash."""
        if contact_index != self.contact_index:
            self._trigger(ContactReindexed, actor, contact_index=contact_index)

    def upload(
        self, actor: Actor, recording_id: UUID, content: Content, facts: AudioFacts, file_name: str | None
    ) -> None:
        """A newer recording takes the place of an older one, and of the work on it."""
        if recording_id not in self.noted:
            told = {"recording_id": recording_id, "content": content, "facts": facts, "file_name": file_name}
            self._trigger(AudioUploaded, actor, **told)

    def process(self, actor: Actor) -> None:
        if self.recording is None:
            raise RefusedError("There is no recording to process yet: upload one first.")
        if self.lifecycle.step is not None:
            raise AlreadyProcessing
        self._trigger(ProcessingRequested, actor, recording_id=self.recording.id)

    def retry(self, actor: Actor) -> None:
        if self.lifecycle.step is not None:
            raise AlreadyProcessing
        if self.failed_retryable is None or self.recording is None:
            raise RefusedError("Nothing has failed, so there is nothing to retry.")
        self._trigger(ProcessingRequested, actor, recording_id=self.recording.id)

    def awaits(self, step: Step, recording_id: UUID) -> bool:
        """Whether this very step, on this very recording, is what is being worked on."""
        return self.lifecycle.step is step and self.recording is not None and self.recording.id == recording_id

    def note_transcript(self, actor: Actor, recording_id: UUID, told: Mapping[str, Any]) -> None:
        if self.awaits(Step.TRANSCRIBE, recording_id):
            self._trigger(Transcribed, actor, recording_id=recording_id, **told)

    def note_analysis(self, actor: Actor, recording_id: UUID, analysis: Analysis) -> None:
        if self.awaits(Step.ANALYSE, recording_id):
            self._trigger(Analysed, actor, recording_id=recording_id, **vars(analysis))

    def propose_draft(self, actor: Actor, recording_id: UUID, draft: Draft) -> None:
        """Take a draft made from the recording; what is missing then is asked for."""
        if not self.awaits(Step.DRAFT, recording_id):
            return
        proposal = {name: value for name, value in vars(draft).items() if name not in self.written}
        self._trigger(DraftProposed, actor, recording_id=recording_id, **proposal)
        if missing := missing_fields(self.kind, self.draft):
            self._trigger(InfoRequested, actor, missing=missing)

    def fail_step(self, actor: Actor, step: Step, recording_id: UUID, fault: StepFailed) -> None:
        if not self.awaits(step, recording_id):
            return
        told = {"code": fault.code, "message": fault.message, "retryable": fault.retryable}
        if step is Step.TRANSCRIBE:
            self._trigger(TranscriptionFailed, actor, recording_id=recording_id, **told)
        else:
            self._trigger(DraftingFailed, actor, recording_id=recording_id, step=step, **told)

    def edit_draft(self, actor: Actor, changes: Mapping[str, Any]) -> None:
        """Write the fields named in `changes` (None clears); only what really changes is recorded."""
        changed = {name: value for name, value in changes.items() if getattr(self.draft, name) != value}
        fresh = [name for name in changes if name not in self.written]
        if changed or fresh:
            named = tuple(name for name in changes if name in changed or name in fresh)
            self._trigger(DraftEdited, actor, changed=named, **{name: changes[name] for name in named})

    def provide_info(self, actor: Actor, changes: Mapping[str, Any]) -> None:
        if self.lifecycle.base is not ContentStatus.NEEDS_INFO:
            raise RefusedError("Nothing is being asked for at the moment.")
        self.edit_draft(actor, changes)

    def goal_of(self, amount: Decimal | str | int | None, currency: str | None) -> Money | None:
        """The goal that an amount and a currency make, where None leaves each as it is; AmountError if they do not."""
        known = self.draft.goal
        if amount is None and known is None:
            return None
        currency = currency or (known.currency if known else self.draft.currency) or DEFAULT_CURRENCY
        goal = Money.of(amount if amount is not None else known.major if known else 0, currency)
        largest = LARGEST_GOAL if decimals(currency) else LARGEST_GOAL_ZERO_DECIMAL
        if not 1 <= goal.major <= largest:
            raise InvalidError(f"must be from 1 to {largest}", "/goalAmount")
        return goal

    def publish(self, actor: Actor) -> None:
        if missing := missing_fields(self.kind, self.draft):
            raise RefusedError(f"The draft is not complete yet: {', '.join(missing)} missing.")
        if not self.lifecycle.published:
            self._trigger(Published, actor)

    def unpublish(self, actor: Actor) -> None:
        if self.lifecycle.published:
            self._trigger(Unpublished, actor)

    def note_document(
        self,
        actor: Actor,
        document_id: UUID,
        type: DocumentType,
        format: DocumentFormat,
        content: Content,
        donation_id: UUID | None,
    ) -> None:
        if document_id not in self.noted:
            told = {"document_id": document_id, "type": type, "format": format, "content": content}
            self._trigger(DocumentGenerated, actor, donation_id=donation_id, **told)

    def erase(self, actor: Actor) -> None:
        if not self.erased:
            self._trigger(Erased, actor)

    def announce_erasure(self, actor: Actor, erase_after: datetime, inactive_since: datetime) -> None:
        """On record that the ticket will be erased unless somebody does something; once for each such silence."""
        if self.erased or self.announced_since(inactive_since) is not None:
            return
        told = {"erase_after": int(erase_after.timestamp()), "inactive_since": int(inactive_since.timestamp())}
        self._trigger(ErasureAnnounced, actor, **told)

    def announced_since(self, inactive_since: datetime) -> datetime | None:
        """When erasing this ticket may begin, as was announced since then; None if nothing was."""
        if self.announced is None or self.announced.inactive_since < int(inactive_since.timestamp()):
            return None
        return datetime.fromtimestamp(self.announced.erase_after, UTC)

    def _trigger(self, fact: type[TicketEvent], actor: Actor, **told: Any) -> None:
        if self.erased:
            raise NotFoundError("This ticket was erased.")
        self.trigger_event(fact, actor=actor, **told)

    # Evolving.

    def evolve(self, event: TicketEvent) -> None:
        if event.actor.role not in MACHINES:
            self.last_act = event.timestamp
        match event:
            case ErasureAnnounced():
                self.announced = event
            case ContactReindexed(contact_index=contact_index):
                self.contact_index = contact_index
                self.contact_indexes |= {contact_index}
            case DisplayNameChanged(display_name=display_name):
                self.display_name = display_name
            case ContactChanged(contact=contact, contact_index=contact_index, token_digest=token_digest):
                self.contact, self.contact_index, self.token_digest = contact, contact_index, token_digest
                self.contacts, self.contact_indexes = (*self.contacts, contact), self.contact_indexes | {contact_index}
            case AudioUploaded(recording_id=recording_id, content=content):
                self.recording = Recording(recording_id, content)
                self.noted |= {recording_id}
                self.kept |= {content}
                self.failed_retryable = None
            case DocumentGenerated(document_id=document_id, content=content):
                self.noted |= {document_id}
                self.kept |= {content}
            case ProcessingRequested():
                self.failed_retryable = None
            case Transcribed(transcription_id=transcription_id, content=content):
                self.transcribed, self.transcript = transcription_id, content
                self.kept |= {content}
            case Analysed():
                self.analysis = Analysis(event.language, event.sentiment, event.urgency, event.key_points)
            case TranscriptionFailed(retryable=retryable) | DraftingFailed(retryable=retryable):
                self.failed_retryable = retryable
            case DraftProposed():
                self.draft = proposed(self.draft, event, self.written)
            case DraftEdited():
                self.draft = edited(self.draft, event)
                self.written |= frozenset(event.changed)
            case Erased():
                self.erased = True
            case _:
                pass
        self.lifecycle.note(event, complete=not missing_fields(self.kind, self.draft))


class AlreadyProcessing(RefusedError):
    """The recording is being worked on already."""

    def __init__(self) -> None:
        super().__init__("The recording is being processed already.")
