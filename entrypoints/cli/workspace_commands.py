"""The commands of the group `workspaces` with their arguments and help; each imports its code when it runs."""

from typing import Annotated, Literal

import typer

from entrypoints.cli.key_commands import Json

workspaces = typer.Typer(
    help="Workspaces and their settings.",
    epilog="Example: storyledger workspaces list",
    no_args_is_help=True,
)

KeepDonors = Annotated[
    str | None,
    typer.Option(metavar="DAYS|none", help="Days after a gift for which the law asks to keep the donor's name."),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The workspace's name.")]


@workspaces.command("list", epilog="Example: storyledger workspaces list")
def workspaces_list(json: Json = False) -> None:
    """List workspaces and their retention."""
    from entrypoints.cli import privacy

    privacy.list_workspaces(json)


@workspaces.command("show", epilog="Example: storyledger workspaces show ngo")
def workspaces_show(workspace: Name, json: Json = False) -> None:
    """Show the settings of a workspace."""
    from entrypoints.cli import workspaces

    workspaces.show(workspace, json)


@workspaces.command("set", epilog="Example: storyledger workspaces set ngo --legal-name 'Shelter e.V.' --currency EUR")
def workspaces_set(
    workspace: Name,
    title: Annotated[str | None, typer.Option(help="The title that people read.")] = None,
    legal_name: Annotated[str | None, typer.Option(help="The name of the organisation in law.")] = None,
    address: Annotated[str | None, typer.Option(help="Its postal address.")] = None,
    registration_number: Annotated[str | None, typer.Option(help="The number under which it is registered.")] = None,
    tax_wording: Annotated[str | None, typer.Option(help="The sentence about tax on receipts.")] = None,
    contact: Annotated[str | None, typer.Option(help="How donors reach it.")] = None,
    privacy_page: Annotated[str | None, typer.Option(help="The address of its privacy page.")] = None,
    reply_to: Annotated[str | None, typer.Option(help="The address for answers to mails.")] = None,
    intake: Annotated[
        Literal["open", "invited", "closed"] | None,
        typer.Option(help="Who may open tickets: everybody, staff and programs, or nobody."),
    ] = None,
    publishing: Annotated[
        Literal["free", "approval"] | None, typer.Option(help="Whether pages need an approval.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="The language of readers of whom none is known.")] = None,
    currency: Annotated[str | None, typer.Option(help="The currency of new tickets that name no other.")] = None,
    keep_tickets: Annotated[
        str | None, typer.Option(metavar="DAYS|none", help="Days without use after which a ticket is erased.")
    ] = None,
    keep_donors: KeepDonors = None,
    json: Json = False,
) -> None:
    """Change settings of a workspace.

    What no option names stays as it is. `none` clears an optional value.
    """
    from entrypoints.cli import workspaces

    values = (
        title,
        legal_name,
        address,
        registration_number,
        tax_wording,
        contact,
        privacy_page,
        reply_to,
        intake,
        publishing,
        language,
        currency,
        keep_tickets,
        keep_donors,
    )
    workspaces.change(workspace, dict(zip(workspaces.OPTIONS, values, strict=True)), json)


@workspaces.command("retention", epilog="Example: storyledger workspaces retention ngo 365")
def workspaces_retention(
    workspace: Name,
    days: Annotated[
        str | None, typer.Argument(metavar="DAYS|none", help="Days without use after which a ticket is erased.")
    ] = None,
    donors: KeepDonors = None,
    json: Json = False,
) -> None:
    """Set the retention of a workspace.

    A ticket is erased after DAYS days without use, 14 days after a notice by mail; `none` keeps all tickets. The name
    of a donor who asks to be forgotten is kept until so many days after the gift; `none` keeps no name.
    """
    from entrypoints.cli import privacy

    privacy.set_retention(workspace, days, donors, json)
