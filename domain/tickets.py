"""The RecordingTicket: a person's story from the recording to the published page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from msgspec import structs

from domain import events
from domain.corrections import Correction
from domain.errors import AlreadyProcessing, NotFoundError, RefusedError, StepFailed, TakenDownError
from domain.goals import checked_goal
from domain.lifecycle import WITHOUT_DRAFT, missing_fields, unchanged_sources
from domain.public_material import PublicMaterial
from domain.safety import SafetyReview, without
from domain.values import (
    SYSTEM,
    Actor,
    Analysis,
    AudioFacts,
    Contact,
    Content,
    ContentStatus,
    DocumentFormat,
    DocumentType,
    Draft,
    FindingDecision,
    Kind,
    Money,
    Step,
)

DEFAULT_CURRENCY = "USD"
LONGEST_SUSPENSION_REASON = 1_000
MOST_UPDATES = 100
MOST_THANKS = 20
MOST_RECORDINGS = 100


@dataclass(frozen=True)
class NewTicket:
    """A ticket about to be opened. The caller makes the ids, so that a repeated request opens one ticket.

    Amounts of which nobody says the currency are in `currency`, or in that of the service.
    """

    ticket_id: UUID
    workspace: str
    slug: str
    contact: Contact
    contact_index: str
    display_name: str | None
    token_digest: str
    kind: Kind = Kind.CAMPAIGN
    currency: str | None = None


class RecordingTicket(PublicMaterial):
    """One person's story. Donations have streams of their own and never contend with it."""

    TOPIC = "recording_ticket"

    @classmethod
    def open(cls, actor: Actor, new_ticket: NewTicket) -> Self:
        fields = {name: value for name, value in vars(new_ticket).items() if name != "ticket_id"}
        return cls._begin(events.TicketOpened, new_ticket.ticket_id, actor, **fields)

    def rename(self, actor: Actor, display_name: str | None) -> None:
        if display_name != self.display_name:
            self._trigger(events.DisplayNameChanged, actor, display_name=display_name)

    def change_contact(self, actor: Actor, contact: Contact, contact_index: str, token_digest: str) -> None:
        if (contact, token_digest) != (self.contact, self.token_digest):
            self._trigger(
                events.ContactChanged, actor, contact=contact, contact_index=contact_index, token_digest=token_digest
            )

    def reindex(self, actor: Actor, contact_index: str) -> None:
        """Store the contact's keyed hash made with a new secret."""
        if contact_index != self.contact_index:
            self._trigger(events.ContactReindexed, actor, contact_index=contact_index)

    def upload(
        self, actor: Actor, recording_id: UUID, content: Content, facts: AudioFacts, file_name: str | None
    ) -> None:
        """Add a recording; the work on the older ones ends."""
        if recording_id not in self.recorded_ids:
            if len(self.recordings) >= MOST_RECORDINGS:
                raise RefusedError(f"A ticket has at most {MOST_RECORDINGS} recordings: delete one first.")
            self._trigger(
                events.AudioUploaded,
                actor,
                recording_id=recording_id,
                content=content,
                facts=facts,
                file_name=file_name,
                joins=True,
            )

    def delete_recording(self, actor: Actor, recording_id: UUID) -> frozenset[Content]:
        """Delete a recording, and return the stored content that nothing names any more.

        Work that is under way goes on with the other recordings. A draft that was made of it is made again without it,
        but never that of a public page, and never of nothing: then the text stays. Deleting it again changes nothing.
        """
        if not self.recordings.is_deleted(recording_id):
            deleted = self.recordings.get(recording_id)
            was_working, was_used = self.lifecycle.step is not None, deleted in self.recordings.transcribed
            was_open = self.lifecycle.base in WITHOUT_DRAFT
            remaining = sum(not recording.replaced for recording in self.recordings if recording != deleted)
            self._trigger(events.RecordingDeleted, actor, recording_id=recording_id, remaining=remaining)
            if was_working or (not self.recordings.pending and not self.lifecycle.published and (was_used or was_open)):
                self._request_next_step()
        return self.recordings.contents_of_deleted(recording_id)

    def process(self, actor: Actor) -> None:
        if not self.recordings.used:
            raise RefusedError("There is no recording to process yet: upload one first.")
        if self.lifecycle.step is not None:
            raise AlreadyProcessing
        self._trigger(events.ProcessingRequested, actor, recording_id=self.recordings.to_transcribe[0].id)

    def retry(self, actor: Actor) -> None:
        if self.lifecycle.step is not None:
            raise AlreadyProcessing
        if self.failed_retryable is None or not self.recordings.used:
            raise RefusedError("Nothing has failed, so there is nothing to retry.")
        if not self.failed_retryable:
            raise RefusedError("This recording would fail again. Upload another one, or write the draft by hand.")
        self._trigger(events.ProcessingRequested, actor, recording_id=self.recordings.to_transcribe[0].id)

    def _request_next_step(self) -> None:
        """Go on with the recordings that are still to be transcribed, or else make a draft of what was transcribed."""
        if self.recordings.pending:
            self._trigger(events.ProcessingRequested, SYSTEM, recording_id=self.recordings.pending[0].id)
        elif self.recordings.draftable:
            self._trigger(events.DraftingRequested, SYSTEM, recording_id=self.recordings.draftable[-1].id)

    def awaits(self, step: Step, recording_id: UUID) -> bool:
        """Return True if this step of this recording is the one being worked on."""
        return self.lifecycle.step is step and self.recordings.requested == recording_id

    def record_transcript(
        self,
        actor: Actor,
        recording_id: UUID,
        transcription_id: UUID,
        content: Content,
        language: str | None,
        engine: str,
    ) -> None:
        if self.awaits(Step.TRANSCRIBE, recording_id):
            self._trigger(
                events.Transcribed,
                actor,
                recording_id=recording_id,
                transcription_id=transcription_id,
                content=content,
                language=language,
                engine=engine,
            )
            if self.recordings.pending:
                self._request_next_step()

    def correct_transcript(self, actor: Actor, corrections: Sequence[Correction]) -> None:
        """Record the corrections; fields of the draft that nobody wrote by hand are then drafted again."""
        for correction in corrections:
            self._trigger(events.TranscriptCorrected, actor, **vars(correction))
        # A recording that is transcribed now or later leads to a draft anyway.
        if not corrections or self.recordings.pending or self.lifecycle.step is Step.TRANSCRIBE:
            return
        if self.recordings.transcribed and not self.written.issuperset(Draft.names()):
            self._trigger(events.DraftingRequested, actor, recording_id=self.recordings.transcribed[-1].id)

    def record_analysis(self, actor: Actor, recording_id: UUID, analysis: Analysis) -> None:
        if self.awaits(Step.ANALYSE, recording_id):
            self._trigger(events.Analysed, actor, recording_id=recording_id, **vars(analysis))

    def propose_draft(self, actor: Actor, recording_id: UUID, draft: Draft) -> None:
        """Record a draft made from the recordings, and ask the holder for the fields that are still missing."""
        if not self.awaits(Step.DRAFT, recording_id):
            return
        proposal = {name: getattr(draft, name) for name in Draft.names() if name not in self.written}
        sources = tuple(
            structs.replace(source, recording_id=source.recording_id or recording_id)
            for source in draft.sources
            if source.field in proposal
        )
        facts = {"recording_id": recording_id, "sources": sources, "engine": draft.engine}
        self._trigger(events.DraftProposed, actor, **facts, **proposal)
        if missing := missing_fields(self.kind, self.draft):
            self._trigger(events.InfoRequested, actor, missing=missing)

    def fail_step(self, actor: Actor, step: Step, recording_id: UUID, fault: StepFailed) -> None:
        if not self.awaits(step, recording_id):
            return
        reason = {"code": fault.code, "message": fault.message, "retryable": fault.retryable}
        if step is Step.TRANSCRIBE:
            self._trigger(events.TranscriptionFailed, actor, recording_id=recording_id, **reason)
            # What may pass is tried again by the holder; silence would repeat, and does not hold up the others.
            if not fault.retryable:
                self._request_next_step()
        else:
            self._trigger(events.DraftingFailed, actor, recording_id=recording_id, step=step, **reason)

    def edit_draft(self, actor: Actor, changes: Mapping[str, object]) -> None:
        """Write the fields named in `changes`, where None clears a field; an edit without effect is not recorded."""
        changed = {name for name, value in changes.items() if getattr(self.draft, name) != value}
        # A field that is written for the first time is recorded too: from now on no proposal changes it.
        recorded = tuple(name for name in changes if name in changed or name not in self.written)
        if recorded:
            fields = {name: changes[name] for name in recorded}
            sources = unchanged_sources(self.draft, fields, actor)
            self._trigger(events.DraftEdited, actor, changed=recorded, sources=sources, **fields)

    def restore_draft(self, actor: Actor, earlier: Draft) -> None:
        """Write what an earlier draft has otherwise; what was said or written by others stays theirs."""
        fields = {name: getattr(earlier, name) for name in Draft.names()}
        changed = {name: value for name, value in fields.items() if value != getattr(self.draft, name)}
        if changed:
            sources = unchanged_sources(earlier, changed, actor)
            self._trigger(events.DraftEdited, actor, changed=tuple(changed), sources=sources, **changed)

    def provide_info(self, actor: Actor, changes: Mapping[str, object]) -> None:
        if self.lifecycle.base is not ContentStatus.NEEDS_INFO:
            raise RefusedError("No information is requested at the moment.")
        self.edit_draft(actor, changes)

    @property
    def default_currency(self) -> str:
        """The currency of amounts of which nobody says it."""
        return self.opening_currency or DEFAULT_CURRENCY

    def goal_of(self, amount: Decimal | str | int | None, currency: str | None) -> Money | None:
        """Return the goal with this amount and currency, where None keeps the present one; or AmountError."""
        present = self.draft.goal
        if amount is None and present is None:
            return None
        currency = currency or (present.currency if present else self.draft.currency) or self.default_currency
        return checked_goal(amount if amount is not None else present.major if present else 0, currency)

    def decide_findings(self, actor: Actor, review: SafetyReview, decisions: Mapping[str, FindingDecision]) -> None:
        """Record decisions on findings of the draft by their ids, and take out of it what is to be removed."""
        for found in {found.id: found for found in review.findings}.values():
            if (decision := decisions.get(found.id)) and decision != self.decisions.get(found.id):
                fields = {"kind": found.kind, "decision": decision, "text": found.text}
                self._trigger(events.FindingDecided, actor, finding_id=found.id, **fields)
        removed = [found for found in review.findings if decisions.get(found.id) is FindingDecision.REMOVE]
        self.edit_draft(actor, without(self.draft, removed, review.suggested_title))

    def post_update(self, actor: Actor, update_id: UUID, text: str) -> None:
        """Add an update to the page; a repeated id adds none."""
        if not self.lifecycle.published:
            raise RefusedError("The page is not published yet. Publish it first; then you can post updates.")
        if update_id in self.update_ids:
            return
        if len(self.update_ids) >= MOST_UPDATES:
            raise RefusedError(f"A page has at most {MOST_UPDATES} updates. Remove an old one first.")
        self._trigger(events.UpdatePosted, actor, update_id=update_id, text=text)

    def thank_donors(self, actor: Actor, thanks_id: UUID, text: str) -> None:
        """Thank everybody who gave; a repeated id does nothing."""
        self._refuse_if_suspended()
        if thanks_id in self.thanks:
            return
        if len(self.thanks) >= MOST_THANKS:
            raise RefusedError(f"You can say thanks {MOST_THANKS} times.")
        self._trigger(events.DonorsThanked, actor, thanks_id=thanks_id, text=text)

    def remove_update(self, actor: Actor, update_id: UUID) -> None:
        if update_id not in self.update_ids:
            raise NotFoundError("There is no such update.")
        self._trigger(events.UpdateRemoved, actor, update_id=update_id)

    def suspend(self, actor: Actor, reason: str) -> None:
        """Take the page down; of a suspended ticket only a new reason is recorded."""
        if not self.lifecycle.suspended or reason != self.suspension_reason:
            self._trigger(events.TicketSuspended, actor, reason=reason)

    def reinstate(self, actor: Actor) -> None:
        """End the suspension: a page that is still published is visible again."""
        if self.lifecycle.suspended:
            self._trigger(events.TicketReinstated, actor)

    def refund_all(self, actor: Actor, run_id: UUID, reason: str) -> None:
        """Have all gifts of the suspended page refunded; a repeated id changes nothing."""
        if run_id in self.refund_runs:
            return
        if not self.lifecycle.suspended:
            raise RefusedError("All gifts are refunded at once only on a suspended page. Suspend it first.")
        self._trigger(events.RefundAllRequested, actor, run_id=run_id, reason=reason)

    def require_open(self, *, published: bool = False) -> None:
        """NotFoundError or RefusedError unless the ticket may receive donations, and is published if that is asked."""
        if self.erased:
            raise NotFoundError("This ticket was erased.")
        self._refuse_if_suspended()
        if published and not self.lifecycle.published:
            raise NotFoundError("This page is not published.")

    def require_checkout_open(self, ticket_version: int) -> None:
        """NotFoundError or RefusedError if a checkout that was requested at this version may not be paid now."""
        self.require_open()
        if self.closes_checkout(ticket_version):
            raise TakenDownError("The page was taken down while the checkout was opened.")

    def closes_checkout(self, ticket_version: int) -> bool:
        """Return True if no checkout that was requested at this version of the ticket may be paid."""
        return self.closed_version > ticket_version

    def record_document(
        self,
        actor: Actor,
        document_id: UUID,
        type: DocumentType,
        format: DocumentFormat,
        content: Content,
        donation_id: UUID | None,
    ) -> None:
        if document_id not in self.recorded_ids:
            self._trigger(
                events.DocumentGenerated,
                actor,
                document_id=document_id,
                type=type,
                format=format,
                content=content,
                donation_id=donation_id,
            )

    def erase(self, actor: Actor) -> None:
        if not self.erased:
            self._trigger(events.Erased, actor)

    def announce_erasure(self, actor: Actor, erase_after: datetime, inactive_since: datetime) -> None:
        """Announce that the ticket will be erased unless a person uses it; once for each period of inactivity."""
        if self.erased or self.announced_erasure_time(inactive_since) is not None:
            return
        self._trigger(
            events.ErasureAnnounced,
            actor,
            erase_after=int(erase_after.timestamp()),
            inactive_since=int(inactive_since.timestamp()),
        )

    def announced_erasure_time(self, inactive_since: datetime) -> datetime | None:
        """Return when the ticket may be erased if that was announced for this period of inactivity, or None."""
        if self.erasure_announced is None or self.erasure_announced.inactive_since < int(inactive_since.timestamp()):
            return None
        return datetime.fromtimestamp(self.erasure_announced.erase_after, UTC)
