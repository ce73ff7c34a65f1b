"""The Workspace: the area of one organisation, with the members who work in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Self
from uuid import UUID, uuid5

from domain import events
from domain.aggregate import Aggregate
from domain.errors import ForbiddenError, InvalidError, NotFoundError, RefusedError
from domain.members import MemberRole
from domain.organisations import (
    LONGEST_RETENTION_DAYS,
    PUBLIC_WORKSPACE,
    Logo,
    RetentionPeriods,
    WorkspaceSettings,
)
from domain.values import Actor, Role

MOST_MEMBERS = 1_000
INVITATION_DAYS = 7
_STREAMS = UUID("5a0f6f0e-6d6c-5f43-9d1b-2f5f6f7a9d10")


def workspace_stream(workspace: str) -> UUID:
    """Return the id of the workspace's stream, which follows from its name."""
    return uuid5(_STREAMS, workspace)


@dataclass(frozen=True)
class Member:
    """A member or an invited person. An invited person has no `joined_at`, and the invitation ends at `expires_at`."""

    id: UUID
    email: str
    email_index: str
    role: MemberRole
    invited_at: datetime
    expires_at: datetime
    name: str | None = None
    joined_at: datetime | None = None
    # The address and the name are empty then.
    erased: bool = False

    @property
    def has_joined(self) -> bool:
        return self.joined_at is not None


class Workspace(Aggregate):
    """Owners and admins invite members, change their roles and remove them; an owner always remains.

    Admins do so for everybody but owners. An actor who is no member, such as the operator at the command line, may do
    what an owner may.
    """

    TOPIC = "workspace"

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self.settings = WorkspaceSettings(workspace)
        # Those who have joined, and those whose invitation was neither accepted nor revoked.
        self.people: Mapping[UUID, Member] = {}
        # Everybody who was ever invited: the history names them.
        self.former: Mapping[UUID, Member] = {}

    # Deciding.

    @classmethod
    def open(cls, actor: Actor, workspace: str) -> Self:
        return cls._begin(events.WorkspaceOpened, workspace_stream(workspace), actor, workspace=workspace)

    @property
    def title(self) -> str:
        return self.settings.title

    def change_settings(self, actor: Actor, settings: WorkspaceSettings) -> None:
        """Let the workspace have these settings; what stays as it is changes nothing."""
        old = self.settings
        if settings.title != old.title:
            self._record(events.WorkspaceRenamed, actor, title=settings.title)
        if settings.organisation != old.organisation:
            self._record(events.OrganisationDescribed, actor, organisation=settings.organisation)
        if settings.intake is not old.intake:
            self._record(events.IntakeChanged, actor, intake=settings.intake)
        if settings.publishing is not old.publishing:
            self._record(events.PublishingChanged, actor, publishing=settings.publishing)
        if (settings.language, settings.currency) != (old.language, old.currency):
            language, currency = settings.language, settings.currency
            self._record(events.WorkspaceDefaultsChanged, actor, language=language, currency=currency)

    def change_retention(self, actor: Actor, present: RetentionPeriods, periods: RetentionPeriods) -> None:
        """Let the workspace have these periods in place of the present ones.

        Earlier versions stored the present ones without an event, so the history alone does not know them.
        """
        for pointer, days in (("ticketDays", periods.ticket_days), ("donorDays", periods.donor_days)):
            if days is not None and not 1 <= days <= LONGEST_RETENTION_DAYS:
                raise InvalidError(f"must be from 1 to {LONGEST_RETENTION_DAYS}", f"/retention/{pointer}")
        if periods != present:
            ticket_days, donor_days = periods.ticket_days, periods.donor_days
            self._record(events.RetentionChanged, actor, ticket_days=ticket_days, donor_days=donor_days)

    def close(self, actor: Actor) -> None:
        """Let nobody open tickets or join any more; only an owner may do this. Open invitations are revoked."""
        self._require_rank(actor, MemberRole.OWNER)
        if self.workspace == PUBLIC_WORKSPACE:
            raise RefusedError("The built-in workspace stays open. Close its intake instead.")
        if self.settings.closed:
            return
        for person in list(self.people.values()):
            if not person.has_joined:
                self._record(events.InvitationRevoked, actor, member_id=person.id)
        self._record(events.WorkspaceClosed, actor)

    def choose_logo(self, actor: Actor, logo: Logo | None) -> None:
        if logo == self.settings.logo:
            return
        if logo is None:
            self._record(events.LogoRemoved, actor)
        else:
            self._record(events.LogoChosen, actor, logo=logo)

    def members(self) -> list[Member]:
        """Return the members in the order of their ids, which is that in which they were invited."""
        return sorted((person for person in self.people.values() if person.has_joined), key=attrgetter("id"))

    def invitations(self, now: datetime) -> list[Member]:
        """Return those who may still accept their invitation, in the same order."""
        invited = (person for person in self.people.values() if not person.has_joined and person.expires_at > now)
        return sorted(invited, key=attrgetter("id"))

    def member(self, member_id: UUID) -> Member:
        """Return the member; NotFoundError if there is none, also if there was one."""
        person = self.people.get(member_id)
        if person is None or not person.has_joined:
            raise NotFoundError("There is no such member.")
        return person

    def ever_member(self, member_id: UUID) -> Member | None:
        """Return the member or the former member with this id, or None."""
        return self.people.get(member_id) or self.former.get(member_id)

    def invite(
        self,
        actor: Actor,
        member_id: UUID,
        email: str,
        email_index: str,
        role: MemberRole,
        now: datetime,
        *,
        earlier_indexes: Collection[str] = (),
    ) -> None:
        """Invite an address for a week, in place of an earlier invitation of it; a repeated id changes nothing.

        `earlier_indexes` are the address's hashes with older secrets. RefusedError if the address is a member's.
        """
        self._require_rank(actor, role)
        if self.ever_member(member_id) is not None:
            return
        if self.settings.closed:
            raise RefusedError("This workspace is closed.")
        if len(self.people) >= MOST_MEMBERS:
            raise RefusedError(f"A workspace has at most {MOST_MEMBERS} members and invitations.")
        for person in list(self.people.values()):
            if person.email_index not in (email_index, *earlier_indexes):
                continue
            if person.has_joined:
                raise RefusedError("This address is that of a member.")
            self._require_rank(actor, person.role)
            self._record(events.InvitationRevoked, actor, member_id=person.id)
        expires_at = int((now + timedelta(days=INVITATION_DAYS)).timestamp())
        self._record(
            events.MemberInvited,
            actor,
            member_id=member_id,
            email=email,
            email_index=email_index,
            role=role,
            expires_at=expires_at,
        )

    def revoke_invitation(self, actor: Actor, member_id: UUID) -> None:
        person = self.people.get(member_id)
        if person is None or person.has_joined:
            raise NotFoundError("There is no such invitation.")
        self._require_rank(actor, person.role)
        self._record(events.InvitationRevoked, actor, member_id=member_id)

    def accept(self, member_id: UUID, email_indexes: Collection[str], now: datetime) -> None:
        """Make the invited person a member; `email_indexes` are the hashes of the address that was proved.

        NotFoundError if the invitation is not for that address, has expired or was revoked.
        """
        person = self.people.get(member_id)
        if person is None or person.email_index not in email_indexes:
            raise NotFoundError("There is no such invitation.")
        if person.has_joined:
            return
        if person.expires_at <= now:
            raise NotFoundError("There is no such invitation.")
        self._record(events.MemberJoined, Actor(Role.MEMBER, str(member_id)), member_id=member_id)

    def reindex(self, actor: Actor, member_id: UUID, email_index: str) -> None:
        """Store the keyed hash of a person's address made with a new secret."""
        person = self.people.get(member_id)
        if person is not None and person.email_index != email_index:
            self._record(events.MemberReindexed, actor, member_id=member_id, email_index=email_index)

    def name_member(self, actor: Actor, member_id: UUID, name: str | None) -> None:
        if self.member(member_id).name != name:
            self._record(events.MemberNamed, actor, member_id=member_id, name=name)

    def change_role(self, actor: Actor, member_id: UUID, role: MemberRole) -> None:
        """Give the member another role; RefusedError for the last owner."""
        member = self.member(member_id)
        self._require_rank(actor, member.role)
        self._require_rank(actor, role)
        if member.role is not role:
            self._require_another_owner(member)
            self._record(events.MemberRoleChanged, actor, member_id=member_id, role=role)

    def remove(self, actor: Actor, member_id: UUID) -> None:
        """End the membership; members may end their own. RefusedError for the last owner."""
        member = self.member(member_id)
        if actor != Actor(Role.MEMBER, str(member_id)):
            self._require_rank(actor, member.role)
        self._require_another_owner(member)
        self._record(events.MemberRemoved, actor, member_id=member_id)

    def former_members(self) -> list[Member]:
        """Return those who were members or were invited and are no more, in the order of their ids."""
        return sorted(self.former.values(), key=attrgetter("id"))

    def erase(self, actor: Actor, member_id: UUID) -> None:
        """Erase the address and the name of a former member; a repeated request changes nothing.

        RefusedError for a member and for an invitation that may still be accepted.
        """
        person = self.ever_member(member_id)
        if person is None:
            raise NotFoundError("There is no such member.")
        self._require_rank(actor, person.role)
        if member_id in self.people:
            raise RefusedError("Remove the member first, or revoke the invitation.")
        if not person.erased:
            self._record(events.MemberErased, actor, member_id=member_id)

    def _require_rank(self, actor: Actor, role: MemberRole) -> None:
        """ForbiddenError unless the actor may manage those who have this role."""
        if actor.role is not Role.MEMBER:
            return
        person = self.people.get(UUID(actor.id)) if actor.id else None
        own_role = person.role if person and person.has_joined else None
        if own_role is not MemberRole.OWNER and (own_role is not MemberRole.ADMIN or role is MemberRole.OWNER):
            raise ForbiddenError("Only an owner may do this.")

    def _require_another_owner(self, member: Member) -> None:
        owners = [person for person in self.members() if person.role is MemberRole.OWNER]
        if owners == [member]:
            raise RefusedError("A workspace keeps at least one owner: make somebody else an owner first.")

    # Evolving.

    def evolve(self, event: events.WorkspaceEvent) -> None:
        match event:
            case events.WorkspaceRenamed(title=title):
                self.settings = replace(self.settings, title=title)
            case events.OrganisationDescribed(organisation=organisation):
                self.settings = replace(self.settings, organisation=organisation)
            case events.LogoChosen(logo=logo):
                self.settings = replace(self.settings, logo=logo)
            case events.LogoRemoved():
                self.settings = replace(self.settings, logo=None)
            case events.IntakeChanged(intake=intake):
                self.settings = replace(self.settings, intake=intake)
            case events.PublishingChanged(publishing=publishing):
                self.settings = replace(self.settings, publishing=publishing)
            case events.WorkspaceClosed():
                self.settings = replace(self.settings, closed=True)
            case events.WorkspaceDefaultsChanged(language=language, currency=currency):
                self.settings = replace(self.settings, language=language, currency=currency)
            case events.MemberInvited(member_id=member_id, email=email, email_index=email_index, role=role):
                invited_at = event.timestamp
                expires_at = datetime.fromtimestamp(event.expires_at, invited_at.tzinfo)
                person = Member(member_id, email, email_index, role, invited_at, expires_at)
                self.people = {**self.people, member_id: person}
            case events.MemberJoined(member_id=member_id):
                self._change(member_id, joined_at=event.timestamp)
            case events.MemberReindexed(member_id=member_id, email_index=email_index):
                self._change(member_id, email_index=email_index)
            case events.MemberNamed(member_id=member_id, name=name):
                self._change(member_id, name=name)
            case events.MemberRoleChanged(member_id=member_id, role=role):
                self._change(member_id, role=role)
            case events.MemberRemoved(member_id=member_id) | events.InvitationRevoked(member_id=member_id):
                self.former = {**self.former, member_id: self.people[member_id]}
                self.people = {id: person for id, person in self.people.items() if id != member_id}
            case events.MemberErased(member_id=member_id):
                erased = replace(self.former[member_id], email="", email_index="", name=None, erased=True)
                self.former = {**self.former, member_id: erased}
            case _:
                pass

    def _change(self, member_id: UUID, **changes: object) -> None:
        self.people = {**self.people, member_id: replace(self.people[member_id], **changes)}  # type: ignore[arg-type]
