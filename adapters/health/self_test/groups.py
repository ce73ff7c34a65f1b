"""The groups of the self-test by the names that its answer uses."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from adapters.health.self_test.context import SelfTestContext, expect
from adapters.health.self_test.support import knowledge_base, support_ticket
from adapters.ids import uuid7
from domain.donations import Donation
from domain.events import PaymentReceived, Refunded
from domain.safety import SafetyReview
from domain.tickets import RecordingTicket
from domain.values import (
    SYSTEM,
    Analysis,
    AudioFacts,
    Contact,
    ContactType,
    Content,
    ContentStatus,
    Donor,
    Draft,
    Money,
    Sentiment,
    Step,
    StripeReport,
    Urgency,
)
from projections import contact_index, donation_ledger, ticket_status

Group = Callable[[SelfTestContext], None]

WORDS = "These words were written by the self-test."
DRAFT = Draft(title="Self-test", story=WORDS, goal=Money(150_000, "USD"), beneficiary="Nobody")
RECORDING = Content("0" * 64, 1)
FACTS = AudioFacts("audio/webm", 1_000)


def health_check_run(context: SelfTestContext) -> None:
    """The watchdog's record can be written and read."""
    run = uuid7()
    with context.database.transaction() as cursor:
        cursor.execute("INSERT INTO health_checks (id, outcome, error) VALUES (%s, 'started', 'none')", (run,))
        cursor.execute("SELECT outcome, error, failures FROM health_checks WHERE id = %s", (run,))
        expect(cursor.fetchone() == ("started", "none", 0), "the record as it was written")


def profile_ticket(context: SelfTestContext) -> None:
    """A ticket is found by its current contact and not by an earlier one."""
    ticket = context.open_ticket()
    before, after = f"before {uuid7().hex}", f"after {uuid7().hex}"
    old_contact = Contact(ContactType.EMAIL, "known@example.com")
    new_contact = Contact(ContactType.PHONE, "+12025550123")
    context.tickets.change(ticket.id, lambda t: t.change_contact(SYSTEM, old_contact, before, "digest"))
    context.tickets.change(ticket.id, lambda t: t.change_contact(SYSTEM, new_contact, after, "newer digest"))
    expect(context.tickets.get(ticket.id).contact == new_contact, "the contact, opened again")
    context.project(ticket.id)
    with context.database.reading() as cursor:
        pages = [contact_index.tickets_of(cursor, [index], None, 10) for index in (before, after)]
    expect([[id for id, _ in page] for page in pages] == [[], [ticket.id]], "the ticket under its new contact")


def speech_intelligence(context: SelfTestContext) -> None:
    """A recording becomes a draft step by step, and its words are stored sealed."""
    ticket = context.open_ticket()
    recording = uuid7()
    analysis = Analysis("en", Sentiment.NEUTRAL, Urgency.LOW, (WORDS,))

    def upload_and_transcribe(t: RecordingTicket) -> None:
        t.upload(SYSTEM, recording, RECORDING, FACTS, "self-test.webm")
        t.process(SYSTEM)
        t.record_transcript(SYSTEM, recording, uuid7(), RECORDING, "en", "self-test")
        t.record_analysis(SYSTEM, recording, analysis)

    context.tickets.change(ticket.id, upload_and_transcribe)
    _report_progress(context, ticket.id, recording)
    context.tickets.change(ticket.id, lambda t: t.propose_draft(SYSTEM, recording, DRAFT))
    drafted = context.tickets.get(ticket.id)
    expect((drafted.analysis, drafted.draft) == (analysis, DRAFT), "analysis and draft, opened again")
    expect(drafted.lifecycle.status is ContentStatus.READY, "a draft with nothing missing")
    stored = context.log.stream(ticket.id)
    expect(all(WORDS.encode() not in entry.state for entry in stored), "the words stored sealed")


def _report_progress(context: SelfTestContext, ticket: UUID, recording: UUID) -> None:
    with context.database.transaction() as cursor:
        cursor.execute("INSERT INTO step_progress VALUES (%s, %s, %s, 0.5)", (ticket, recording, Step.DRAFT.value))
        cursor.execute("SELECT done FROM step_progress WHERE ticket_id = %s", (ticket,))
        expect(cursor.fetchone() == (0.5,), "the progress of the step")
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        expect(cursor.fetchone() is not None, "a queue that answers")


def recording_ticket(context: SelfTestContext) -> None:
    """A ticket is drafted, published and projected, and a version of its history can be recorded only once."""
    ticket = context.open_ticket()
    context.tickets.change(ticket.id, lambda t: t.upload(SYSTEM, uuid7(), RECORDING, FACTS, None))
    context.tickets.change(
        ticket.id, lambda t: t.edit_draft(SYSTEM, {n: getattr(DRAFT, n) for n in ("title", "story")})
    )
    rest = {name: getattr(DRAFT, name) for name in ("goal", "beneficiary")}
    context.tickets.change(ticket.id, lambda t: t.edit_draft(SYSTEM, rest))
    context.tickets.change(ticket.id, lambda t: t.publish(SYSTEM, True, SafetyReview(), datetime.now(UTC)))
    context.project(ticket.id)
    row = context.database.read(ticket_status.ticket, ticket.id)
    expect(row is not None and row["content_status"] is ContentStatus.PUBLISHED, "the ticket, published")
    events = list(context.log.ticket_events(ticket.id))
    first = events[0].position
    expect([e.position for e in events] == list(range(first, first + len(events))), "positions without a gap")
    RecordingTicket.rename(ticket, SYSTEM, "Somebody Else")
    [duplicate] = [context.mapper.to_stored_event(event) for event in ticket.collect_events()]
    expect(context.log.append([duplicate]) is None, "a version that is recorded only once")
    expect(context.log.append([replace(duplicate, originator_version=len(events) + 1)]) is not None, "the next version")


def donation_pipeline(context: SelfTestContext) -> None:
    """A Stripe event is stored once, and a gift with a refund has the right totals in the ledger."""
    ticket, donation, name = context.open_ticket(), uuid7(), f"selftest_{uuid7().hex}"
    report = StripeReport(f"evt_{name}", int(time.time()))
    event = {"id": report.event_id, "object": "event", "type": "charge.succeeded", "created": report.at}
    expect([context.inbox.accept_listed(event) for _ in range(2)] == [True, False], "an event that is stored once")
    amount = Money(5_000, "USD")
    context.donations.add(Donation.request_checkout(SYSTEM, ticket.id, donation, amount, WORDS))

    def paid(d: Donation) -> None:
        d.open_checkout(SYSTEM, f"cs_{name}", report.at + 3_600, livemode=False)
        donor = Donor("Nobody", "US", "0" * 64)
        d.record(SYSTEM, PaymentReceived, payment_intent_id=f"pi_{name}", amount=amount, report=report, donor=donor)
        back = {"refund_id": f"re_{name}", "amount": Money(2_000, "USD"), "state": "succeeded"}
        d.record(SYSTEM, Refunded, refunded_at=report.at, report=StripeReport(f"evt_r{name}", report.at), **back)

    context.donations.change(ticket.id, donation, paid)
    context.project(ticket.id)
    with context.database.transaction() as cursor:
        cursor.execute("INSERT INTO stripe_links VALUES (%s, %s, %s)", (f"pi_{name}", ticket.id, donation))
        [total] = donation_ledger.totals(cursor, ticket.id)
        row = donation_ledger.donation(cursor, donation)
    expect((total["paid"], total["refunded"]) == (5_000, 2_000), "totals to the cent")
    expect(row is not None and row["status"] == "PAID", "the gift, paid")


GROUPS: Mapping[str, Group] = {
    "HealthCheckRun": health_check_run,
    "SupportTicket": support_ticket,
    "ProfileTicket": profile_ticket,
    "SpeechIntelligence": speech_intelligence,
    "RecordingTicket": recording_ticket,
    "DonationPipeline": donation_pipeline,
    "KnowledgeBase": knowledge_base,
}
