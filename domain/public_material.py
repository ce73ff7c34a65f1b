"""The public part of a ticket: its publication, consents, photos, letters, and the person's voice."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from domain import events
from domain.approval import ApprovalState, require_approved
from domain.consent import USUAL_SCOPES, Consent
from domain.errors import AlreadyProcessing, FaultCode, InvalidError, NotFoundError, RefusedError, TakenDownError
from domain.lifecycle import require_publishable
from domain.safety import SafetyReview, UndecidedFindings
from domain.ticket_state import Attachment, Picture, TicketState
from domain.values import Actor, ConsentScope, FindingDecision
from domain.voice import Voice

MAX_ATTACHMENTS = 10
ENDANGERING_VOICE = (
    "What is said in this passage may endanger somebody once strangers hear it."
    " Choose another one, or keep what it says."
)


class PublicMaterial(TicketState):
    """The part of a ticket that decides what strangers may see."""

    def _refuse_if_suspended(self) -> None:
        if self.lifecycle.suspended:
            raise TakenDownError("This ticket is suspended.")

    # Consent and publication.

    def give_consent(self, actor: Actor, consent: Consent) -> None:
        self._trigger(events.ConsentGiven, actor, **vars(consent))

    def withdraw_consent(self, actor: Actor, scopes: Collection[ConsentScope]) -> None:
        """Take consents back; without the story nothing is left to publish, so the page is taken down.

        Without the recording the voice is removed, so that its sound is deleted.
        """
        may_end = set(scopes) - self.consents.withdrawn
        if withdrawn := tuple(scope for scope in ConsentScope if scope in may_end):
            self._trigger(events.ConsentWithdrawn, actor, scopes=withdrawn)
        if ConsentScope.RECORDING in scopes:
            self.remove_voice(actor)
        if ConsentScope.STORY in scopes:
            self.unpublish(actor)

    def publish(self, actor: Actor, consent: bool | None, review: SafetyReview, now: datetime) -> None:
        """Make the page public. `consent` gives story, name and place; None relies on the consents given before."""
        self._require_publishable(consent, review, now)
        if not self.lifecycle.published:
            given = None if consent else tuple(scope for scope in ConsentScope if scope in self.consents.valid(now))
            self._trigger(events.Published, actor, consent=True, scopes=given)
        elif consent and not self.consents.valid(now).issuperset(USUAL_SCOPES):
            self.give_consent(actor, Consent(USUAL_SCOPES))

    def publish_with(self, actor: Actor, consent: Consent, review: SafetyReview, now: datetime) -> None:
        """Make the page public with exactly these consents; what was agreed to before and is not among them ends."""
        self._give_exactly(actor, consent)
        self.publish(actor, None, review, now)

    def _give_exactly(self, actor: Actor, consent: Consent) -> None:
        self.give_consent(actor, consent)
        self.withdraw_consent(actor, self.consents.given.keys() - set(consent.scopes))

    def _require_publishable(self, consent: bool | None, review: SafetyReview, now: datetime) -> None:
        """Refuse what may not be published; `consent` is None if earlier consents are relied on."""
        require_consent(consent or (consent is None and ConsentScope.STORY in self.consents.valid(now)))
        self._refuse_if_suspended()
        require_publishable(self.kind, self.draft)
        if undecided := review.undecided(self.decisions):
            raise UndecidedFindings(undecided, self.decisions)

    def unpublish(self, actor: Actor) -> None:
        if self.lifecycle.published:
            self._trigger(events.Unpublished, actor)

    # Approval, where the workspace asks for it.

    def request_publication(self, actor: Actor, consent: bool | None, review: SafetyReview, now: datetime) -> None:
        """Ask that the page may be published as it is; `consent` is as for `publish`."""
        self._require_publishable(consent, review, now)
        if self.lifecycle.published:
            raise RefusedError("The page is public already.")
        if self.lifecycle.step is not None:
            raise AlreadyProcessing
        if consent and not self.consents.valid(now).issuperset(USUAL_SCOPES):
            self.give_consent(actor, Consent(USUAL_SCOPES))
        if self.approval is None or self.approval.state is ApprovalState.CHANGES_REQUESTED:
            self._trigger(events.PublicationRequested, actor)

    def request_publication_with(self, actor: Actor, consent: Consent, review: SafetyReview, now: datetime) -> None:
        """Ask that the page may be published with exactly these consents."""
        self._give_exactly(actor, consent)
        self.request_publication(actor, None, review, now)

    def approve(self, actor: Actor) -> None:
        """Allow to publish the page as it was when that was asked for; RefusedError if it has changed since."""
        self._refuse_if_suspended()
        state = self.approval.state if self.approval else None
        if state is ApprovalState.REQUESTED:
            self._trigger(events.Approved, actor)
        elif state is not ApprovalState.APPROVED:
            raise RefusedError("Nobody asks for an approval of this page, or it has changed since.")

    def request_changes(self, actor: Actor, note: str) -> None:
        """Say what is to be changed before the page is approved; an approval that was given ends."""
        if self.approval is None or self.lifecycle.published:
            raise RefusedError("Nobody asks for an approval of this page, or it has changed since.")
        if self.approval.state is not ApprovalState.CHANGES_REQUESTED or note != self.approval.note:
            self._trigger(events.ChangesRequested, actor, note=note)

    def require_approval(self) -> None:
        """ApprovalNeededError if the events that are not recorded yet make public what was not approved."""
        if self.lifecycle.published:
            new_events = [event for event in self.pending_events if isinstance(event, events.TicketEvent)]
            was_published = not any(isinstance(event, events.Published) for event in new_events)
            require_approved(self.approval, new_events, was_published=was_published)

    def end_consents(self, actor: Actor, now: datetime) -> None:
        """Take the page down if the consent to show the story has ended by itself."""
        if self.lifecycle.published and ConsentScope.STORY not in self.consents.valid(now):
            self._trigger(events.Unpublished, actor, consent_ended=True)

    def shown_scopes(self, now: datetime) -> frozenset[ConsentScope]:
        """Return what may be shown to others now: on a public page what was agreed to, before it what is not refused.

        Documents of a ticket that is not public are the holder's own copies.
        """
        return self.consents.valid(now) if self.lifecycle.public else self.consents.not_withdrawn(now)

    # Photos and letters.

    def attach(self, actor: Actor, attachment: Attachment) -> None:
        if attachment.id in self.recorded_ids:
            return
        if len(self.attachments) >= MAX_ATTACHMENTS:
            raise RefusedError(f"A ticket can have {MAX_ATTACHMENTS} photos and letters. Delete one first.")
        fields = {name: value for name, value in vars(attachment).items() if name != "id"}
        self._trigger(events.AttachmentAdded, actor, attachment_id=attachment.id, **fields)

    def delete_attachment(self, actor: Actor, attachment_id: UUID) -> None:
        """Delete a photo or a letter; the picture of the page is taken off the page with it."""
        self._attachment(attachment_id)
        if self.picture is not None and self.picture.attachment_id == attachment_id:
            self.remove_picture(actor)
        self._trigger(events.AttachmentDeleted, actor, attachment_id=attachment_id)

    def choose_picture(self, actor: Actor, picture: Picture) -> None:
        photo = self.attachments.get(picture.attachment_id)
        if photo is None or photo.small is None:
            raise InvalidError("is not a photo of this ticket", "/attachmentId", FaultCode.UNKNOWN_VALUE)
        if picture != self.picture:
            size = {"width": photo.width, "height": photo.height}
            self._trigger(events.PictureChosen, actor, content=photo.small, **size, **vars(picture))

    def remove_picture(self, actor: Actor) -> None:
        if self.picture is not None:
            self._trigger(events.PictureRemoved, actor)

    # The person's voice.

    def choose_voice(self, actor: Actor, voice: Voice, review: SafetyReview, *, keep_findings: bool) -> None:
        """Let strangers hear a passage, once the person agrees; with `keep_findings`, what it reveals is kept."""
        if undecided := review.undecided(self.decisions):
            if not keep_findings:
                raise UndecidedFindings(undecided, self.decisions, ENDANGERING_VOICE)
            for finding in {finding.id: finding for finding in undecided}.values():
                kept = {"kind": finding.kind, "decision": FindingDecision.KEEP, "text": finding.text}
                self._trigger(events.FindingDecided, actor, finding_id=finding.id, **kept)
        if voice != self.voice:
            self._trigger(events.VoiceChosen, actor, **vars(voice))

    def reword_voice(self, actor: Actor, text: str | None) -> None:
        """Show another text with the voice, or remove the voice if a part of it was left out of the transcript."""
        if self.voice is not None and text is None:
            self.remove_voice(actor)
        elif self.voice is not None and text != self.voice.text:
            self._trigger(events.VoiceChosen, actor, **vars(self.voice) | {"text": text})

    def remove_voice(self, actor: Actor) -> None:
        if self.voice is not None:
            self._trigger(events.VoiceRemoved, actor)

    def _attachment(self, attachment_id: UUID) -> Attachment:
        if attachment_id not in self.attachments:
            raise NotFoundError("There is no such attachment.")
        return self.attachments[attachment_id]


def require_consent(consent: bool) -> None:
    """InvalidError unless the holder agreed that the page is published."""
    if not consent:
        raise InvalidError("publishing needs the person's consent", "/consent", FaultCode.CONSENT_MISSING)
