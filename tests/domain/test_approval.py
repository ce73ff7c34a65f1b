"""A workspace approves pages before they are public: for the page as it was, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as given_any

from domain import events
from domain.approval import Approval, ApprovalNeededError, ApprovalState
from domain.commands import Commands
from domain.consent import Consent
from domain.errors import AlreadyProcessing, DomainError, InvalidError, RefusedError, TakenDownError
from domain.safety import SafetyReview
from domain.tickets import RecordingTicket
from domain.values import Actor, ConsentScope, Role
from tests.domain.facts import (
    COMPLETE,
    DRAFTED,
    HOLDER,
    RECORDED_AT,
    SOUND,
    TICKET,
    TRANSCRIBING,
    WRITTEN,
    Fact,
    fact,
    given,
    new_facts,
)
from tests.fakes.outside import fake_commands
from tests.fakes.requests import TicketRequest, histories

MANAGER = Actor(Role.MEMBER, "0198")
NOTE = "Leave out the name of the street."
USUAL = (ConsentScope.STORY, ConsentScope.NAME, ConsentScope.PLACE)
AGREED = (*WRITTEN, fact(events.ConsentGiven, scopes=USUAL, how="typed"))
ASKED = (*AGREED, fact(events.PublicationRequested))
APPROVED = (*ASKED, fact(events.Approved, actor=MANAGER))
NOTHING_FOUND = SafetyReview()


def request(ticket: RecordingTicket, consent: bool | None = None) -> None:
    ticket.request_publication(HOLDER, consent, NOTHING_FOUND, RECORDED_AT)


def state_of(*facts: Fact) -> ApprovalState | None:
    approval = given(*facts).approval
    return approval.state if approval else None


# The ticket decides.


def test_an_approval_is_asked_for_once_and_given_once():
    ticket = given(*AGREED)
    for _ in range(2):
        request(ticket)
    for _ in range(2):
        ticket.approve(MANAGER)
    request(ticket)
    assert new_facts(ticket) == [fact(events.PublicationRequested), fact(events.Approved, actor=MANAGER)]


def test_asking_with_consent_gives_the_usual_consents():
    ticket = given(*WRITTEN)
    request(ticket, consent=True)
    assert [change.kind for change in new_facts(ticket)] == [events.ConsentGiven, events.PublicationRequested]


@pytest.mark.parametrize(
    ("facts", "consent", "error"),
    [
        (WRITTEN, None, InvalidError),
        ((fact(events.ConsentGiven, scopes=USUAL, how="typed"),), None, RefusedError),
        ((*AGREED, fact(events.TicketSuspended)), None, TakenDownError),
        ((*AGREED, fact(events.Published)), None, RefusedError),
        ((*AGREED, *TRANSCRIBING), None, AlreadyProcessing),
    ],
)
def test_approval_of_a_page_that_could_not_be_published_is_not_requested(
    facts: tuple[Fact, ...], consent: bool | None, error: type[DomainError]
):
    ticket = given(*facts)
    with pytest.raises(error):
        request(ticket, consent)
    assert new_facts(ticket) == []


def test_a_manager_says_what_to_change_and_is_asked_again():
    ticket = given(*ASKED)
    for _ in range(2):
        ticket.request_changes(MANAGER, NOTE)
    with pytest.raises(RefusedError):
        ticket.approve(MANAGER)
    ticket.edit_draft(HOLDER, {"title": "A roof for Ada"})
    assert ticket.approval == Approval(ApprovalState.CHANGES_REQUESTED, frozenset(USUAL), NOTE)
    request(ticket)
    assert [change.kind for change in new_facts(ticket)] == [
        events.ChangesRequested,
        events.DraftEdited,
        events.PublicationRequested,
    ]


def test_an_approval_that_was_not_used_may_be_taken_back():
    ticket = given(*APPROVED)
    ticket.request_changes(MANAGER, NOTE)
    assert ticket.approval is not None
    assert ticket.approval.state is ApprovalState.CHANGES_REQUESTED
    published = given(*APPROVED, fact(events.Published))
    with pytest.raises(RefusedError):
        published.request_changes(MANAGER, NOTE)


@pytest.mark.parametrize("decide", [lambda t: t.approve(MANAGER), lambda t: t.request_changes(MANAGER, NOTE)])
def test_nothing_is_decided_that_nobody_asked_for(decide: Callable[[RecordingTicket], None]):
    for facts in (WRITTEN, (*ASKED, fact(events.DraftEdited, changed=("title",), title="Another"))):
        with pytest.raises(RefusedError):
            decide(given(*facts))


CHANGES = [
    fact(events.DraftEdited, changed=("title",), title="Another"),
    fact(events.DraftProposed),
    fact(events.ProcessingRequested),
    fact(events.DisplayNameChanged),
    fact(events.PictureChosen, attachment_id=TICKET, content=SOUND, width=1, height=1, description="A roof"),
    fact(events.ConsentGiven, scopes=(ConsentScope.PHOTO,), how="typed"),
]
REMOVALS = [
    fact(events.PictureRemoved),
    fact(events.VoiceRemoved),
    fact(events.ConsentWithdrawn, scopes=(ConsentScope.NAME,)),
    fact(events.ConsentGiven, scopes=(ConsentScope.STORY,), how="typed"),
    fact(events.TicketSuspended),
    fact(events.DocumentGenerated),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind.__name__)
def test_a_change_of_what_is_shown_ends_the_request_and_the_approval(change: Fact):
    assert state_of(*ASKED, change) is None
    assert state_of(*APPROVED, change) is None


@pytest.mark.parametrize("change", REMOVALS, ids=lambda change: change.kind.__name__)
def test_a_change_that_only_removes_content_needs_no_new_approval(change: Fact):
    assert state_of(*ASKED, change) is ApprovalState.REQUESTED
    assert state_of(*APPROVED, change) is ApprovalState.APPROVED


def test_a_consent_that_was_taken_back_may_be_given_again():
    withdrawn = fact(events.ConsentWithdrawn, scopes=(ConsentScope.NAME,))
    again = fact(events.ConsentGiven, scopes=(ConsentScope.NAME,), how="typed")
    assert state_of(*APPROVED, withdrawn, again) is ApprovalState.APPROVED


def test_erasing_takes_the_note():
    assert state_of(*ASKED, fact(events.ChangesRequested, note=NOTE), fact(events.Erased)) is None


# The commands, in a workspace that approves pages and in one that does not.


def commands_with(*facts: Fact, approval: bool = True) -> Commands:
    commands = fake_commands(needs_approval=lambda workspace: approval and workspace == "public")
    store: Any = commands.tickets.store
    store.store.streams.events[TICKET] = given_events(*facts)
    return commands


def given_events(*facts: Fact) -> list[Any]:
    """Return the events of an opened ticket to which these facts happened."""
    recorded: list[Any] = []
    for version, past in enumerate((fact(events.TicketOpened), *facts), start=1):
        place: dict[str, Any] = {"originator_id": TICKET, "originator_version": version, "timestamp": RECORDED_AT}
        recorded.append(past.kind(**place, **past.fields))
    return recorded


def test_a_page_is_published_once_it_is_approved():
    commands = commands_with(*AGREED)
    with pytest.raises(ApprovalNeededError):
        commands.tickets.publish(HOLDER, TICKET)
    commands.approvals.request(HOLDER, TICKET)
    with pytest.raises(ApprovalNeededError):
        commands.tickets.publish(HOLDER, TICKET)
    commands.approvals.approve(MANAGER, TICKET)
    commands.tickets.publish(HOLDER, TICKET)
    commands.tickets.unpublish(HOLDER, TICKET)
    commands.tickets.publish(HOLDER, TICKET)
    assert commands.tickets.store.get(TICKET).lifecycle.public


def test_where_pages_are_free_nobody_asks():
    commands = commands_with(*AGREED, approval=False)
    with pytest.raises(RefusedError, match="need no approval"):
        commands.approvals.request(HOLDER, TICKET)
    commands.tickets.publish(HOLDER, TICKET)


def test_publishing_with_more_than_was_approved_is_refused():
    story = Consent((ConsentScope.STORY,))
    commands = commands_with(*WRITTEN)
    commands.approvals.request_with(HOLDER, TICKET, story)
    commands.approvals.approve(MANAGER, TICKET)
    for more in (
        lambda: commands.tickets.publish(HOLDER, TICKET, consent=True),
        lambda: commands.tickets.publish_with(HOLDER, TICKET, replace(story, scopes=USUAL)),
    ):
        with pytest.raises(ApprovalNeededError):
            more()
    commands.tickets.publish_with(HOLDER, TICKET, story)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.tickets.edit_draft(HOLDER, TICKET, {"title": "Another"}),
        lambda c: c.tickets.rename(HOLDER, TICKET, "Somebody else"),
        lambda c: c.tickets.give_consent(HOLDER, TICKET, Consent((ConsentScope.PHOTO,))),
        lambda c: c.recordings.process(HOLDER, TICKET),
    ],
)
def test_a_public_page_is_not_changed_without_a_new_approval(change: Callable[[Commands], None]):
    recorded = tuple(each for each in DRAFTED if each.kind is not events.DraftProposed)
    drafted = (*recorded, fact(events.DraftProposed))
    for facts in ((*drafted, *APPROVED, fact(events.Published)), (*drafted, *AGREED, fact(events.Published))):
        commands = commands_with(*facts)
        before = commands.tickets.store.get(TICKET).version
        with pytest.raises(ApprovalNeededError, match="Take it down to change it"):
            change(commands)
        assert commands.tickets.store.get(TICKET).version == before
        change(commands_with(*facts, approval=False))


def test_only_the_staff_posts_updates_on_an_approved_page():
    commands = commands_with(*APPROVED, fact(events.Published))
    with pytest.raises(RefusedError, match="staff"):
        commands.tickets.post_update(HOLDER, TICKET, TICKET, "The roof is back.")
    commands.tickets.post_update(MANAGER, TICKET, TICKET, "The roof is back.")
    commands.tickets.remove_update(HOLDER, TICKET, TICKET)


def test_a_person_may_always_show_less():
    commands = commands_with(*APPROVED, fact(events.Published))
    commands.tickets.withdraw_consent(HOLDER, TICKET, [ConsentScope.NAME])
    assert commands.tickets.store.get(TICKET).lifecycle.public
    commands.tickets.withdraw_consent(HOLDER, TICKET, [ConsentScope.STORY])
    assert not commands.tickets.store.get(TICKET).lifecycle.public


# Laws.


def shown(ticket: RecordingTicket) -> Any:
    """Return what strangers would see of the ticket, apart from what was taken off."""
    draft = replace(ticket.draft, sources=(), engine=None)
    return draft, ticket.display_name, ticket.decisions


@given_any(histories)
def test_in_a_workspace_with_approval_the_public_page_is_always_the_approved_one(requests: list[TicketRequest]):
    ticket = given(*WRITTEN)
    approved: Any = None
    events_so_far: list[Any] = []
    for each in requests:
        tried = replayed(events_so_far)
        if not each(tried):
            continue
        try:
            tried.require_approval()
        except DomainError:
            continue
        newly_approved = any(isinstance(event, events.Approved) for event in tried.pending_events)
        events_so_far += tried.collect_events()
        ticket = replayed(events_so_far)
        if newly_approved:
            approved = shown(ticket)
        if ticket.lifecycle.published:
            assert approved == shown(ticket)
            assert ticket.approval is not None
            assert ticket.consents.given.keys() <= ticket.approval.scopes


def replayed(changes: list[Any]) -> RecordingTicket:
    ticket: Any = given(*WRITTEN)
    for event in changes:
        ticket = event.mutate(ticket)
    assert isinstance(ticket, RecordingTicket)
    return ticket


@given_any(histories)
def test_an_approval_follows_a_request_and_a_request_needs_a_complete_draft(requests: list[TicketRequest]):
    ticket = given()
    is_requested = False
    for each in requests:
        before = ticket.approval
        each(ticket)
        for event in ticket.collect_events():
            if isinstance(event, events.PublicationRequested):
                is_requested = True
                assert all(getattr(ticket.draft, name) for name in ("title", "story", "goal", "beneficiary"))
            if isinstance(event, events.Approved):
                assert before is not None
                assert before.state is ApprovalState.REQUESTED
        assert ticket.approval is None or is_requested


def test_the_law_about_the_public_page_is_tried_with_a_published_one():
    ticket = given(*APPROVED)
    assert COMPLETE.title == ticket.draft.title
    ticket.publish(HOLDER, None, NOTHING_FOUND, RECORDED_AT)
    ticket.require_approval()
    assert ticket.lifecycle.public
