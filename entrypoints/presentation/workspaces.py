"""Workspaces, their members, and the sessions of members as responses."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from adapters.identity.members import MemberSession, Membership
from domain.members import MemberRole
from domain.organisations import Intake, Organisation, Publishing, RetentionPeriods
from domain.workspaces import Member, Workspace
from entrypoints.presentation.personal_data import shortened_address
from entrypoints.presentation.responses import ResponseBody, Time, utc


class MemberSignedIn(ResponseBody):
    """A session of a member, or of somebody who is invited. The token is shown once."""

    access_token: str
    expires_at: Time


class SessionView(ResponseBody):
    """One session; `agent` is what the browser or program said about itself."""

    id: UUID
    current: bool
    agent: str | None
    created_at: Time
    last_used_at: Time
    expires_at: Time

    @classmethod
    def of(cls, session: MemberSession, current: UUID | None) -> SessionView:
        return cls(
            session.id,
            session.id == current,
            session.agent,
            utc(session.created_at),
            utc(session.last_used_at),
            utc(session.expires_at),
        )


class SessionList(ResponseBody):
    """The sessions of the caller's address, newest first."""

    sessions: list[SessionView]


class MemberView(ResponseBody):
    """One member of a workspace."""

    id: UUID
    email: str
    name: str | None
    role: MemberRole
    joined_at: Time | None

    @classmethod
    def of(cls, member: Member, *, masked: bool = False) -> MemberView:
        email, name = (shortened_address(member.email), None) if masked else (member.email, member.name)
        return cls(member.id, email, name, member.role, utc(member.joined_at) if member.joined_at else None)


class MemberPage(ResponseBody):
    """A result page of members, in the order in which they were invited."""

    members: list[MemberView]
    next_cursor: str | None


class FormerMemberView(ResponseBody):
    """A former member or a revoked invitation. The address and the name are null once they are erased."""

    id: UUID
    email: str | None
    name: str | None
    role: MemberRole
    joined_at: Time | None
    erased: bool

    @classmethod
    def of(cls, person: Member) -> FormerMemberView:
        joined_at = utc(person.joined_at) if person.joined_at else None
        return cls(person.id, person.email or None, person.name, person.role, joined_at, person.erased)


class FormerMemberPage(ResponseBody):
    """A result page of former members, in the order in which they were invited."""

    former_members: list[FormerMemberView]
    next_cursor: str | None


class InvitationView(ResponseBody):
    """One invitation that may still be accepted."""

    id: UUID
    email: str
    role: MemberRole
    created_at: Time
    expires_at: Time

    @classmethod
    def of(cls, person: Member) -> InvitationView:
        return cls(person.id, person.email, person.role, utc(person.invited_at), utc(person.expires_at))


class InvitationPage(ResponseBody):
    """A result page of invitations, in the order in which they were made."""

    invitations: list[InvitationView]
    next_cursor: str | None


class MembershipView(ResponseBody):
    """A workspace of the caller: as a member, or with an invitation that the caller may accept by its `memberId`."""

    workspace: str
    title: str
    member_id: UUID
    role: MemberRole
    has_joined: bool

    @classmethod
    def of(cls, membership: Membership, title: str) -> MembershipView:
        return cls(membership.workspace, title, membership.member_id, membership.role, membership.has_joined)


class Me(ResponseBody):
    """The caller: the member as which the session acts, or null, and every workspace of the address."""

    member: MemberView | None
    workspace: str | None
    workspaces: list[MembershipView]


class OrganisationView(ResponseBody):
    """The organisation that runs a workspace."""

    legal_name: str | None
    address: str | None
    registration_number: str | None
    tax_wording: str | None
    contact: str | None
    privacy_page: str | None
    reply_to: str | None

    @classmethod
    def of(cls, organisation: Organisation) -> OrganisationView:
        return cls(**asdict(organisation))


class RetentionView(ResponseBody):
    """How long a workspace keeps tickets without use, and names of donors who ask to be forgotten, in days."""

    ticket_days: int | None
    donor_days: int | None

    @classmethod
    def of(cls, periods: RetentionPeriods) -> RetentionView:
        return cls(periods.ticket_days, periods.donor_days)


class WorkspaceView(ResponseBody):
    """One workspace with its settings."""

    id: str
    name: str
    organisation: OrganisationView
    intake: Intake
    publishing: Publishing
    language: str | None
    currency: str | None
    has_logo: bool
    retention: RetentionView
    # Only a closed workspace has this field.
    closed: Literal[True] | UnsetType = UNSET

    @classmethod
    def of(cls, workspace: Workspace, periods: RetentionPeriods) -> WorkspaceView:
        settings = workspace.settings
        return cls(
            workspace.workspace,
            settings.title,
            OrganisationView.of(settings.organisation),
            settings.intake,
            settings.publishing,
            settings.language,
            settings.currency,
            settings.logo is not None,
            RetentionView.of(periods),
            True if settings.closed else UNSET,
        )
