"""The state of a RecordingTicket, folded from its events."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from domain import events
from domain.aggregate import Aggregate
from domain.approval import Approval, approval_after
from domain.consent import Consents
from domain.corrections import Correction
from domain.errors import NotFoundError
from domain.lifecycle import Lifecycle, edited, missing_fields, proposed, without_places
from domain.recordings import Recordings
from domain.values import Actor, Analysis, Contact, Content, Draft, FindingDecision, Kind, Role
from domain.voice import Voice

# Events of these roles are not acts of a person.
MACHINES = frozenset({Role.STRIPE, Role.SYSTEM})
# After one of these, no checkout that was requested before it may be paid.
CLOSES_CHECKOUTS = (events.Unpublished, events.TicketSuspended, events.Erased)


@dataclass(frozen=True)
class Attachment:
    """A photo or a PDF; only a photo has `small` and a size in pixels."""

    id: UUID
    content: Content
    media_type: str
    file_name: str | None = None
    small: Content | None = None
    width: int | None = None
    height: int | None = None

    @property
    def is_photo(self) -> bool:
        return self.small is not None

    @property
    def contents(self) -> frozenset[Content]:
        return frozenset({self.content, *((self.small,) if self.small else ())})


@dataclass(frozen=True)
class Picture:
    """The photo of the public page."""

    attachment_id: UUID
    description: str


class TicketState(Aggregate):
    """The state of a ticket after its events; `RecordingTicket` decides what may happen next."""

    def __init__(
        self,
        workspace: str,
        kind: Kind,
        slug: str,
        contact: Contact,
        contact_index: str,
        display_name: str | None,
        token_digest: str,
        currency: str | None = None,
    ) -> None:
        self.workspace = workspace
        self.kind = kind
        self.slug = slug
        self.contact = contact
        self.contact_index = contact_index
        # Every contact the ticket ever had: an erasure also covers support tickets sent from an old one.
        self.contacts: tuple[Contact, ...] = (contact,)
        self.contact_indexes: frozenset[str] = frozenset((contact_index,))
        self.display_name = display_name
        self.token_digest = token_digest
        self.recordings = Recordings()
        # Ids of all recordings and documents so far: a request that is repeated after a crash has the same id.
        self.recorded_ids: frozenset[UUID] = frozenset()
        # All content in storage that the history names.
        self.recorded_contents: frozenset[Content] = frozenset()
        # A person's corrections of the transcripts, in their order.
        self.corrections: tuple[Correction, ...] = ()
        self.analysis: Analysis | None = None
        # The currency that the workspace had for amounts of which nobody says it, or None.
        self.opening_currency = currency
        self.draft = Draft(currency=currency)
        self.written: frozenset[str] = frozenset()
        self.consents = Consents()
        self.attachments: Mapping[UUID, Attachment] = {}
        self.picture: Picture | None = None
        self.voice: Voice | None = None
        # Its sound, if nothing else of the ticket has the same bytes.
        self.voice_content: Content | None = None
        # The contents that only attachments name.
        self.attached_contents: frozenset[Content] = frozenset()
        # What a person decided on findings, by their ids.
        self.decisions: Mapping[str, FindingDecision] = {}
        self.lifecycle = Lifecycle()
        self.approval: Approval | None = None
        self.failed_retryable: bool | None = None
        self.suspension_reason: str | None = None
        # The requests to refund all gifts, by their ids.
        self.refund_runs: Mapping[UUID, events.RefundAllRequested] = {}
        # The texts with which the holder thanked donors, by their ids.
        self.thanks: Mapping[UUID, str] = {}
        # The updates on the page, the oldest first.
        self.update_ids: tuple[UUID, ...] = ()
        # The version of the last event that closed the checkouts; 0 if there was none.
        self.closed_version = 0
        self.erased = False
        # When the last act of a person was recorded.
        self.last_act: datetime | None = None
        self.erasure_announced: events.ErasureAnnounced | None = None

    def _trigger(self, event_type: type[events.TicketEvent], actor: Actor, **fields: object) -> None:
        if self.erased:
            raise NotFoundError("This ticket was erased.")
        self._record(event_type, actor, **fields)

    # Evolving.

    def evolve(self, event: events.TicketEvent) -> None:
        if event.actor.role not in MACHINES:
            self.last_act = event.timestamp
        self.recordings = self.recordings.after(event)
        match event:
            case events.ErasureAnnounced():
                self.erasure_announced = event
            case events.ContactReindexed(contact_index=contact_index):
                self.contact_index = contact_index
                self.contact_indexes |= {contact_index}
            case events.DisplayNameChanged(display_name=display_name):
                self.display_name = display_name
            case events.ContactChanged(contact=contact, contact_index=contact_index, token_digest=token_digest):
                self.contact, self.contact_index, self.token_digest = contact, contact_index, token_digest
                self.contacts, self.contact_indexes = (*self.contacts, contact), self.contact_indexes | {contact_index}
            case events.AudioUploaded(recording_id=recording_id, content=content):
                self.recorded_ids |= {recording_id}
                self.recorded_contents |= {content}
                self.failed_retryable = None
            case events.DocumentGenerated(document_id=document_id, content=content):
                self.recorded_ids |= {document_id}
                self.recorded_contents |= {content}
            case events.ProcessingRequested() | events.DraftingRequested():
                self.failed_retryable = None
            case events.TranscriptCorrected():
                correction = Correction(event.recording_id, event.segment, event.from_text, event.to_text)
                self.corrections = (*self.corrections, correction)
            case events.Transcribed(content=content):
                self.recorded_contents |= {content}
            case events.RecordingDeleted(recording_id=recording_id):
                self.recorded_contents -= self.recordings.contents_of_deleted(recording_id)
                self.corrections = tuple(each for each in self.corrections if each.recording_id != recording_id)
                self.draft = without_places(self.draft, recording_id)
                self.failed_retryable = None
            case events.Analysed():
                self.analysis = Analysis(event.language, event.sentiment, event.urgency, event.key_points)
            case events.TranscriptionFailed(retryable=retryable) | events.DraftingFailed(retryable=retryable):
                self.failed_retryable = retryable
            case events.DraftProposed():
                self.draft = proposed(self.draft, event, self.written)
            case events.DraftEdited():
                self.draft = edited(self.draft, event)
                self.written |= frozenset(event.changed)
            case events.FindingDecided(finding_id=finding_id, decision=decision):
                self.decisions = {**self.decisions, finding_id: decision}
            case events.DonorsThanked(thanks_id=thanks_id, text=text):
                self.thanks = {**self.thanks, thanks_id: text}
            case events.UpdatePosted(update_id=update_id):
                self.update_ids = (*self.update_ids, update_id)
            case events.UpdateRemoved(update_id=update_id):
                self.update_ids = tuple(present for present in self.update_ids if present != update_id)
            case events.RefundAllRequested(run_id=run_id):
                self.refund_runs = {**self.refund_runs, run_id: event}
            case events.TicketSuspended(reason=reason):
                self.suspension_reason = reason
            case events.Erased():
                self.erased = True
            case _:
                pass
        self._evolve_material(event)
        self.approval = approval_after(self.approval, event, self.consents.given.keys())
        if isinstance(event, CLOSES_CHECKOUTS):
            self.closed_version = event.originator_version
        self.lifecycle.apply(event, complete=not missing_fields(self.kind, self.draft))

    def _evolve_material(self, event: events.TicketEvent) -> None:
        self.consents.apply(event)
        match event:
            case events.AttachmentAdded():
                attachment = Attachment(
                    event.attachment_id,
                    event.content,
                    event.media_type,
                    event.file_name,
                    event.small,
                    event.width,
                    event.height,
                )
                self.attachments = {**self.attachments, attachment.id: attachment}
                self.recorded_ids |= {attachment.id}
                # The same bytes may be a document of the ticket, which stays when the attachment is deleted.
                self.attached_contents |= attachment.contents - (self.recorded_contents - self.attached_contents)
                self.recorded_contents |= attachment.contents
            case events.AttachmentDeleted(attachment_id=attachment_id):
                deleted = self.attachments.get(attachment_id)
                self.attachments = {id: kept for id, kept in self.attachments.items() if id != attachment_id}
                attached = frozenset(content for kept in self.attachments.values() for content in kept.contents)
                gone = self.attached_contents & (deleted.contents if deleted else frozenset()) - attached
                self.attached_contents -= gone
                self.recorded_contents -= gone
            case events.PictureChosen():
                self.picture = Picture(event.attachment_id, event.description)
            case events.PictureRemoved():
                self.picture = None
            case events.VoiceChosen():
                self._evolve_voice(Voice(**{each.name: getattr(event, each.name) for each in fields(Voice)}))
            case events.VoiceRemoved():
                self._evolve_voice(None)
            case events.AudioUploaded(content=content, joins=joins):
                # A recording that has the same bytes stays.
                self.voice_content = None if content == self.voice_content else self.voice_content
                self._evolve_voice(self.voice if joins else None)
            case events.RecordingDeleted(recording_id=recording_id):
                of_another = self.voice is not None and self.voice.recording_id != recording_id
                self._evolve_voice(self.voice if of_another else None)
            case _:
                pass

    def _evolve_voice(self, voice: Voice | None) -> None:
        if self.voice_content is not None:
            self.recorded_contents -= {self.voice_content}
        self.voice = voice
        # The same bytes may be a recording, which stays when the voice is removed.
        self.voice_content = None if voice is None or voice.content in self.recorded_contents else voice.content
        if voice is not None:
            self.recorded_contents |= {voice.content}
