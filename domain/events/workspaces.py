"""Events of workspaces and their members.

The stream of a workspace has an id that follows from its name, `domain.workspaces.workspace_stream`. The personal texts
of a member are sealed with a key of that member's own.
"""

from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.events.base import TicketEvent
from domain.members import MemberRole
from domain.values import Personal


class WorkspaceEvent(TicketEvent):
    """One fact about one workspace."""


class WorkspaceOpened(WorkspaceEvent, AggregateCreated):
    """`workspace` is the name that tickets, keys and paths have, which never changes."""

    TOPIC = "workspace_opened"
    workspace: str


class WorkspaceRenamed(WorkspaceEvent):
    """The workspace has another title, which people read."""

    TOPIC = "workspace_renamed"
    title: str


class MemberEvent(WorkspaceEvent):
    """One fact about one member, or about somebody who is invited to become one."""

    member_id: UUID

    @property
    def ticket(self) -> UUID:
        return self.member_id


class MemberInvited(MemberEvent):
    """The invitation may be accepted until `expires_at`, in Unix seconds, by a session of this address."""

    TOPIC = "member_invited"
    email: Personal
    email_index: Personal
    role: MemberRole
    expires_at: int

    @property
    def makes_key(self) -> bool:
        return True


class InvitationRevoked(MemberEvent):
    TOPIC = "invitation_revoked"


class MemberJoined(MemberEvent):
    TOPIC = "member_joined"


class MemberNamed(MemberEvent):
    """The member gave a name, which the others see; None takes it away."""

    TOPIC = "member_named"
    name: Personal | None


class MemberRoleChanged(MemberEvent):
    TOPIC = "member_role_changed"
    role: MemberRole


class MemberRemoved(MemberEvent):
    """The member may do nothing in the workspace any more. The history still names who did what."""

    TOPIC = "member_removed"
