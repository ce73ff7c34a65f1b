"""The commands of the group `workspaces` with their arguments and help; each imports its code when it runs."""

from typing import Annotated

import typer

from entrypoints.cli.key_commands import Json

workspaces = typer.Typer(
    help="Workspaces and their retention.", epilog="Example: storyledger workspaces list", no_args_is_help=True
)


@workspaces.command("list", epilog="Example: storyledger workspaces list")
def workspaces_list(json: Json = False) -> None:
    """List workspaces and their retention."""
    from entrypoints.cli import privacy

    privacy.list_workspaces(json)


@workspaces.command("retention", epilog="Example: storyledger workspaces retention ngo 365")
def workspaces_retention(
    workspace: Annotated[str, typer.Argument(help="The workspace's name.")],
    days: Annotated[
        str | None, typer.Argument(metavar="DAYS|none", help="Days without use after which a ticket is erased.")
    ] = None,
    donors: Annotated[
        str | None,
        typer.Option(metavar="DAYS|none", help="Days after a gift for which the law asks to keep the donor's name."),
    ] = None,
    json: Json = False,
) -> None:
    """Set the retention of a workspace.

    A ticket is erased after DAYS days without use, 14 days after a notice by mail; `none` keeps all tickets. The name
    of a donor who asks to be forgotten is kept until so many days after the gift; `none` keeps no name.
    """
    from entrypoints.cli import privacy

    privacy.set_retention(workspace, days, donors, json)
