"""A workspace: its members are invited, join, change roles and leave, and an owner always remains."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands.workspaces import Invitation, WorkspaceCommands
from domain.errors import DomainError, ForbiddenError, InvalidError, NotFoundError, RefusedError
from domain.members import MemberRole
from domain.organisations import (
    NO_RETENTION,
    Intake,
    Organisation,
    Publishing,
    RetentionPeriods,
    WorkspaceSettings,
)
from domain.values import SYSTEM, Actor, Contact, ContactType, Role
from domain.workspaces import Workspace
from tests.fakes.stores import MemoryRetention, MemoryWorkspaces

NOW = datetime.now(UTC)
OWNER, ADMIN, CASEWORKER, NEWCOMER = (UUID(int=number) for number in range(1, 5))


def member(member_id: UUID) -> Actor:
    return Actor(Role.MEMBER, str(member_id))


def address(member_id: UUID) -> str:
    return f"{member_id.int}@example.com"


def joined(workspace: Workspace, member_id: UUID, role: MemberRole) -> None:
    workspace.invite(SYSTEM, member_id, address(member_id), f"hash {member_id.int}", role, NOW)
    workspace.accept(member_id, [f"hash {member_id.int}"], NOW)


def commands_over(stores: MemoryWorkspaces) -> WorkspaceCommands:
    return WorkspaceCommands(stores, MemoryRetention(stores), "https://stories.example/desk")


@pytest.fixture
def workspace() -> Workspace:
    """Return a workspace with an owner, an admin and a caseworker."""
    workspace = Workspace.open(SYSTEM, "shelter")
    joined(workspace, OWNER, MemberRole.OWNER)
    joined(workspace, ADMIN, MemberRole.ADMIN)
    joined(workspace, CASEWORKER, MemberRole.CASEWORKER)
    return workspace


def invite(workspace: Workspace, actor: Actor, role: MemberRole, now: datetime = NOW, index: str = "hash") -> None:
    workspace.invite(actor, NEWCOMER, "new@example.com", index, role, now)


def test_an_invited_person_becomes_a_member_with_the_role_of_the_invitation(workspace: Workspace):
    invite(workspace, member(OWNER), MemberRole.ACCOUNTANT)
    assert [person.role for person in workspace.invitations(NOW)] == [MemberRole.ACCOUNTANT]
    workspace.accept(NEWCOMER, ["hash"], NOW)
    assert workspace.member(NEWCOMER).role is MemberRole.ACCOUNTANT
    assert workspace.invitations(NOW) == []


def test_only_the_invited_address_may_accept(workspace: Workspace):
    invite(workspace, member(OWNER), MemberRole.AUDITOR)
    with pytest.raises(NotFoundError):
        workspace.accept(NEWCOMER, ["another hash"], NOW)


def test_an_invitation_ends_after_seven_days(workspace: Workspace):
    invite(workspace, member(OWNER), MemberRole.AUDITOR)
    after = NOW + timedelta(days=7, seconds=1)
    assert workspace.invitations(after) == []
    with pytest.raises(NotFoundError):
        workspace.accept(NEWCOMER, ["hash"], after)


def test_a_revoked_invitation_cannot_be_accepted(workspace: Workspace):
    invite(workspace, member(OWNER), MemberRole.AUDITOR)
    workspace.revoke_invitation(member(ADMIN), NEWCOMER)
    with pytest.raises(NotFoundError):
        workspace.accept(NEWCOMER, ["hash"], NOW)


def test_another_invitation_of_an_address_replaces_the_first(workspace: Workspace):
    invite(workspace, member(OWNER), MemberRole.AUDITOR)
    workspace.invite(
        member(OWNER), UUID(int=5), "new@example.com", "newer", MemberRole.ADMIN, NOW, earlier_indexes=["hash"]
    )
    assert [person.id for person in workspace.invitations(NOW)] == [UUID(int=5)]


def test_a_member_cannot_be_invited_again(workspace: Workspace):
    with pytest.raises(RefusedError):
        invite(workspace, member(OWNER), MemberRole.AUDITOR, index=f"hash {ADMIN.int}")


def test_admins_manage_everybody_but_owners(workspace: Workspace):
    workspace.change_role(member(ADMIN), CASEWORKER, MemberRole.ACCOUNTANT)
    for forbidden in (
        lambda: invite(workspace, member(ADMIN), MemberRole.OWNER),
        lambda: workspace.change_role(member(ADMIN), ADMIN, MemberRole.OWNER),
        lambda: workspace.change_role(member(ADMIN), OWNER, MemberRole.ADMIN),
        lambda: workspace.remove(member(ADMIN), OWNER),
    ):
        with pytest.raises(ForbiddenError):
            forbidden()


def test_other_members_manage_nobody_but_may_leave(workspace: Workspace):
    for forbidden in (
        lambda: invite(workspace, member(CASEWORKER), MemberRole.AUDITOR),
        lambda: workspace.remove(member(CASEWORKER), ADMIN),
        lambda: workspace.change_role(member(CASEWORKER), CASEWORKER, MemberRole.ADMIN),
    ):
        with pytest.raises(ForbiddenError):
            forbidden()
    workspace.remove(member(CASEWORKER), CASEWORKER)
    with pytest.raises(NotFoundError):
        workspace.member(CASEWORKER)
    former = workspace.ever_member(CASEWORKER)
    assert former is not None
    assert former.email == address(CASEWORKER)


def test_a_former_member_may_do_nothing(workspace: Workspace):
    workspace.remove(member(OWNER), ADMIN)
    with pytest.raises(ForbiddenError):
        invite(workspace, member(ADMIN), MemberRole.AUDITOR)


PEOPLE = st.sampled_from([OWNER, ADMIN, CASEWORKER])
ROLES = st.sampled_from(MemberRole)


@given(st.lists(st.tuples(PEOPLE | st.none(), PEOPLE, ROLES | st.none()), max_size=12))
def test_a_workspace_keeps_an_owner_whatever_is_done(acts: list[tuple[UUID | None, UUID, MemberRole | None]]):
    workspace = Workspace.open(SYSTEM, "shelter")
    for person in (OWNER, ADMIN, CASEWORKER):
        joined(workspace, person, MemberRole.OWNER if person == OWNER else MemberRole.ADMIN)
    for actor_id, person, role in acts:
        actor = member(actor_id) if actor_id else SYSTEM
        try:
            if role is None:
                workspace.remove(actor, person)
            else:
                workspace.change_role(actor, person, role)
        except DomainError:
            continue
    assert any(each.role is MemberRole.OWNER for each in workspace.members())


def test_a_workspace_of_which_nothing_was_recorded_has_the_defaults():
    settings = Workspace.open(SYSTEM, "shelter").settings
    assert settings == WorkspaceSettings(
        "shelter", Organisation(), Intake.OPEN, Publishing.FREE, language=None, currency=None
    )


def test_changed_settings_leave_the_others_as_they_are():
    commands = commands_over(MemoryWorkspaces())
    commands.change_settings(SYSTEM, "shelter", {"organisation": {"legal_name": "Shelter e.V."}, "currency": "EUR"})
    commands.change_settings(SYSTEM, "shelter", {"title": "Shelter", "organisation": {"address": "Uferweg 3"}})
    assert commands.workspaces.get("shelter").settings == WorkspaceSettings(
        "Shelter", Organisation(legal_name="Shelter e.V.", address="Uferweg 3"), currency="EUR"
    )


def test_an_organisation_may_be_taken_away():
    commands = commands_over(MemoryWorkspaces())
    commands.change_settings(SYSTEM, "shelter", {"organisation": {"legal_name": "Shelter e.V."}, "language": "es"})
    commands.change_settings(SYSTEM, "shelter", {"organisation": None, "language": None})
    assert commands.workspaces.get("shelter").settings == WorkspaceSettings("shelter")


def test_settings_that_stay_the_same_are_not_recorded_again(workspace: Workspace):
    settings = WorkspaceSettings("Shelter", Organisation(contact="office@shelter.example"), Intake.INVITED)
    workspace.change_settings(member(ADMIN), settings)
    version = workspace.version
    workspace.change_settings(member(OWNER), settings)
    assert workspace.version == version


def test_a_retention_period_is_changed_alone_and_recorded_once():
    commands = commands_over(MemoryWorkspaces())
    for change, periods in (
        ({"ticket_days": 365}, RetentionPeriods(365, None)),
        ({"donor_days": 3_650}, RetentionPeriods(365, 3_650)),
        ({"donor_days": 3_650}, RetentionPeriods(365, 3_650)),
        ({"ticket_days": None}, RetentionPeriods(None, 3_650)),
        (None, NO_RETENTION),
    ):
        commands.change_settings(SYSTEM, "shelter", {"retention": change})
        assert commands.periods.retention("shelter") == periods
    assert commands.workspaces.get("shelter").version == 5


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_a_retention_period_is_within_a_century(workspace: Workspace, days: int):
    for periods in (RetentionPeriods(ticket_days=days), RetentionPeriods(donor_days=days)):
        with pytest.raises(InvalidError):
            workspace.change_retention(member(ADMIN), NO_RETENTION, periods)


def test_an_invitation_is_mailed_once_however_often_it_is_asked_for():
    stores = MemoryWorkspaces()
    commands = commands_over(stores)
    commands.change_settings(SYSTEM, "shelter", {"language": "es"})
    invitation = Invitation(NEWCOMER, Contact(ContactType.EMAIL, "new@example.com"), "hash", [], MemberRole.OWNER)
    for _ in range(2):
        commands.invite(SYSTEM, "shelter", invitation, now=NOW)
    [mail] = stores.mails
    assert (mail.kind, mail.to, mail.values["link"], mail.values["language"]) == (
        "invitation",
        "new@example.com",
        "https://stories.example/desk",
        "es",
    )


# Erasure of former members.


def test_the_address_and_the_name_of_a_former_member_are_erased_and_the_member_is_still_known(workspace: Workspace):
    workspace.name_member(member(CASEWORKER), CASEWORKER, "Grace")
    workspace.remove(member(OWNER), CASEWORKER)
    workspace.erase(member(ADMIN), CASEWORKER)
    person = workspace.ever_member(CASEWORKER)
    assert person is not None
    assert (person.email, person.email_index, person.name, person.erased) == ("", "", None, True)
    version = workspace.version
    workspace.erase(member(ADMIN), CASEWORKER)
    assert workspace.version == version


def test_a_member_and_an_invited_person_must_be_removed_first(workspace: Workspace):
    invite(workspace, member(OWNER), MemberRole.AUDITOR)
    for member_id in (CASEWORKER, NEWCOMER):
        with pytest.raises(RefusedError):
            workspace.erase(member(OWNER), member_id)
    workspace.revoke_invitation(member(OWNER), NEWCOMER)
    workspace.erase(member(OWNER), NEWCOMER)
    assert [person.erased for person in workspace.former_members()] == [True]


def test_only_an_owner_or_an_operator_erases_a_former_owner(workspace: Workspace):
    joined(workspace, NEWCOMER, MemberRole.OWNER)
    workspace.remove(member(OWNER), NEWCOMER)
    for actor in (member(ADMIN), member(CASEWORKER), member(NEWCOMER)):
        with pytest.raises(ForbiddenError):
            workspace.erase(actor, NEWCOMER)
    workspace.erase(SYSTEM, NEWCOMER)
    with pytest.raises(NotFoundError):
        workspace.erase(member(OWNER), UUID(int=99))
