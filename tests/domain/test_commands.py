"""The commands with fakes for everything outside the domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, BinaryIO
from uuid import UUID

import pytest
from msgspec import structs

from domain.commands import Commands
from domain.commands.checkouts import checked_amount
from domain.commands.recordings import Upload, transcript_of
from domain.donations import donation_stream
from domain.errors import (
    AmountError,
    FaultCode,
    InvalidError,
    NotFoundError,
    RefusedError,
    StaleVersionError,
    StepFailed,
    UnavailableError,
)
from domain.events import CheckoutOpened, CheckoutRequested, PaymentReceived, TicketEvent
from domain.ports import Report
from domain.sheets import CampaignSheet, ReceiptSheet, TranscriptSheet
from domain.tickets import NewTicket
from domain.values import (
    STRIPE,
    SYSTEM,
    Actor,
    ContentStatus,
    DocumentFormat,
    DocumentType,
    Donor,
    Money,
    Role,
    Step,
    StripeReport,
    Transcript,
)
from tests.domain.facts import AUDIO, CONTACT, DOCUMENT, HOLDER, NEWER_RECORDING, RECORDING, TICKET
from tests.fakes.drafting import DRAFT, FakeAnalyser, FakeDrafter
from tests.fakes.outside import NOW, FakeCheckouts, FakePrinter, fake_commands
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber

OPENING = NewTicket(TICKET, "public", "abcdefghjkmn", CONTACT, "index", "Ada", "digest")
DONATION = UUID(int=77)
FIFTY = Money(5_000, "USD")


def opened(commands: Commands) -> Commands:
    commands.tickets.open(HOLDER, OPENING)
    return commands


def uploaded(commands: Commands, recording: UUID = RECORDING, sound: bytes = b"sound") -> Commands:
    commands.recordings.upload(HOLDER, TICKET, Upload(recording, BytesIO(sound), AUDIO, "story.webm"))
    return commands


def processing(**parts: Any) -> Commands:
    commands = uploaded(opened(fake_commands(**parts)))
    commands.recordings.process(HOLDER, TICKET)
    return commands


def run_all_steps(commands: Commands) -> Commands:
    for step in Step:
        commands.recordings.run_step(step, TICKET, RECORDING, lambda _: None)
    return commands


def history(commands: Commands, stream: UUID = TICKET) -> list[type[TicketEvent]]:
    events = commands.tickets.store.streams.events | commands.checkouts.donations.streams.events  # type: ignore[attr-defined]
    return [type(event) for event in events.get(stream, [])]


def test_the_same_ticket_is_opened_once():
    commands = opened(opened(fake_commands()))
    assert len(history(commands)) == 1
    assert commands.tickets.store.get(TICKET).contact == CONTACT


def test_a_command_for_an_unknown_ticket_is_refused():
    with pytest.raises(NotFoundError):
        fake_commands().tickets.rename(HOLDER, TICKET, "Grace")


def test_a_request_made_for_an_older_version_changes_nothing():
    commands = opened(fake_commands())
    commands.tickets.rename(HOLDER, TICKET, "Grace", if_match=1)
    for request in (
        lambda: commands.tickets.rename(HOLDER, TICKET, "Ada", if_match=1),
        lambda: commands.tickets.edit_draft(HOLDER, TICKET, {"title": "T"}, if_match=1),
        lambda: commands.tickets.publish(HOLDER, TICKET, consent=True, if_match=1),
    ):
        with pytest.raises(StaleVersionError):
            request()
    assert commands.tickets.store.get(TICKET).version == 2


# From a recording to a draft.


def test_a_recording_becomes_a_draft_step_by_step():
    commands = run_all_steps(processing())
    ticket = commands.tickets.store.get(TICKET)
    assert transcript_of(ticket, commands.recordings.contents, commands.recordings.transcripts) == TRANSCRIPT
    assert replace(ticket.draft, sources=()) == DRAFT
    assert {source.recording_id for source in ticket.draft.sources} == {RECORDING}
    assert ticket.lifecycle.status is ContentStatus.READY


def test_the_transcriber_gets_the_uploaded_recording():
    @dataclass
    class ByteRecordingTranscriber(FakeTranscriber):
        recording_bytes: bytes = b""

        def transcribe(self, recording: BinaryIO, report: Report, hints: Sequence[str] = ()) -> Transcript:
            self.recording_bytes = recording.read()
            return super().transcribe(recording, report, hints)

    transcriber = ByteRecordingTranscriber()
    run_all_steps(processing(transcriber=transcriber))
    assert transcriber.recording_bytes == b"sound"


def test_the_transcriber_gets_the_persons_name_and_words_of_the_kind_as_hints():
    transcriber = FakeTranscriber()
    run_all_steps(processing(transcriber=transcriber))
    [(name, *words)] = transcriber.hints
    assert name == "Ada"
    assert "fundraiser" in words


def test_a_repeated_step_is_not_run_again():
    analyser, drafter = FakeAnalyser(), FakeDrafter()
    commands = run_all_steps(run_all_steps(processing(analyser=analyser, drafter=drafter)))
    assert (len(analyser.transcripts), len(drafter.transcripts)) == (1, 1)
    assert len(history(commands)) == len(set(history(commands)))


def test_a_step_stops_when_a_newer_recording_is_uploaded():
    commands = processing()
    progress: list[float] = []

    def report(fraction: float) -> None:
        progress.append(fraction)
        uploaded(commands, NEWER_RECORDING, b"newer")

    commands.recordings.run_step(Step.TRANSCRIBE, TICKET, RECORDING, report)
    assert progress == [0.0]
    assert commands.tickets.store.get(TICKET).recordings.transcribed == ()


def test_a_step_on_a_ticket_that_is_erased_meanwhile_stores_no_content():
    commands = processing()
    commands.recordings.run_step(Step.TRANSCRIBE, TICKET, RECORDING, lambda _: commands.tickets.erase(HOLDER, TICKET))
    assert commands.recordings.contents.kept == {}  # type: ignore[attr-defined]
    assert commands.tickets.store.get(TICKET).erased


def test_a_failing_step_raises_and_records_nothing_by_itself():
    fault = StepFailed("away", "Later.", retryable=True)
    commands = processing(transcriber=FakeTranscriber(fault))
    before = history(commands)
    with pytest.raises(StepFailed):
        commands.recordings.run_step(Step.TRANSCRIBE, TICKET, RECORDING, lambda _: None)
    assert history(commands) == before
    commands.recordings.fail_step(Step.TRANSCRIBE, TICKET, RECORDING, fault)
    assert commands.tickets.store.get(TICKET).lifecycle.status is ContentStatus.ERROR
    commands.recordings.retry(HOLDER, TICKET)
    assert commands.tickets.store.get(TICKET).awaits(Step.TRANSCRIBE, RECORDING)


def test_a_ticket_without_a_recording_has_no_transcript():
    commands = opened(fake_commands())
    with pytest.raises(RefusedError):
        transcript_of(commands.tickets.store.get(TICKET), commands.recordings.contents, commands.recordings.transcripts)


# Writing.


def goal_after(*changes: dict[str, Any]) -> tuple[Money | None, str | None]:
    commands = opened(fake_commands())
    for change in changes:
        commands.tickets.edit_draft(HOLDER, TICKET, change)
    draft = commands.tickets.store.get(TICKET).draft
    return draft.goal, draft.currency


def test_amount_and_currency_together_make_the_goal():
    assert goal_after({"goal_amount": "1500"}) == (Money(150_000, "USD"), None)
    assert goal_after({"goal_amount": 1000, "currency": "JPY"}) == (Money(1_000, "JPY"), "JPY")
    assert goal_after({"currency": "EUR"}, {"goal_amount": 9}) == (Money(900, "EUR"), "EUR")
    assert goal_after({"goal_amount": 9}, {"currency": "EUR"}) == (Money(900, "EUR"), "EUR")
    assert goal_after({"goal_amount": 9}, {"goal_amount": None}) == (None, None)
    assert goal_after({"goal_amount": 9, "currency": "EUR"}, {"currency": None}) == (Money(900, "USD"), None)
    assert goal_after({"goal_amount": 9}, {"title": "T"}) == (Money(900, "USD"), None)


def test_an_invalid_goal_amount_is_refused_with_a_pointer_to_it():
    commands = opened(fake_commands())
    for amount in ("many", "1.234", "-1", 0):
        with pytest.raises(InvalidError) as refused:
            commands.tickets.edit_draft(HOLDER, TICKET, {"goal_amount": amount})
        assert refused.value.pointer == "/goalAmount"
    assert goal_after({"title": "T"}) == (None, None)


def test_a_goal_that_does_not_fit_the_new_currency_is_refused_with_a_pointer_to_it():
    with pytest.raises(InvalidError) as refused:
        goal_after({"goal_amount": "10.50"}, {"currency": "JPY"})
    assert refused.value.pointer == "/goalAmount"


# Documents.


def test_a_campaign_is_printed_with_the_address_of_its_page():
    printer = FakePrinter()
    commands = run_all_steps(processing(printer=printer))
    commands.documents.generate(HOLDER, TICKET, DOCUMENT, DocumentType.GOFUNDME_DRAFT, DocumentFormat.PDF, dated=NOW)
    [sheet] = printer.printed
    assert isinstance(sheet, CampaignSheet)
    assert (sheet.target_url, replace(sheet.draft, sources=())) == ("https://stories.example/d/abcdefghjkmn", DRAFT)
    assert b"CampaignSheet as pdf" in commands.recordings.contents.kept.values()  # type: ignore[attr-defined]


# The neighbor is nobody that the page is for, so the name and the number are findings.
ENDANGERING = {"title": "Help my neighbor John Smith", "story": "Call 555-123-4567. The roof fell in."}


def published_with_findings(**parts: Any) -> Commands:
    """Publish a campaign, then write into it what nobody has decided on."""
    commands = run_all_steps(processing(**parts))
    commands.tickets.publish(HOLDER, TICKET, consent=True)
    commands.tickets.edit_draft(HOLDER, TICKET, ENDANGERING)
    return commands


def test_the_documents_of_a_public_campaign_leave_out_what_its_page_leaves_out():
    printer = FakePrinter()
    commands = published_with_findings(printer=printer)
    gift(commands)
    paid(commands)
    print_out: Callable[[DocumentType], Any] = lambda type: commands.documents.generate(  # noqa: E731
        HOLDER, TICKET, DOCUMENT, type, DocumentFormat.PDF, dated=NOW, donation_id=DONATION
    )
    print_out(DocumentType.GOFUNDME_DRAFT)
    print_out(DocumentType.RECEIPT)
    campaign, receipt = printer.printed
    assert isinstance(campaign, CampaignSheet)
    assert isinstance(receipt, ReceiptSheet)
    assert campaign.draft.story == "Call […]. The roof fell in."
    assert "John Smith" not in f"{campaign.draft.title} {receipt.campaign_title}"
    commands.tickets.unpublish(HOLDER, TICKET)
    print_out(DocumentType.GOFUNDME_DRAFT)
    holders_own = printer.printed[-1]
    assert isinstance(holders_own, CampaignSheet)
    assert holders_own.draft.story == ENDANGERING["story"]


def test_a_checkout_names_nobody_on_whom_nobody_has_decided():
    checkouts = FakeCheckouts()
    commands = published_with_findings(checkouts=checkouts)
    gift(commands)
    [request] = checkouts.requests
    assert "John Smith" not in request.description
    assert request.description.startswith("Gift: ")


def test_a_repeated_document_request_records_the_document_once():
    commands = run_all_steps(processing())
    for _ in range(2):
        commands.documents.generate(HOLDER, TICKET, DOCUMENT, DocumentType.OTHER, DocumentFormat.DOCX, dated=NOW)
    assert [kind.TOPIC for kind in history(commands)].count("document_generated") == 1


def test_a_document_without_its_source_is_refused():
    commands = opened(fake_commands())
    for type in (DocumentType.GOFUNDME_DRAFT, DocumentType.OTHER):
        with pytest.raises(RefusedError):
            commands.documents.generate(HOLDER, TICKET, DOCUMENT, type, DocumentFormat.PDF, dated=NOW)
    with pytest.raises(InvalidError, match="donation"):
        commands.documents.generate(HOLDER, TICKET, DOCUMENT, DocumentType.RECEIPT, DocumentFormat.PDF, dated=NOW)


def test_a_transcript_is_printed_unchanged():
    printer = FakePrinter()
    commands = run_all_steps(processing(printer=printer))
    commands.documents.generate(HOLDER, TICKET, DOCUMENT, DocumentType.OTHER, DocumentFormat.DOCX, dated=NOW)
    [sheet] = printer.printed
    assert isinstance(sheet, TranscriptSheet)
    assert sheet.transcript == TRANSCRIPT


def test_a_receipt_needs_a_paid_gift():
    printer = FakePrinter()
    commands = opened(fake_commands(printer=printer))
    gift(commands)
    receipt: Callable[[], Any] = lambda: commands.documents.generate(  # noqa: E731
        HOLDER, TICKET, DOCUMENT, DocumentType.RECEIPT, DocumentFormat.PDF, dated=NOW, donation_id=DONATION
    )
    with pytest.raises(RefusedError):
        receipt()
    paid(commands)
    receipt()
    [sheet] = printer.printed
    assert isinstance(sheet, ReceiptSheet)
    assert (sheet.donor, sheet.amount, sheet.test) == ("Hopper", FIFTY, True)


def test_every_document_carries_the_newest_checkpoint():
    printer = FakePrinter()
    commands = run_all_steps(processing(printer=printer, checkpoint=lambda: "a signed note"))
    gift(commands)
    paid(commands)
    for type in DocumentType:
        commands.documents.generate(HOLDER, TICKET, DOCUMENT, type, DocumentFormat.PDF, dated=NOW, donation_id=DONATION)
    assert [sheet.checkpoint for sheet in printer.printed] == ["a signed note"] * len(DocumentType)


# Donations.


def gift(commands: Commands, amount: Money = FIFTY, description: str | None = None) -> Any:
    return commands.checkouts.open(Actor(Role.VISITOR), TICKET, DONATION, amount, description, "https://back.example/")


def paid(commands: Commands) -> None:
    fields = {
        "payment_intent_id": "pi_1",
        "amount": FIFTY,
        "report": StripeReport("evt_1", 1_700_000_000),
        "donor": Donor("Hopper"),
    }
    commands.checkouts.donations.change(TICKET, DONATION, lambda d: d.record(STRIPE, PaymentReceived, **fields))


def test_a_gift_is_recorded_before_stripe_is_called():
    checkouts = FakeCheckouts(away=True)
    commands = opened(fake_commands(checkouts=checkouts))
    with pytest.raises(UnavailableError):
        gift(commands)
    assert history(commands, donation_stream(TICKET, DONATION)) == [CheckoutRequested]
    checkouts.away = False
    assert gift(commands).session_id == f"cs_{DONATION.hex}"
    assert history(commands, donation_stream(TICKET, DONATION)) == [CheckoutRequested, CheckoutOpened]


def test_a_repeated_gift_request_opens_one_checkout():
    commands = opened(fake_commands())
    assert gift(commands) == gift(commands)
    assert history(commands, donation_stream(TICKET, DONATION)) == [CheckoutRequested, CheckoutOpened]


def test_a_gift_has_the_donors_description_or_else_the_campaigns_title():
    checkouts = FakeCheckouts()
    commands = opened(fake_commands(checkouts=checkouts))
    gift(commands)
    commands.tickets.edit_draft(HOLDER, TICKET, {"title": "A roof"})
    for donation, description in ((UUID(int=1), None), (UUID(int=2), "For Ada")):
        commands.checkouts.open(HOLDER, TICKET, donation, FIFTY, description, "https://back.example/")
    assert [request.description for request in checkouts.requests] == ["Gift", "Gift: A roof", "For Ada"]


def test_no_checkout_opens_for_an_erased_or_unknown_ticket():
    checkouts = FakeCheckouts()
    commands = fake_commands(checkouts=checkouts)
    with pytest.raises(NotFoundError):
        gift(commands)
    opened(commands).tickets.erase(HOLDER, TICKET)
    with pytest.raises(NotFoundError):
        gift(commands)
    assert checkouts.requests == []


@pytest.mark.parametrize(
    ("least", "most"),
    [
        (Money(100, "USD"), Money(500_000, "USD")),
        (Money(100, "EUR"), Money(500_000, "EUR")),
        (Money(100, "JPY"), Money(500_000, "JPY")),
        (Money(1_000, "KWD"), Money(5_000_000, "KWD")),
        (Money(10_000, "UGX"), Money(50_000_000, "UGX")),
    ],
)
def test_a_gift_is_neither_too_small_nor_too_large(least: Money, most: Money):
    assert checked_amount(least) == least
    assert checked_amount(most) == most
    for wrong in (structs.replace(least, minor=least.minor - 1), structs.replace(most, minor=most.minor + 1)):
        with pytest.raises(InvalidError) as refused:
            checked_amount(wrong)
        assert refused.value.pointer == "/amount"


@pytest.mark.parametrize("amount", ["ISK 500.50", "UGX 500.50", "KWD 1.005"])
def test_a_gift_has_only_the_decimals_that_stripe_charges(amount: str):
    checkouts = FakeCheckouts()
    commands = opened(fake_commands(checkouts=checkouts))
    currency, major = amount.split()
    with pytest.raises(AmountError) as refused:
        commands.checkouts.open(HOLDER, TICKET, UUID(int=9), Money.of(major, currency), None, "https://back.example/")
    assert (refused.value.pointer, refused.value.code) == ("/amount", FaultCode.TOO_MANY_DECIMALS)
    assert checkouts.requests == []
    assert all(event.TOPIC != "checkout_requested" for event in history(commands))
    assert checked_amount(Money.of(500, currency)) == Money.of(500, currency)


def test_a_gift_is_made_in_a_currency_that_stripe_supports():
    for currency in ("XXX", "usd", "BTC"):
        with pytest.raises(InvalidError) as refused:
            checked_amount(Money(5_000, currency))
        assert refused.value.pointer == "/currency"


# Erasure.


def test_erasure_destroys_stored_content_and_can_be_repeated():
    commands = run_all_steps(processing())
    commands.tickets.erase(HOLDER, TICKET)
    commands.tickets.erase(SYSTEM, TICKET)
    assert commands.recordings.contents.kept == {}  # type: ignore[attr-defined]
    assert [kind.TOPIC for kind in history(commands)].count("erased") == 1


def test_an_interrupted_erasure_is_completed_when_it_is_requested_again():
    commands = run_all_steps(processing())
    commands.tickets.store.change(TICKET, lambda ticket: ticket.erase(HOLDER))
    assert commands.recordings.contents.kept != {}  # type: ignore[attr-defined]
    commands.tickets.erase(HOLDER, TICKET)
    assert commands.recordings.contents.kept == {}  # type: ignore[attr-defined]
