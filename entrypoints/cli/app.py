"""The commands with their arguments and help; each imports its code when it runs, so that help appears at once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from entrypoints.cli.check_commands import doctor, stripe
from entrypoints.cli.console import Commands, print_line
from entrypoints.cli.evaluation_commands import evaluate
from entrypoints.cli.key_commands import AcceptKeyless, EpochKeys, Json, keys
from entrypoints.cli.member_commands import members
from entrypoints.cli.workspace_commands import workspaces

app = typer.Typer(
    name="storyledger",
    cls=Commands,
    help="Turn a spoken story into a fundraising campaign, and keep a ledger of its donations that can be verified.",
    epilog="Example: storyledger serve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print_line(f"storyledger {version('storyledger')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def _group(name: str, help: str, example: str) -> typer.Typer:
    group = typer.Typer(help=help, epilog=f"Example: {example}", no_args_is_help=True)
    app.add_typer(group, name=name)
    return group


audit = _group("audit", "Verify and prove the history.", "storyledger audit verify")
dead_letters = _group("dead-letters", "Webhook events that could not be applied.", "storyledger dead-letters list")
app.add_typer(keys, name="keys")
app.add_typer(members, name="members")
app.add_typer(stripe, name="stripe")
app.command(epilog="Example: storyledger doctor")(doctor)
app.add_typer(workspaces, name="workspaces")
app.add_typer(evaluate, name="evaluate")
export = _group("export", "Export data for other programs.", "storyledger export donations --format csv")

At = Annotated[
    str | None, typer.Option(metavar="POSITION|TIME", help="Show the ticket as it was at this position or time.")
]
Ticket = Annotated[str, typer.Argument(help="The ticket's id.")]


@app.command(epilog="Example: storyledger serve --only web,worker")
def serve(
    only: Annotated[
        str | None, typer.Option(help="Comma-separated list of web, worker and projections. Default: all three.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=32, help="Run the parts in this many processes. Default: one a processor, at most 3."),
    ] = None,
) -> None:
    """Run the service until it is stopped. Its parts are web, worker and projections.

    One process restarts and reloads (SIGHUP) the others. --only runs some parts in one process, for several machines.
    """
    from entrypoints.cli.supervisor import serve as run

    run(only, processes)


@app.command(epilog="Example: storyledger migrate")
def migrate(json: Json = False) -> None:
    """Migrate the database to this version. It is safe to run twice, and from two places at once."""
    from entrypoints.cli import database

    database.migrate(json)


@app.command("rebuild-projections", epilog="Example: storyledger rebuild-projections donation_ledger --verify")
def rebuild_projections(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Default: all read models.")] = None,
    verify: Annotated[bool, typer.Option(help="Only compare the rebuilt rows with the live ones.")] = False,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="POSITION|TIME", help="Fold the history up to here in two ways, compare, and change nothing."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Rebuild read models from the history. Readers and writers are not interrupted."""
    from entrypoints.cli import database

    database.rebuild_projections(names or [], verify, until, json)


@app.command(epilog="Example: storyledger history 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25 --at 2026-05-01")
def history(
    ticket: Ticket,
    at: At = None,
    details: Annotated[bool, typer.Option("--details", help="Also show the data of every event.")] = False,
    json: Json = False,
) -> None:
    """Show the history of a ticket.

    Each event is one line. With --at, show the ticket as it was at a position or time.
    """
    from entrypoints.cli import tickets

    tickets.history(ticket, at, details, json)


@app.command(epilog="Example: storyledger erase 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25")
def erase(ticket: Ticket, json: Json = False) -> None:
    """Erase the personal data of a ticket.

    Its money and proof are kept. The command asks no question, and erasing a ticket again is no error.
    """
    from entrypoints.cli import tickets

    tickets.erase(ticket, json)


@app.command(epilog='Example: storyledger suspend 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25 --reason "Reported as fraud."')
def suspend(
    ticket: Ticket,
    reason: Annotated[str, typer.Option(help="The holder gets the reason by mail.")],
    json: Json = False,
) -> None:
    """Take a ticket's page down.

    Its open checkouts are expired at Stripe, and no new one opens. Nothing is deleted, the ledger goes on, and
    `reinstate` shows the page again.
    """
    from entrypoints.cli import tickets

    tickets.suspend(ticket, reason, json)


@app.command(epilog="Example: storyledger reinstate 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25")
def reinstate(ticket: Ticket, json: Json = False) -> None:
    """End the suspension of a ticket. The holder is told by mail."""
    from entrypoints.cli import tickets

    tickets.reinstate(ticket, json)


@app.command(epilog="Example: storyledger demo story.mp3")
def demo(
    audio: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="A recording. Default: the one that is included.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Then open the campaign in a browser, and serve it until Ctrl+C.")
    ] = False,
    json: Json = False,
) -> None:
    """Run one campaign and print every step.

    The steps are recording, transcript, draft, documents, checkout, donation, refund, ledger and history.
    """
    from entrypoints.cli import demo as demonstration

    demonstration.demo(audio, json, keep)


@audit.command("verify", epilog="Example: storyledger audit verify --since last-year.txt --checkpoint today.txt")
def audit_verify(
    since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also compare with this older checkpoint, or the text of a printed QR code."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a signed checkpoint of the verified history.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify the history and the access log.

    Recompute the hash chain and the Merkle tree from the stored bytes, and name the first bad position.
    """
    from entrypoints.cli import proof

    proof.verify(since, checkpoint, json)


@audit.command("export", epilog="Example: storyledger audit export 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25 history.json")
def audit_export(
    ticket: Ticket, file: Annotated[Path, typer.Argument(help="The file to write.")], json: Json = False
) -> None:
    """Write a file that proves a ticket's history.

    The file can be checked without access to the service.
    """
    from entrypoints.cli import proof

    proof.export(ticket, file, json)


@audit.command("check", epilog="Example: storyledger audit check history.json --key KEY")
def audit_check(
    file: Annotated[Path, typer.Argument(help="A file that `audit export` wrote.")],
    key: Annotated[
        list[str] | None, typer.Option(help="A public key that you trust (NAME+ID+KEY). May be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Check an exported file offline.

    The check needs no database and no network.
    """
    from entrypoints.cli import proof

    proof.check(file, key or [], json)


@audit.command("key", epilog="Example: storyledger audit key")
def audit_key(json: Json = False) -> None:
    """Print the public keys of the checkpoints.

    The first is the current one; the others are keys that it replaced.
    """
    from entrypoints.cli import proof

    proof.key(json)


@app.command(epilog="Example: storyledger backup storyledger-2026-05-01")
def backup(
    file: Annotated[Path, typer.Argument(help="A new file, which only its owner may read.")], json: Json = False
) -> None:
    """Back up database and storage into a file.

    The file holds the state of one moment, and the service is not interrupted. It contains the ticket keys wrapped
    by MASTER_KEY, so keep MASTER_KEY in another place.
    """
    from entrypoints.cli import backups

    backups.backup(file, json)


@app.command(epilog="Example: storyledger restore storyledger-2026-05-01")
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file that `backup` wrote.")],
    any_key: Annotated[
        bool,
        typer.Option(
            "--any-key",
            help="Restore even if MASTER_KEY did not make the backup: its personal data may stay unreadable, and"
            " somebody may have changed it.",
        ),
    ] = False,
    epoch_keys: EpochKeys = None,
    accept_keyless: AcceptKeyless = 0,
    json: Json = False,
) -> None:
    """Restore a backup and verify it.

    It must have been made with this MASTER_KEY, and database and storage must be empty. The command names the
    credentials that are valid again. If it was interrupted, run it again.
    """
    from entrypoints.cli import restores

    restores.restore(file, any_key, epoch_keys, accept_keyless, json)


@dead_letters.command("list", epilog="Example: storyledger dead-letters list --json")
def dead_letters_list(json: Json = False) -> None:
    """List the dead letters, oldest first."""
    from entrypoints.cli import payments

    payments.list_dead_letters(json)


@dead_letters.command("retry", epilog="Example: storyledger dead-letters retry evt_1Q2w3E")
def dead_letters_retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Default: all of them.")] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Count these payments without a checkout of ours, or with more than was asked."),
    ] = False,
    json: Json = False,
) -> None:
    """Try again to apply dead letters."""
    from entrypoints.cli import payments

    payments.retry_dead_letters(ids, accept, json)


@dead_letters.command("dismiss", epilog="Example: storyledger dead-letters dismiss evt_1Q2w3E")
def dead_letters_dismiss(
    ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    json: Json = False,
) -> None:
    """Ignore dead letters of other business.

    What they contain is dropped, so this cannot be undone.
    """
    from entrypoints.cli import payments

    payments.dismiss_dead_letters(ids, json)


@app.command(epilog="Example: storyledger reconcile --since 2026-05-01")
def reconcile(
    since: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="Compare from this time on. Default: the last 30 days.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare every donation with Stripe.

    Events and objects that are missing here are fetched and applied first.
    """
    from entrypoints.cli import payments

    payments.reconcile(since, json)


@app.command(epilog="Example: storyledger simulate --seed 7")
def simulate(
    seed: Annotated[int, typer.Option(help="The same seed gives the same simulation.")],
    donations: Annotated[int, typer.Option(min=1, max=10_000, help="The number of donations.")] = 50,
    json: Json = False,
) -> None:
    """Compare the ledger with an oracle.

    Random donations and other business on the same Stripe account are replayed in a temporary database, late, repeated
    and out of order. Every sum and every date is compared.
    """
    from entrypoints.cli.simulate import simulate as run

    run(seed, donations, json)


@export.command(
    "donations", epilog="Example: storyledger export donations --from 2026-11-01 --to 2026-11-30 --format journal"
)
def export_donations(
    ticket: Annotated[str | None, typer.Option(help="Only the donations of this ticket.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Only the donations of this workspace.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE|TIME", help="The first day (UTC) or moment of the period.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE|TIME", help="The last day (UTC) of the period, or the first moment after."),
    ] = None,
    by: Annotated[
        Literal["moved", "recorded", "paid", "created"],
        typer.Option(help="The time that the period is about; for `movements` and `journal` only `moved`."),
    ] = "moved",
    format: Annotated[
        Literal["csv", "json", "movements", "journal"],
        typer.Option(help="`movements` is CSV with one line a movement, `journal` is for hledger."),
    ] = "csv",
    unpaid: Annotated[bool, typer.Option("--unpaid", help="Also list donations without any payment.")] = False,
) -> None:
    """Print donations or each movement of money.

    A movement is in the period of its own date at Stripe: a gift of November that is refunded in December is in
    November, and its refund in December.
    """
    from entrypoints.cli import payments

    payments.export_donations(ticket, workspace, since, until, by, format, unpaid)
