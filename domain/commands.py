"""What may be asked of us, in the imperative: each loads, decides, and records what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID

from domain.donations import Donation
from domain.errors import (
    AmountError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StaleVersionError,
    StepFailed,
    Superseded,
)
from domain.ports import (
    Analyser,
    AudioInspector,
    CampaignSheet,
    CheckoutRequest,
    Checkouts,
    Drafter,
    Printer,
    ReceiptSheet,
    Report,
    Sheet,
    Transcriber,
    TranscriptSheet,
)
from domain.stores import Contents, Donations, Forgetting, Tickets, Transcripts
from domain.tickets import DEFAULT_CURRENCY, RecordingTicket
from domain.values import (
    CURRENCIES,
    SYSTEM,
    Actor,
    AudioFacts,
    Contact,
    Content,
    DocumentFormat,
    DocumentType,
    Kind,
    Money,
    Step,
    Transcript,
    decimals,
)


@dataclass(frozen=True)
class Opening:
    """A ticket about to be opened: the ids are made by the caller, so that asking twice opens one ticket."""

    ticket_id: UUID
    workspace: str
    slug: str
    contact: Contact
    contact_index: str
    display_name: str | None
    token_digest: str


@dataclass(frozen=True)
class Upload:
    """A recording that was inspected and found fit, open at its beginning."""

    recording_id: UUID
    source: BinaryIO
    facts: AudioFacts
    file_name: str | None


@dataclass(frozen=True)
class Checkout:
    """A page at Stripe where one gift can be paid."""

    donation_id: UUID
    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True)
class GeneratedDocument:
    document_id: UUID
    type: DocumentType
    format: DocumentFormat
    content: Content


def smallest_gift(currency: str) -> Money:
    return Money.of(100 if decimals(currency) == 0 else 1, currency)


def largest_gift(currency: str) -> Money:
    return Money.of(500_000 if decimals(currency) == 0 else 5_000, currency)


def checked_gift(amount: Money) -> Money:
    """The amount, if it is one that may be given; InvalidError otherwise."""
    if amount.currency not in CURRENCIES:
        raise InvalidError("not a currency that gifts can be made in", "/currency")
    least, most = smallest_gift(amount.currency), largest_gift(amount.currency)
    if not least.minor <= amount.minor <= most.minor:
        raise InvalidError(f"must be from {least.major} to {most.major} {amount.currency}", "/amount")
    return amount


@dataclass(frozen=True)
class Commands:
    tickets: Tickets
    donations: Donations
    contents: Contents
    forgetting: Forgetting
    transcripts: Transcripts
    inspector: AudioInspector
    transcriber: Transcriber
    analyser: Analyser
    drafter: Drafter
    printer: Printer
    checkouts: Checkouts
    page_url: Callable[[str], str]
    new_id: Callable[[], UUID]
    now: Callable[[], datetime]
    sandbox: bool
    # The newest signed checkpoint of the whole history, which is printed on what people are handed.
    checkpoint: Callable[[], str | None]

    # The person and their page.

    def open_ticket(self, actor: Actor, opening: Opening) -> None:
        self.tickets.add(RecordingTicket.open(actor, kind=Kind.CAMPAIGN, **vars(opening)))

    def rename(self, actor: Actor, ticket_id: UUID, display_name: str | None, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.rename(actor, display_name), if_match)

    def edit_draft(
        self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any], if_match: int | None = None
    ) -> None:
        """Write the draft's fields; `goal_amount` and `currency` together make the goal, None clears."""
        self.tickets.change(ticket_id, lambda t: t.edit_draft(actor, _with_goal(t, changes)), if_match)

    def provide_info(
        self, actor: Actor, ticket_id: UUID, changes: Mapping[str, Any], if_match: int | None = None
    ) -> None:
        self.tickets.change(ticket_id, lambda t: t.provide_info(actor, _with_goal(t, changes)), if_match)

    def publish(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.publish(actor), if_match)

    def unpublish(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.unpublish(actor), if_match)

    def erase(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        """Make a person unreadable: with the fact the key is destroyed, and what is left to remove is removed then."""
        self.forgetting.set_apart(ticket_id)
        self.tickets.change(ticket_id, lambda ticket: ticket.erase(actor), if_match)
        self.forgetting.forget(ticket_id)

    # From a recording to a draft.

    def upload(self, actor: Actor, ticket_id: UUID, upload: Upload, if_match: int | None = None) -> Content:
        return self._keep(
            ticket_id,
            upload.source,
            lambda t, content: t.upload(actor, upload.recording_id, content, upload.facts, upload.file_name),
            if_match,
        )

    def process(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.process(actor), if_match)

    def retry(self, actor: Actor, ticket_id: UUID, if_match: int | None = None) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.retry(actor), if_match)

    def work(self, step: Step, ticket_id: UUID, recording_id: UUID, report: Report) -> None:
        """Do one step on one recording, once: a step that is no longer awaited is left alone.

        A StepFailed comes out as it is: whoever runs the work knows whether to try again or to give up.
        """
        ticket = self.tickets.get(ticket_id)
        if not ticket.awaits(step, recording_id):
            return

        def reported(done: float) -> None:
            if not self.tickets.get(ticket_id).awaits(step, recording_id):
                raise Superseded("A newer recording took this one's place.")
            report(done)

        try:
            match step:
                case Step.TRANSCRIBE:
                    self._transcribe(ticket, recording_id, reported)
                case Step.ANALYSE:
                    self._analyse(ticket, recording_id)
                case Step.DRAFT:
                    self._draft(ticket, recording_id)
        except Superseded:
            return

    def give_up(self, step: Step, ticket_id: UUID, recording_id: UUID, fault: StepFailed) -> None:
        self.tickets.change(ticket_id, lambda ticket: ticket.fail_step(SYSTEM, step, recording_id, fault))

    def _transcribe(self, ticket: RecordingTicket, recording_id: UUID, report: Report) -> None:
        assert ticket.recording is not None
        with self.contents.open(ticket.id, ticket.recording.content) as recording:
            transcript = self.transcriber.transcribe(recording, report)
        told = {
            "transcription_id": self.new_id(),
            "language": transcript.language,
            "engine": transcript.engine,
        }
        self._keep(
            ticket.id,
            BytesIO(self.transcripts.dump(transcript)),
            lambda t, content: t.note_transcript(SYSTEM, recording_id, told | {"content": content}),
        )

    def _analyse(self, ticket: RecordingTicket, recording_id: UUID) -> None:
        analysis = self.analyser.analyse(self.transcript(ticket))
        self.tickets.change(ticket.id, lambda t: t.note_analysis(SYSTEM, recording_id, analysis))

    def _draft(self, ticket: RecordingTicket, recording_id: UUID) -> None:
        assert ticket.analysis is not None
        draft = self.drafter.draft(self.transcript(ticket), ticket.analysis)
        self.tickets.change(ticket.id, lambda t: t.propose_draft(SYSTEM, recording_id, draft))

    def transcript(self, ticket: RecordingTicket) -> Transcript:
        """The words of the ticket's latest transcribed recording; RefusedError if there is none yet."""
        if ticket.transcript is None:
            raise RefusedError("There is no transcript yet.")
        with self.contents.open(ticket.id, ticket.transcript) as stored:
            return self.transcripts.load(stored.read())

    def _keep(
        self,
        ticket_id: UUID,
        source: BinaryIO,
        note: Callable[[RecordingTicket, Content], None],
        if_match: int | None = None,
    ) -> Content:
        """Store all that `source` holds and note it in the ticket's history; of what is not noted nothing is kept.

        Somebody else may keep the very same bytes meanwhile, so whoever takes them back looks again afterwards, and
        whoever noted them sees that they are there.
        """
        if if_match is not None and self.tickets.get(ticket_id).version != if_match:
            raise StaleVersionError("The ticket has changed since you read it.")
        content = self.contents.keep(ticket_id, source)

        def decide(ticket: RecordingTicket) -> bool:
            note(ticket, content)
            return content in ticket.kept

        noted = False
        try:
            noted = self.tickets.change(ticket_id, decide, if_match)
        finally:
            if not noted:
                self._take_back(ticket_id, source, content)
        if not self.contents.has(ticket_id, content):
            self.contents.keep(ticket_id, source)
        return content

    def _take_back(self, ticket_id: UUID, source: BinaryIO, content: Content) -> None:
        if content in self.tickets.get(ticket_id).kept:
            return
        self.contents.discard(ticket_id, content)
        if content in self.tickets.get(ticket_id).kept:
            self.contents.keep(ticket_id, source)

    # Documents.

    def generate_document(
        self,
        actor: Actor,
        ticket_id: UUID,
        document_id: UUID,
        type: DocumentType,
        format: DocumentFormat,
        donation_id: UUID | None = None,
        if_match: int | None = None,
    ) -> GeneratedDocument:
        ticket = self.tickets.get(ticket_id)
        rendered = self.printer.render(self._sheet(ticket, type, donation_id), format)
        content = self._keep(
            ticket_id,
            BytesIO(rendered),
            lambda t, content: t.note_document(actor, document_id, type, format, content, donation_id),
            if_match,
        )
        return GeneratedDocument(document_id, type, format, content)

    def _sheet(self, ticket: RecordingTicket, type: DocumentType, donation_id: UUID | None) -> Sheet:
        language = ticket.analysis.language if ticket.analysis else None
        match type:
            case DocumentType.GOFUNDME_DRAFT:
                if ticket.draft.title is None and ticket.draft.story is None:
                    raise RefusedError("There is no draft to print yet.")
                return CampaignSheet(
                    ticket.draft,
                    ticket.display_name,
                    language,
                    self.page_url(ticket.slug),
                    self.now(),
                    self.checkpoint(),
                )
            case DocumentType.OTHER:
                return TranscriptSheet(self.transcript(ticket), ticket.display_name, self.now(), self.checkpoint())
            case DocumentType.RECEIPT:
                if donation_id is None:
                    raise InvalidError("a receipt names the donation it is for", "/donationId")
                donation = self.donations.get(ticket.id, donation_id)
                gift = donation.gift
                if gift.paid_at is None:
                    raise RefusedError("This donation was not paid, so there is nothing to receipt.")
                return ReceiptSheet(
                    donation_id=donation_id,
                    donor=gift.donor.last_name or "Anonymous",
                    amount=Money(gift.paid, donation.amount.currency),
                    refunded_minor=gift.refunded,
                    paid_at=datetime.fromtimestamp(gift.paid_at, UTC),
                    campaign_title=ticket.draft.title,
                    beneficiary=ticket.draft.beneficiary,
                    language=language,
                    test=self.sandbox,
                    dated=self.now(),
                    checkpoint=self.checkpoint(),
                )

    # Gifts.

    def open_checkout(
        self,
        actor: Actor,
        ticket_id: UUID,
        donation_id: UUID,
        amount: Money,
        description: str | None,
        return_url: str,
    ) -> Checkout:
        """A checkout for one gift: on record first, then asked of Stripe under the donation's own key.

        `return_url` is the page that the donor comes back to, paid or not.
        """
        ticket = self.tickets.get(ticket_id)
        if ticket.erased:
            raise NotFoundError("This ticket was erased.")
        # The same words however late Stripe is asked, and whatever the campaign is called by then.
        words = description or (f"Gift: {ticket.draft.title}" if ticket.draft.title else "Gift")
        self.donations.add(Donation.request_checkout(actor, ticket_id, donation_id, checked_gift(amount), words))
        return self.complete_checkout(ticket_id, donation_id, return_url=return_url, actor=actor)

    def complete_checkout(self, ticket_id: UUID, donation_id: UUID, *, return_url: str, actor: Actor) -> Checkout:
        """Ask Stripe for the checkout of a gift that is on record; the same one however often it is asked."""
        donation = self.donations.get(ticket_id, donation_id)
        request = CheckoutRequest(
            ticket_id,
            donation_id,
            donation.amount,
            donation.description or "Gift",
            return_url=f"{return_url}?thanks&session_id={{CHECKOUT_SESSION_ID}}",
            cancel_url=return_url,
        )
        try:
            opened = self.checkouts.open(request)
        except (InvalidError, RefusedError) as refusal:
            reason = str(refusal)
            self.donations.change(ticket_id, donation_id, lambda d: d.refuse_checkout(actor, reason))
            raise
        expires_at = int(opened.expires_at.timestamp())
        self.donations.change(
            ticket_id,
            donation_id,
            lambda d: d.open_checkout(actor, opened.session_id, expires_at, opened.livemode),
        )
        return Checkout(donation_id, opened.session_id, opened.url, opened.expires_at)


def _with_goal(ticket: RecordingTicket, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes with amount and currency made one goal, in the currency that the goal has or gets."""
    fields = {name: value for name, value in changes.items() if name != "goal_amount"}
    currency = fields.get("currency") or (DEFAULT_CURRENCY if "currency" in fields else None)
    if "goal_amount" in changes and changes["goal_amount"] is None:
        return fields | {"goal": None}
    try:
        goal = ticket.goal_of(changes.get("goal_amount"), currency)
    except AmountError as fault:
        raise InvalidError(str(fault), "/goalAmount") from None
    if goal != ticket.draft.goal or "goal_amount" in changes:
        fields["goal"] = goal
    return fields


def digest(secret: str) -> str:
    """What is stored of a secret that we made: enough to know it again, not to use it."""
    return hashlib.sha256(secret.encode()).hexdigest()
