"""The commands `members invite`, `members list`, `members remove` and `members erase`."""

from datetime import UTC, datetime

from adapters import contacts
from adapters.identity.credentials import is_workspace_name
from adapters.ids import uuid7
from domain.commands.workspaces import Invitation
from domain.errors import InvalidError
from domain.members import MemberRole
from domain.values import ContactType
from entrypoints.cli.console import UsageError, print_json, print_line, print_table
from entrypoints.cli.context import OPERATOR, as_uuid, logged_act, open_service
from entrypoints.presentation.responses import utc


def invite(email: str, role: str, workspace: str, json: bool) -> None:
    try:
        contact = contacts.normalize_contact(ContactType.EMAIL, email)
    except InvalidError as error:
        raise UsageError(f"EMAIL {error.detail}") from None
    # The name is a part of paths.
    if not is_workspace_name(workspace) or "/" in workspace:
        raise UsageError("--workspace has 1 to 100 printable characters without a slash")
    member_id = uuid7()
    with open_service() as service:
        index, *earlier_indexes = service.access.contact_index.all_of(contact)
        invitation = Invitation(member_id, contact, index, earlier_indexes, MemberRole(role))
        with logged_act(service.access.log, "members invite", str(member_id), workspace):
            service.commands.workspaces.invite(OPERATOR, workspace, invitation, now=datetime.now(UTC))
        link = service.commands.workspaces.desk_url
    if json:
        print_json({"id": str(member_id), "workspace": workspace, "role": role, "signIn": link})
    else:
        print_line(f"Invited as {role} of {workspace}. The mail leads to {link}, and the invitation ends in 7 days.")


def list_all(workspace: str, json: bool) -> None:
    with open_service() as service:
        loaded = service.commands.workspaces.workspaces.get(workspace)
    people = [*loaded.members(), *loaded.invitations(datetime.now(UTC))]
    if json:
        print_json(
            [
                {
                    "id": str(person.id),
                    "email": person.email,
                    "name": person.name,
                    "role": person.role,
                    "joinedAt": utc(person.joined_at) if person.joined_at else None,
                }
                for person in people
            ]
        )
    else:
        rows = [
            [str(person.id), person.email, person.role, utc(person.joined_at).date() if person.joined_at else "invited"]
            for person in people
        ]
        print_table(f"Members of {workspace}", ("id", "address", "role", "joined"), rows)


def remove(id: str, workspace: str, json: bool) -> None:
    member_id = as_uuid(id, "ID")
    with open_service() as service, logged_act(service.access.log, "members remove", str(member_id), workspace):
        commands = service.commands.workspaces
        if any(member.id == member_id for member in commands.workspaces.get(workspace).members()):
            commands.remove(OPERATOR, workspace, member_id)
        else:
            commands.revoke_invitation(OPERATOR, workspace, member_id)
    if json:
        print_json({"id": str(member_id), "removed": True})
    else:
        print_line(f"{member_id} is no longer a member of {workspace}.")


def erase(id: str, workspace: str, json: bool) -> None:
    member_id = as_uuid(id, "ID")
    with open_service() as service, logged_act(service.access.log, "members erase", str(member_id), workspace):
        service.commands.workspaces.erase_member(OPERATOR, workspace, member_id)
    if json:
        print_json({"id": str(member_id), "erased": True})
    else:
        print_line(f"The address and the name of {member_id} are erased: they can no longer be read.")
