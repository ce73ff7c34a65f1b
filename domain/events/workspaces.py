"""Events of workspaces and their members.

The stream of a workspace has an id that follows from its name, `domain.workspaces.workspace_stream`. The personal texts
of a member are sealed with a key of that member's own.
"""

from uuid import UUID

from domain.events.base import AggregateCreated, TicketEvent
from domain.members import MemberRole
from domain.organisations import Intake, Logo, Organisation, Publishing
from domain.values import Personal


class WorkspaceEvent(TicketEvent):
    """One fact about one workspace."""


class WorkspaceOpened(WorkspaceEvent, AggregateCreated):
    """`workspace` is the name that tickets, keys and paths have, which never changes."""

    TOPIC = "workspace_opened"
    originator_topic = "workspace"
    workspace: str


class WorkspaceRenamed(WorkspaceEvent):
    """The workspace has another title, which people read."""

    TOPIC = "workspace_renamed"
    title: str


class OrganisationDescribed(WorkspaceEvent):
    """The organisation that runs the workspace is this one. Its pages and receipts show it, so nothing is sealed."""

    TOPIC = "organisation_described"
    organisation: Organisation


class LogoChosen(WorkspaceEvent):
    """Pages and receipts of the workspace show this logo."""

    TOPIC = "logo_chosen"
    logo: Logo


class LogoRemoved(WorkspaceEvent):
    TOPIC = "logo_removed"


class IntakeChanged(WorkspaceEvent):
    """These may open tickets in the workspace from now on."""

    TOPIC = "intake_changed"
    intake: Intake


class PublishingChanged(WorkspaceEvent):
    """Pages of the workspace are published this way from now on."""

    TOPIC = "publishing_changed"
    publishing: Publishing


class WorkspaceDefaultsChanged(WorkspaceEvent):
    """The workspace has this currency and this language where nobody says others; None for those of the service."""

    TOPIC = "workspace_defaults_changed"
    language: str | None
    currency: str | None


class RetentionChanged(WorkspaceEvent):
    """The workspace keeps tickets and donors' names for these periods from now on, in days; None for no period."""

    TOPIC = "retention_changed"
    ticket_days: int | None
    donor_days: int | None


class WorkspaceClosed(WorkspaceEvent):
    """Nobody opens tickets or is invited any more. What exists stays, and the ledger goes on."""

    TOPIC = "workspace_closed"


class MemberEvent(WorkspaceEvent):
    """One fact about one member or one invited person."""

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


class MemberReindexed(MemberEvent):
    """The address is the same; its keyed hash was made anew with another secret."""

    TOPIC = "member_reindexed"
    email_index: Personal


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


class MemberErased(MemberEvent):
    """The address and the name of a former member were erased. What the member did stays in the history."""

    TOPIC = "member_erased"
