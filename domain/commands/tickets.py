"""Commands for a ticket, its draft and its page."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.commands.content_recorder import ContentRecorder
from domain.consent import Consent, shown_draft
from domain.errors import AmountError, FaultCode, InvalidError, StaleVersionError
from domain.ports import Clock, Contents, Erasure, SafetyReviewer, Tickets
from domain.public_material import require_consent
from domain.safety import SafetyReview
from domain.tickets import NewTicket, RecordingTicket
from domain.values import SYSTEM, Actor, ConsentScope, Draft, FindingDecision


@dataclass(frozen=True)
class TicketCommands:
    store: Tickets
    erasure: Erasure
    safety: SafetyReviewer
    contents: Contents
    now: Clock

    def open(self, actor: Actor, new_ticket: NewTicket) -> None:
        self.store.add(RecordingTicket.open(actor, new_ticket))

    def rename(self, actor: Actor, ticket_id: UUID, display_name: str | None, if_match: int | None = None) -> None:
        self.store.change(ticket_id, lambda ticket: ticket.rename(actor, display_name), if_match)

    def edit_draft(
        self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any], if_match: int | None = None
    ) -> None:
        """Write the draft's fields; `goal_amount` and `currency` together make the goal, and None clears a field."""
        self.store.change(ticket_id, lambda ticket: ticket.edit_draft(actor, _with_goal(ticket, changes)), if_match)

    def answer(self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any], seen: int) -> None:
        """Edit the draft as `edit_draft` does. The editor has read the version `seen`.

        StaleVersionError if one of them has become something else since. A change of other fields is no conflict.
        """
        try:
            before = self.store.at(ticket_id, seen).draft
        except InvalidError:
            raise StaleVersionError("The ticket never had this version.") from None

        def decide(ticket: RecordingTicket) -> None:
            fields = _with_goal(ticket, changes)
            for name, value in fields.items():
                if getattr(ticket.draft, name) not in (getattr(before, name), value):
                    raise StaleVersionError("Somebody else has written this since you read it.")
            ticket.edit_draft(actor, fields)

        self.store.change(ticket_id, decide)

    def restore_draft(self, actor: Actor, ticket_id: UUID, version: int, if_match: int | None = None) -> None:
        """Write the draft as it was at an earlier version of the ticket."""
        earlier = self.store.at(ticket_id, version).draft
        self.store.change(ticket_id, lambda ticket: ticket.restore_draft(actor, earlier), if_match)

    def provide_info(
        self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any], if_match: int | None = None
    ) -> None:
        self.store.change(ticket_id, lambda ticket: ticket.provide_info(actor, _with_goal(ticket, changes)), if_match)

    def decide_findings(
        self,
        actor: Actor,
        ticket_id: UUID,
        decisions: Mapping[str, FindingDecision],
        if_match: int | None = None,
    ) -> None:
        """Record a person's decisions on findings by their ids, and remove what is not to be published."""

        def decide(ticket: RecordingTicket) -> None:
            review = self._review(ticket)
            present = {finding.id for finding in review.findings}
            for index, finding_id in enumerate(decisions):
                if finding_id not in present:
                    detail = "is not a finding of the present draft"
                    raise InvalidError(detail, f"/decisions/{index}/id", FaultCode.UNKNOWN_VALUE)
            ticket.decide_findings(actor, review, decisions)

        self.store.change(ticket_id, decide, if_match)

    def publish(
        self, actor: Actor, ticket_id: UUID, *, consent: bool | None = None, if_match: int | None = None
    ) -> None:
        """Make the page public; InvalidError without the holder's consent, whatever state the ticket is in.

        With `consent` None, the consents that were given before are what the page shows.
        """
        if consent is not None:
            require_consent(consent)
        self.store.change(
            ticket_id,
            lambda ticket: ticket.publish(actor, consent, self._review(ticket), self.now()),
            if_match,
        )

    def publish_with(self, actor: Actor, ticket_id: UUID, consent: Consent, if_match: int | None = None) -> None:
        """Record the consents and make the page public with exactly these, in one step."""
        require_consent(ConsentScope.STORY in consent.scopes)
        ContentRecorder(self.store, self.contents).change(
            ticket_id,
            lambda ticket: ticket.publish_with(actor, consent, self._review(ticket), self.now()),
            if_match,
        )

    def give_consent(self, actor: Actor, ticket_id: UUID, consent: Consent, if_match: int | None = None) -> None:
        self.store.change(ticket_id, lambda ticket: ticket.give_consent(actor, consent), if_match)

    def withdraw_consent(
        self, actor: Actor, ticket_id: UUID, scopes: Collection[ConsentScope], if_match: int | None = None
    ) -> None:
        """Take consents back: what they allowed is shown nowhere from now on."""
        recorder = ContentRecorder(self.store, self.contents)
        recorder.change(ticket_id, lambda ticket: ticket.withdraw_consent(actor, scopes), if_match)

    def end_consents(self, ticket_id: UUID, now: datetime) -> None:
        """Take the page down and close its checkouts if the time of the consent to the story is over."""
        self.store.change(ticket_id, lambda ticket: ticket.end_consents(SYSTEM, now))

    def unpublish(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.store.change(ticket_id, lambda ticket: ticket.unpublish(actor), if_match)

    def post_update(self, actor: Actor, ticket_id: UUID, update_id: UUID, text: str) -> None:
        """Add an update to the published page; InvalidError if its text may endanger somebody."""

        def post(ticket: RecordingTicket) -> None:
            if found := self.safety.review(Draft(story=text), ticket.display_name).findings:
                kinds = ", ".join(dict.fromkeys(finding.kind.replace("_", " ") for finding in found))
                detail = f"may endanger somebody once it is public; take out what it says of: {kinds}"
                raise InvalidError(detail, "/text", FaultCode.INVALID)
            ticket.post_update(actor, update_id, text)

        self.store.change(ticket_id, post)

    def thank_donors(self, actor: Actor, ticket_id: UUID, thanks_id: UUID, text: str) -> None:
        """Send the holder's thanks to everybody who gave and left an address, once for each donor and text."""
        self.store.change(ticket_id, lambda ticket: ticket.thank_donors(actor, thanks_id, text))

    def remove_update(self, actor: Actor, ticket_id: UUID, update_id: UUID) -> None:
        self.store.change(ticket_id, lambda ticket: ticket.remove_update(actor, update_id))

    def suspend(self, actor: Actor, ticket_id: UUID, reason: str, if_match: int | None = None) -> None:
        """Take the page down, close its checkouts and refuse new ones; the ledger goes on."""
        self.store.change(ticket_id, lambda ticket: ticket.suspend(actor, reason), if_match)

    def reinstate(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.store.change(ticket_id, lambda ticket: ticket.reinstate(actor), if_match)

    def erase(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        """Erase the holder's personal data: recording the event destroys the key, and then the rest is deleted."""
        self.erasure.prepare(ticket_id)
        self.store.change(ticket_id, lambda ticket: ticket.erase(actor), if_match)
        self.erasure.complete(ticket_id)

    def finish_erasure(self, ticket_id: UUID) -> None:
        """Delete the personal data of an erased ticket again, in case the first time was interrupted."""
        self.erasure.complete(ticket_id)
        self.erasure.forget(ticket_id)

    def _review(self, ticket: RecordingTicket) -> SafetyReview:
        return self.safety.review(ticket.draft, ticket.display_name)


def public_draft(ticket: RecordingTicket, reviewer: SafetyReviewer, now: datetime) -> Draft:
    """Return the ticket's draft as strangers see it, on the page and in everything else that goes to them."""
    reviewed = reviewer.review(ticket.draft, ticket.display_name).public_draft(ticket.draft, ticket.decisions)
    return shown_draft(reviewed, ticket.display_name, ticket.shown_scopes(now))


def _with_goal(ticket: RecordingTicket, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes with amount and currency combined into one goal, in the goal's present or new currency."""
    fields = {name: value for name, value in changes.items() if name != "goal_amount"}
    currency = fields.get("currency") or (ticket.default_currency if "currency" in fields else None)
    if "goal_amount" in changes and changes["goal_amount"] is None:
        return fields | {"goal": None}
    try:
        goal = ticket.goal_of(changes.get("goal_amount"), currency)
    except AmountError as error:
        raise InvalidError(error.detail, "/goalAmount", error.code) from None
    if goal != ticket.draft.goal or "goal_amount" in changes:
        fields["goal"] = goal
    return fields
