"""Notes of the staff about a ticket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.desk import LONGEST_LABEL, MOST_LABELS, MOST_NOTES, Desk
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.events import (
    DeskOpened,
    DueDateCleared,
    DueDateSet,
    DueReminderSent,
    LabelsChanged,
    NoteAdded,
    TicketAssigned,
    TicketUnassigned,
)
from domain.members import MemberRole
from domain.tickets import NewTicket, RecordingTicket
from domain.values import SYSTEM, Actor, Contact, ContactType, Role
from domain.workspaces import Workspace
from tests.domain.facts import TICKET
from tests.fakes.outside import fake_commands
from tests.fakes.stores import MemoryDesks, MemoryTickets, MemoryWorkspaces

STAFF = Actor(Role.ADMIN, "018f0000-0000-7000-8000-0000000000ad")
GRACE, ALAN = UUID(int=21), UUID(int=22)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def desk() -> Desk:
    desk = Desk.open(STAFF, TICKET, "shelter")
    desk.collect_events()
    return desk


def noted(desk: Desk) -> list[tuple[type, Any]]:
    """Return the type and the first field of the facts that requests triggered."""
    names = ("labels", "assignee", "due_at", "text")
    return [
        (type(event), next((getattr(event, name) for name in names if hasattr(event, name)), None))
        for event in desk.collect_events()
    ]


def test_labels_are_a_set_in_alphabetical_order(desk: Desk):
    desk.set_labels(STAFF, ["roof", "  Call   back ", "ROOF", "cafe\u0301"])
    assert noted(desk) == [(LabelsChanged, ("café", "Call back", "roof"))]
    desk.set_labels(STAFF, ["Call back", "roof", "café"])
    assert noted(desk) == []
    desk.set_labels(STAFF, [])
    assert noted(desk) == [(LabelsChanged, ())]


@pytest.mark.parametrize(
    ("labels", "pointer"),
    [
        ([" "], "/labels/0"),
        (["a", "b" * (LONGEST_LABEL + 1)], "/labels/1"),
        (["a\x00b"], "/labels/0"),
        ([str(number) for number in range(MOST_LABELS + 1)], "/labels"),
    ],
)
def test_too_many_long_or_empty_labels_are_refused(desk: Desk, labels: list[str], pointer: str):
    with pytest.raises(InvalidError) as refused:
        desk.set_labels(STAFF, labels)
    assert refused.value.pointer == pointer


def test_one_member_takes_care_of_a_ticket(desk: Desk):
    desk.assign(STAFF, GRACE)
    desk.assign(STAFF, GRACE)
    desk.assign(STAFF, ALAN)
    desk.assign(STAFF, None)
    desk.assign(STAFF, None)
    assert noted(desk) == [(TicketAssigned, GRACE), (TicketAssigned, ALAN), (TicketUnassigned, None)]


def test_a_due_date_is_kept_to_the_second(desk: Desk):
    desk.set_due_date(STAFF, NOON + timedelta(milliseconds=3))
    desk.set_due_date(STAFF, NOON)
    desk.set_due_date(STAFF, None)
    assert noted(desk) == [(DueDateSet, int(NOON.timestamp())), (DueDateCleared, None)]


def test_the_assignee_is_reminded_once_for_each_due_date(desk: Desk):
    assert not desk.remind(SYSTEM, NOON)
    desk.set_due_date(STAFF, NOON)
    assert not desk.remind(SYSTEM, NOON)
    desk.assign(STAFF, GRACE)
    assert not desk.remind(SYSTEM, NOON - timedelta(seconds=1))
    assert desk.remind(SYSTEM, NOON)
    assert not desk.remind(SYSTEM, NOON)
    desk.set_due_date(STAFF, NOON + timedelta(days=1))
    assert desk.remind(SYSTEM, NOON + timedelta(days=1))
    assert [kind for kind, _ in noted(desk)].count(DueReminderSent) == 2


def test_a_note_is_added_once(desk: Desk):
    desk.add_note(STAFF, UUID(int=1), "Call back.")
    desk.add_note(STAFF, UUID(int=1), "Call back.")
    assert noted(desk) == [(NoteAdded, "Call back.")]


def test_a_ticket_has_a_bounded_number_of_notes(desk: Desk):
    for number in range(MOST_NOTES):
        desk.add_note(STAFF, UUID(int=number), "Again.")
    with pytest.raises(RefusedError):
        desk.add_note(STAFF, UUID(int=MOST_NOTES), "Again.")


# The commands.


class World:
    def __init__(self) -> None:
        self.tickets, self.desks = MemoryTickets(), MemoryDesks()
        self.workspaces = MemoryWorkspaces()
        self.commands = fake_commands(tickets=self.tickets, desks=self.desks, workspaces=self.workspaces)
        contact = Contact(ContactType.EMAIL, "ada@example.com")
        self.tickets.add(
            RecordingTicket.open(STAFF, NewTicket(TICKET, "shelter", "slug", contact, "index", "Ada", "digest"))
        )

    def join(self, member_id: UUID, role: MemberRole) -> None:
        def decide(workspace: Workspace) -> None:
            address = f"{member_id}@example.com"
            workspace.invite(SYSTEM, member_id, address, address, role, NOON)
            workspace.accept(member_id, [address], NOON)

        self.workspaces.change("shelter", decide)

    @property
    def facts(self) -> list[type]:
        return [type(event) for event in self.desks.streams.events.get(Desk.open(STAFF, TICKET, "").id, [])]


def test_the_first_note_opens_the_desk_and_the_ticket_keeps_its_version():
    world = World()
    world.join(GRACE, MemberRole.CASEWORKER)
    version = world.tickets.get(TICKET).version
    world.commands.desk.change(STAFF, TICKET, {"labels": ["roof"], "assignee": GRACE, "due_at": NOON})
    world.commands.desk.add_note(STAFF, TICKET, UUID(int=1), "Call back.")
    assert world.facts == [DeskOpened, LabelsChanged, TicketAssigned, DueDateSet, NoteAdded]
    ticket, desk = world.tickets.get(TICKET), world.desks.get(TICKET)
    assert (ticket.version, ticket.last_act) == (version, ticket.last_act)
    assert desk is not None
    assert (desk.workspace, desk.labels, desk.assignee, desk.due_at) == ("shelter", ("roof",), GRACE, NOON)


@pytest.mark.parametrize("role", [MemberRole.ACCOUNTANT, MemberRole.AUDITOR, None])
def test_a_member_who_does_not_work_with_stories_is_not_assigned(role: MemberRole | None):
    world = World()
    if role is not None:
        world.join(GRACE, role)
    with pytest.raises(InvalidError) as refused:
        world.commands.desk.change(STAFF, TICKET, {"assignee": GRACE})
    assert (refused.value.pointer, world.facts) == ("/assignee", [])


def test_the_assignee_of_a_ticket_that_is_due_gets_one_mail():
    world = World()
    world.commands.desk.remind(TICKET, NOON)
    world.join(GRACE, MemberRole.CASEWORKER)
    world.commands.desk.change(STAFF, TICKET, {"assignee": GRACE, "due_at": NOON})
    for now in (NOON - timedelta(seconds=1), NOON, NOON + timedelta(hours=1)):
        world.commands.desk.remind(TICKET, now)
    [mail] = world.desks.mails
    assert (mail.kind, mail.to, mail.ticket_id) == ("ticket_due", f"{GRACE}@example.com", TICKET)
    assert mail.key == f"due:{TICKET}:{int(NOON.timestamp())}:{GRACE}"
    assert mail.values == {
        "name": "",
        "due": NOON.isoformat(),
        "page": f"https://stories.example/desk/tickets/{TICKET}",
    }
    assert world.facts.count(DueReminderSent) == 1


def test_nobody_is_reminded_who_is_a_member_no_more():
    world = World()
    world.join(GRACE, MemberRole.CASEWORKER)
    world.join(ALAN, MemberRole.OWNER)
    world.commands.desk.change(STAFF, TICKET, {"assignee": GRACE, "due_at": NOON})
    world.workspaces.change("shelter", lambda workspace: workspace.remove(SYSTEM, GRACE))
    world.commands.desk.remind(TICKET, NOON)
    assert (world.desks.mails, world.facts.count(DueReminderSent)) == ([], 0)


def test_a_change_of_nothing_is_not_recorded():
    world = World()
    desk = world.commands.desk.change(STAFF, TICKET, {"labels": None, "assignee": None, "due_at": None})
    assert (desk.labels, desk.assignee, desk.due_at, world.facts) == ((), None, None, [])


def test_nothing_is_noted_about_an_erased_ticket():
    world = World()
    world.tickets.change(TICKET, lambda ticket: ticket.erase(STAFF))
    with pytest.raises(NotFoundError):
        world.commands.desk.add_note(STAFF, TICKET, UUID(int=1), "Call back.")
    assert world.facts == []
