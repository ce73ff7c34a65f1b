"""The commands of the group `members` with their arguments and help; each imports its code when it runs."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.key_commands import Json

members = typer.Typer(
    help="Invite and remove the members of a workspace.",
    epilog="Example: storyledger members list",
    no_args_is_help=True,
)

Workspace = Annotated[str, typer.Option(help="The name of the workspace, which is opened if it is new.")]


@members.command("invite", epilog="Example: storyledger members invite ada@example.org --role owner --workspace ngo")
def members_invite(
    email: Annotated[str, typer.Argument(help="The address that the invitation goes to.")],
    role: Annotated[
        Literal["owner", "admin", "caseworker", "accountant", "auditor"], typer.Option(help="What the person may do.")
    ],
    workspace: Workspace = "public",
    json: Json = False,
) -> None:
    """Invite somebody to a workspace by mail. A workspace gets its first owner in this way."""
    from entrypoints.cli import members

    members.invite(email, role, workspace, json)


@members.command("list", epilog="Example: storyledger members list --workspace ngo")
def members_list(workspace: Workspace = "public", json: Json = False) -> None:
    """List members and those who are invited."""
    from entrypoints.cli import members

    members.list_all(workspace, json)


@members.command(
    "remove", epilog="Example: storyledger members remove 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25 --workspace ngo"
)
def members_remove(
    id: Annotated[str, typer.Argument(help="The id of the member or of the invitation.")],
    workspace: Workspace = "public",
    json: Json = False,
) -> None:
    """Remove a member, or revoke an invitation. The last owner stays."""
    from entrypoints.cli import members

    members.remove(id, workspace, json)


@members.command(
    "erase", epilog="Example: storyledger members erase 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25 --workspace ngo"
)
def members_erase(
    id: Annotated[str, typer.Argument(help="The id of the former member, or of the revoked invitation.")],
    workspace: Workspace = "public",
    json: Json = False,
) -> None:
    """Erase the data of a former member.

    The address and the name are erased for good. What the member did stays in the history.
    """
    from entrypoints.cli import members

    members.erase(id, workspace, json)
