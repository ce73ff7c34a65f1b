"""Handlers for workspaces and their members: sign-in, sessions, invitations and roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from adapters import contacts
from adapters.contacts import ContactIndex
from adapters.identity.login_codes import LoginCodes
from adapters.identity.members import MemberSessions
from adapters.identity.security_events import SecurityEvents
from adapters.identity.session_openings import Audience, SessionOpening
from domain.commands.workspaces import Invitation, WorkspaceCommands
from domain.errors import FaultCode, InvalidError, NotFoundError
from domain.members import MemberRole
from domain.values import Contact, ContactType, Role
from domain.workspaces import Member
from entrypoints.http.bodies import Body, Empty, Line
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import parse_id, requested_page
from entrypoints.http.problems import unauthenticated
from entrypoints.http.workspace_bodies import LONGEST_NAME, WorkspaceChange
from entrypoints.presentation.access import LoginCodeRequested
from entrypoints.presentation.responses import utc
from entrypoints.presentation.workspaces import (
    FormerMemberPage,
    FormerMemberView,
    InvitationPage,
    InvitationView,
    Me,
    MemberPage,
    MembershipView,
    MemberSignedIn,
    MemberView,
    SessionList,
    SessionView,
    WorkspaceView,
)

MemberName = Annotated[Line, Field(max_length=LONGEST_NAME)]


class MemberCodeRequest(Body):
    email: Annotated[Line, Field(max_length=contacts.LONGEST)]


class MemberSignIn(Body):
    request_id: UUID
    code: Annotated[Line, Field(max_length=32)]


class SessionChange(Body):
    workspace: Annotated[Line, Field(max_length=100)]


class MyChange(Body):
    name: MemberName | None


class InvitationOrder(Body):
    email: Annotated[Line, Field(max_length=contacts.LONGEST)]
    role: MemberRole


class RoleChange(Body):
    role: MemberRole


def email_of(text: str) -> Contact:
    """Return the normalised address; InvalidError at `/email` if it is not one."""
    try:
        return contacts.normalize_contact(ContactType.EMAIL, text)
    except InvalidError as error:
        raise InvalidError(error.detail, "/email", FaultCode.INVALID_CONTACT) from None


@dataclass(frozen=True)
class SessionHandlers:
    login_codes: LoginCodes
    sessions: MemberSessions
    commands: WorkspaceCommands
    security_events: SecurityEvents

    def request_code(self, call: Call, body: MemberCodeRequest) -> LoginCodeRequested:
        """Give the same answer in the same time for every address; a worker looks up its memberships later."""
        contact, request_id = email_of(body.email), call.seed.id("member code request")
        self.login_codes.request(request_id, contact, audience=Audience.MEMBER)
        return LoginCodeRequested(request_id)

    def sign_in(self, call: Call, body: MemberSignIn) -> MemberSignedIn:
        opening = member_session(call)
        expires_at = self.verify(call, body.request_id, body.code, opening)
        if expires_at is None:
            raise unauthenticated("The code is wrong, was used already, was tried too often or has expired.")
        return MemberSignedIn(opening.token, utc(expires_at))

    def verify(self, call: Call, request_id: UUID, code: str, opening: SessionOpening) -> datetime | None:
        """Open the session in exchange for the code, and return the time when it ends, or None for a wrong code."""
        expires_at = self.login_codes.verify(request_id, code, opening)
        if expires_at is None:
            self.security_events.note_failed_sign_in(request_id, call.client_address)
        return expires_at

    def list_sessions(self, call: Call) -> SessionList:
        sessions = self.sessions.list([*call.principal.contact_indexes])
        return SessionList([SessionView.of(session, call.principal.session) for session in sessions])

    def end_all(self, call: Call) -> Answer[None]:
        self.sessions.end([*call.principal.contact_indexes])
        return Answer(None, 204)

    def end(self, call: Call) -> Answer[None]:
        """End one session of the caller's own; `current` names the one that makes the call."""
        name = call.path_params["session_id"]
        id = call.principal.session if name == "current" else id_in_path(name, "session")
        self.sessions.end([*call.principal.contact_indexes], id)
        return Answer(None, 204)

    def change(self, call: Call, body: SessionChange) -> Me:
        """Let the session act in another workspace of the caller."""
        assert call.principal.session is not None
        self.sessions.act_in(call.principal.session, [*call.principal.contact_indexes], body.workspace)
        return self._me(call, body.workspace)

    def me(self, call: Call) -> Me:
        return self._me(call, call.principal.workspace)

    def change_me(self, call: Call, body: MyChange) -> Me:
        """Give the caller a name, which the other members see."""
        if call.principal.workspace is None or call.principal.member_id is None:
            raise NotFoundError("You are a member of no workspace.")
        self.commands.name_member(call.principal.actor, call.principal.workspace, call.principal.member_id, body.name)
        return self._me(call, call.principal.workspace)

    def accept(self, call: Call, body: Empty) -> Me:
        """Accept an invitation of the address that the caller has proved, and act in its workspace."""
        del body
        indexes, member_id = [*call.principal.contact_indexes], id_in_path(call.path_params["member_id"], "invitation")
        for membership in self.sessions.memberships(indexes):
            if membership.member_id == member_id:
                call.workspace = membership.workspace
                self.commands.accept(membership.workspace, member_id, indexes, now=datetime.now(UTC))
                assert call.principal.session is not None
                self.sessions.act_in(call.principal.session, indexes, membership.workspace)
                return self._me(call, membership.workspace)
        raise NotFoundError("There is no such invitation.")

    def _me(self, call: Call, workspace: str | None) -> Me:
        memberships = self.sessions.memberships([*call.principal.contact_indexes])
        workspaces = {each.workspace: self.commands.workspaces.get(each.workspace) for each in memberships}
        current = next((each for each in memberships if each.workspace == workspace and each.has_joined), None)
        return Me(
            MemberView.of(workspaces[current.workspace].member(current.member_id)) if current else None,
            current.workspace if current else None,
            [MembershipView.of(each, workspaces[each.workspace].title) for each in memberships],
        )


def member_session(call: Call) -> SessionOpening:
    """Return the session of a member that this request opens."""
    agent = call.headers.get("user-agent")
    return SessionOpening(call.seed.id("session"), call.seed.secret("session"), Audience.MEMBER, agent)


@dataclass(frozen=True)
class WorkspaceHandlers:
    commands: WorkspaceCommands
    contact_index: ContactIndex

    def get(self, call: Call) -> WorkspaceView:
        return self.view(named_workspace(call))

    def change(self, call: Call, body: WorkspaceChange) -> WorkspaceView:
        name = named_workspace(call)
        self.commands.change_settings(call.principal.actor, name, body.changes())
        return self.view(name)

    def close(self, call: Call, _: Empty) -> WorkspaceView:
        name = named_workspace(call)
        self.commands.close(call.principal.actor, name)
        return self.view(name)

    def view(self, name: str) -> WorkspaceView:
        return WorkspaceView.of(self.commands.workspaces.get(name), self.commands.periods.retention(name))

    def list_members(self, call: Call) -> Answer[MemberPage]:
        page, workspace = requested_page(call), self.commands.workspaces.get(named_workspace(call))
        on_page = page.cut(_after(workspace.members(), page.after_key(parse_id)), lambda member: (str(member.id),))
        views = [MemberView.of(member, masked=call.masked) for member in on_page]
        return page.answer(MemberPage(views, page.next_cursor))

    def change_role(self, call: Call, body: RoleChange) -> MemberView:
        name, member_id = named_workspace(call), id_in_path(call.path_params["member_id"], "member")
        self.commands.change_role(call.principal.actor, name, member_id, body.role)
        return MemberView.of(self.commands.workspaces.get(name).member(member_id))

    def remove(self, call: Call) -> Answer[None]:
        self.commands.remove(
            call.principal.actor, named_workspace(call), id_in_path(call.path_params["member_id"], "member")
        )
        return Answer(None, 204)

    def list_former(self, call: Call) -> Answer[FormerMemberPage]:
        page, workspace = requested_page(call), self.commands.workspaces.get(named_workspace(call))
        on_page = page.cut(_after(workspace.former_members(), page.after_key(parse_id)), lambda one: (str(one.id),))
        return page.answer(FormerMemberPage([FormerMemberView.of(person) for person in on_page], page.next_cursor))

    def erase(self, call: Call) -> Answer[None]:
        """Erase the address and the name of a former member."""
        member_id = id_in_path(call.path_params["member_id"], "member")
        self.commands.erase_member(call.principal.actor, named_workspace(call), member_id)
        return Answer(None, 204)

    def list_invitations(self, call: Call) -> Answer[InvitationPage]:
        page, workspace = requested_page(call), self.commands.workspaces.get(named_workspace(call))
        invitations = workspace.invitations(datetime.now(UTC))
        on_page = page.cut(_after(invitations, page.after_key(parse_id)), lambda person: (str(person.id),))
        return page.answer(InvitationPage([InvitationView.of(person) for person in on_page], page.next_cursor))

    def invite(self, call: Call, body: InvitationOrder) -> Answer[InvitationView]:
        name, member_id, email = named_workspace(call), call.seed.id("member"), email_of(body.email)
        index, *earlier_indexes = self.contact_index.all_of(email)
        invitation = Invitation(member_id, email, index, earlier_indexes, body.role)
        self.commands.invite(call.principal.actor, name, invitation, now=datetime.now(UTC))
        person = self.commands.workspaces.get(name).people[member_id]
        location = {"Location": f"/api/workspaces/{name}/invitations/{member_id}"}
        return Answer(InvitationView.of(person), 201, location)

    def revoke_invitation(self, call: Call) -> Answer[None]:
        member_id = id_in_path(call.path_params["member_id"], "invitation")
        self.commands.revoke_invitation(call.principal.actor, named_workspace(call), member_id)
        return Answer(None, 204)


def named_workspace(call: Call) -> str:
    """Return the workspace that the path names; NotFoundError if it does not exist."""
    name = call.path_params["workspace"]
    if call.principal.role is not Role.MEMBER and not call.workspace_exists(name):
        raise NotFoundError("There is no such workspace.")
    return name


def _after(people: Sequence[Member], last: UUID | None) -> Sequence[Member]:
    """Return the people after the one with this id. They stay in their order, in which ids grow."""
    return [person for person in people if last is None or person.id > last]


def id_in_path(text: str, kind: str) -> UUID:
    """Return the id in this part of a path; NotFoundError if it is none."""
    try:
        return parse_id(text)
    except ValueError:
        raise NotFoundError(f"There is no such {kind}.") from None
