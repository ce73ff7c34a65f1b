"""Commands for workspaces and their members."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import structs

from domain.members import MemberRole
from domain.organisations import NO_RETENTION, NOT_DESCRIBED, WorkspaceSettings
from domain.ports import Mail, RetentionReader, Workspaces
from domain.values import Actor, Contact
from domain.workspaces import Workspace


@dataclass(frozen=True)
class Invitation:
    """An invitation about to be sent. The caller makes the id, so that a repeated request invites once.

    The address has the hash `email_index`, and `earlier_indexes` with older secrets.
    """

    member_id: UUID
    email: Contact
    email_index: str
    earlier_indexes: Collection[str]
    role: MemberRole
    language: str | None = None


def invitation_key(member_id: UUID) -> str:
    """Return the key of the mail with an invitation."""
    return f"invitation:{member_id}"


@dataclass(frozen=True)
class WorkspaceCommands:
    """`desk_url` is where an invited person signs in, which the mail names."""

    workspaces: Workspaces
    periods: RetentionReader
    desk_url: str

    def change_settings(self, actor: Actor, workspace: str, changes: Mapping[str, Any]) -> None:
        """Change the settings of these names, all others stay.

        `organisation` and `retention` map the names of their fields that change. None is an organisation that is not
        described, and a retention without periods. A workspace with another title keeps its name in paths and keys.
        """

        def decide(loaded: Workspace) -> None:
            settings = {name: value for name, value in changes.items() if name != "retention"}
            if "organisation" in changes:
                described = changes["organisation"]
                organisation = NOT_DESCRIBED if described is None else loaded.settings.organisation
                settings["organisation"] = structs.replace(organisation, **described or {})
            loaded.change_settings(actor, replace(loaded.settings, **settings))
            if "retention" in changes:
                present, changed = self.periods.retention(workspace), changes["retention"]
                periods = NO_RETENTION if changed is None else replace(present, **changed)
                loaded.change_retention(actor, present, periods)

        self.workspaces.change(workspace, decide)

    def close(self, actor: Actor, workspace: str) -> None:
        """Let nobody open tickets or join any more; what exists stays."""
        self.workspaces.change(workspace, lambda loaded: loaded.close(actor))

    def invite(self, actor: Actor, workspace: str, invitation: Invitation, *, now: datetime) -> None:
        """Invite an address by mail; RefusedError if it is a member's, ForbiddenError if the actor may not."""

        def decide(loaded: Workspace) -> WorkspaceSettings:
            loaded.invite(
                actor,
                invitation.member_id,
                invitation.email.value,
                invitation.email_index,
                invitation.role,
                now,
                earlier_indexes=invitation.earlier_indexes,
            )
            return loaded.settings

        self.workspaces.change(workspace, decide, self._mail_of(invitation))

    def _mail_of(self, invitation: Invitation) -> Callable[[WorkspaceSettings], Sequence[Mail]]:
        def mails(settings: WorkspaceSettings) -> Sequence[Mail]:
            values = {
                "workspace": settings.title,
                "role": invitation.role.value,
                "link": self.desk_url,
                "language": invitation.language or settings.language or "",
            }
            return [Mail("invitation", invitation.email.value, values, invitation_key(invitation.member_id), None)]

        return mails

    def revoke_invitation(self, actor: Actor, workspace: str, member_id: UUID) -> None:
        self.workspaces.change(workspace, lambda loaded: loaded.revoke_invitation(actor, member_id))

    def accept(self, workspace: str, member_id: UUID, email_indexes: Collection[str], *, now: datetime) -> None:
        """Make the invited person a member. The caller has proved that an address with these hashes is theirs."""
        self.workspaces.change(workspace, lambda loaded: loaded.accept(member_id, email_indexes, now))

    def name_member(self, actor: Actor, workspace: str, member_id: UUID, name: str | None) -> None:
        self.workspaces.change(workspace, lambda loaded: loaded.name_member(actor, member_id, name))

    def change_role(self, actor: Actor, workspace: str, member_id: UUID, role: MemberRole) -> None:
        """Give the member another role, which counts from the next request on."""
        self.workspaces.change(workspace, lambda loaded: loaded.change_role(actor, member_id, role))

    def remove(self, actor: Actor, workspace: str, member_id: UUID) -> None:
        """End the membership. The member's sessions may do nothing in the workspace from the next request on."""
        self.workspaces.change(workspace, lambda loaded: loaded.remove(actor, member_id))

    def erase_member(self, actor: Actor, workspace: str, member_id: UUID) -> None:
        """Erase the personal data of a former member for good; everything that the member did stays."""
        self.workspaces.change(workspace, lambda loaded: loaded.erase(actor, member_id))
