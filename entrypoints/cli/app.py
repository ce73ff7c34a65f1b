"""The commands, readable like a contents page; what each needs is imported when it runs, so that help is instant."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from entrypoints.cli.console import Found, Usage, fail
from entrypoints.light import load_logging

app = typer.Typer(
    name="storyledger",
    help="A spoken story becomes a campaign, and every gift to it a line in a ledger that can be proved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
audit = typer.Typer(help="Prove the history unaltered.", no_args_is_help=True)
letters = typer.Typer(help="Webhook events that could not be applied.", no_args_is_help=True)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
workspaces = typer.Typer(help="Workspaces, and how long they keep their tickets.", no_args_is_help=True)
export = typer.Typer(help="Data for other programs.", no_args_is_help=True)
for name, group in (("audit", audit), ("dead-letters", letters), ("keys", keys), ("export", export)):
    app.add_typer(group, name=name)
app.add_typer(workspaces, name="workspaces")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
At = Annotated[str | None, typer.Option(metavar="POSITION|TIME", help="As it stood then.")]


@app.command()
def serve(
    only: Annotated[
        str | None, typer.Option(help="A comma list of web, worker, projections; all three without.")
    ] = None,
) -> None:
    """Serve web, worker and projections until told to stop."""
    load_logging()
    from entrypoints.composition.serving import serve as run

    run(only)


@app.command()
def migrate(json: Json = False) -> None:
    """Bring the database to this version; safe to run twice and from two places at once."""
    from entrypoints.cli import database

    database.migrate(json)


@app.command("rebuild-projections")
def rebuild_projections(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which; all without.")] = None,
    verify: Annotated[bool, typer.Option(help="Compare with the live ones and change nothing.")] = False,
    until: Annotated[
        str | None,
        typer.Option(metavar="POSITION|TIME", help="Fold the history only up to there, twice, and compare."),
    ] = None,
    json: Json = False,
) -> None:
    """Rebuild read models from history while readers and writers carry on."""
    from entrypoints.cli import database

    database.rebuild_projections(names or [], verify, until, json)


@app.command()
def history(ticket: str, at: At = None, json: Json = False) -> None:
    """A ticket's events, or the ticket as it stood."""
    from entrypoints.cli import tickets

    tickets.history(ticket, at, json)


@app.command()
def erase(ticket: str, json: Json = False) -> None:
    """Make a person unreadable everywhere; the money and the proof stay. Never asks; repeating it is no error."""
    from entrypoints.cli import tickets

    tickets.erase(ticket, json)


@app.command()
def demo(
    audio: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="Your own recording.")] = None,
    json: Json = False,
) -> None:
    """The main job once: recording, transcript, draft, documents, checkout, gift, refund, ledger, history."""
    from entrypoints.cli import demo as show

    show.demo(audio, json)


@audit.command("verify")
def audit_verify(
    since: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An older checkpoint, or the text of a printed code.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a signed checkpoint of what was verified.")
    ] = None,
    json: Json = False,
) -> None:
    """Recompute chain and tree from the stored bytes; names the first bad position."""
    from entrypoints.cli import proof

    proof.verify(since, checkpoint, json)


@audit.command("export")
def audit_export(ticket: str, file: Path, json: Json = False) -> None:
    """One file that proves a ticket's history to anybody."""
    from entrypoints.cli import proof

    proof.export(ticket, file, json)


@audit.command("check")
def audit_check(
    file: Path,
    key: Annotated[list[str] | None, typer.Option(help="A key you trust (NAME+ID+KEY); may be given often.")] = None,
    json: Json = False,
) -> None:
    """Check an exported file, with no database and no network."""
    from entrypoints.cli import proof

    proof.check(file, key or [], json)


@audit.command("key")
def audit_key(json: Json = False) -> None:
    """The public key that checkpoints are signed with, and those it replaced."""
    from entrypoints.cli import proof

    proof.key(json)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file; it is for its owner alone.")],
    json: Json = False,
) -> None:
    """Copy database and storage, as one moment saw them, into one file; everybody works on meanwhile.

    The file holds the tickets' keys, wrapped by MASTER_KEY, which it does not hold: keep that elsewhere.
    """
    from entrypoints.cli import backups

    backups.backup(file, json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `backup` wrote.")],
    any_key: Annotated[
        bool, typer.Option("--any-key", help="Even if MASTER_KEY opens none of the people in it.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring a backup back into an empty database and an empty storage, and verify it; go on if it was cut off."""
    from entrypoints.cli import backups

    backups.restore(file, any_key, json)


@letters.command("list")
def letters_list(json: Json = False) -> None:
    """What a person must look at, oldest first."""
    from entrypoints.cli import tickets

    tickets.letters_list(json)


@letters.command("retry")
def letters_retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which; all without.")] = None,
    json: Json = False,
) -> None:
    """Take dead letters up again."""
    from entrypoints.cli import tickets

    tickets.letters_retry(ids, json)


@app.command()
def reconcile(
    since: Annotated[
        str | None, typer.Option(metavar="DATE|TIME", help="From then on; the last 30 days without.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask Stripe for events and objects that we never saw, apply them, and compare every donation."""
    from entrypoints.cli import payments

    payments.reconcile(since, json)


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="Which world; the same seed is the same world.")],
    donations: Annotated[int, typer.Option(min=1, max=10_000, help="How many there are in it.")] = 50,
    json: Json = False,
) -> None:
    """Play one random world of donations to a fresh database of its own, and compare with the oracle."""
    from entrypoints.cli import payments

    payments.simulate(seed, donations, json)


@keys.command("create")
def keys_create(
    role: Annotated[str | None, typer.Option(help="client, admin or auditor.")] = None,
    workspace: Annotated[str | None, typer.Option(help="Naming a workspace makes it; public without.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="May be given many times.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE|TIME", help="When it stops working.")] = None,
    replaces: Annotated[
        str | None, typer.Option(metavar="ID", help="Take over role, workspace and scopes of this key.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(metavar="DAYS", min=0, max=365, help="How long the replaced key still works.")
    ] = 7,
    json: Json = False,
) -> None:
    """Make a key, or the successor of one; its secret is shown this once."""
    from entrypoints.cli import keys

    keys.create(role, workspace, scope or [], expires, replaces, overlap, json)


@keys.command("list")
def keys_list(json: Json = False) -> None:
    """All keys there ever were, without their secrets."""
    from entrypoints.cli import keys

    keys.list_all(json)


@keys.command("revoke")
def keys_revoke(id: str, json: Json = False) -> None:
    """Make a key worthless at once."""
    from entrypoints.cli import keys

    keys.revoke(id, json)


@keys.command("rewrap")
def keys_rewrap(json: Json = False) -> None:
    """Bring all that older secrets sealed or hashed to the newest MASTER_KEY and EMAIL_PEPPER, in full service."""
    from entrypoints.cli import privacy

    privacy.keys_rewrap(json)


@workspaces.command("list")
def workspaces_list(json: Json = False) -> None:
    """All workspaces, with how long each keeps its tickets."""
    from entrypoints.cli import privacy

    privacy.workspaces(json)


@workspaces.command("retention")
def workspaces_retention(
    workspace: str,
    days: Annotated[str, typer.Argument(metavar="DAYS|none", help="After so many days that nobody used it.")],
    json: Json = False,
) -> None:
    """Erase tickets by themselves that nobody uses any more, announced 14 days before; none keeps them."""
    from entrypoints.cli import privacy

    privacy.retention(workspace, days, json)


@export.command("donations")
def export_donations(
    ticket: Annotated[str | None, typer.Option(help="Of one ticket only.")] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="DATE|TIME", help="Created from then on.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="DATE|TIME", help="Created until then.")] = None,
    format: Annotated[str, typer.Option(help="csv, json or journal (for hledger).")] = "csv",
) -> None:
    """The ledger for accounting, on standard output."""
    from entrypoints.cli import tickets

    tickets.export_donations(ticket, since, until, format)


def main() -> None:
    """Exit 0 when it did what it says, 1 when it found something wrong, 2 on bad usage."""
    # So that whoever is told to end takes down what it put up, like on Ctrl+C; `serve` has ways of its own.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _check_arguments()
        app(standalone_mode=True)
    except Usage as error:
        fail(error, 2)
    except Found as error:
        fail(error, 1)
    except OSError as error:
        fail(Found(f"{error.filename or 'standard output'}: {error.strerror or 'failed'}"), 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _terminated(*_: object) -> NoReturn:
    # What is taken down is taken down to the end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def _check_arguments() -> None:
    try:
        " ".join(sys.argv).encode()
    except UnicodeEncodeError:
        raise Usage("what stands on the command line must be UTF-8") from None
