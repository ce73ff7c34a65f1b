"""Taking backups, and bringing them back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from adapters import backup as backups
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING
from adapters.storage.factory import open_storage
from entrypoints.cli.console import Bar, Found, print_json, say
from entrypoints.cli.setup import database
from entrypoints.composition.secrets import master_keys
from entrypoints.composition.service import VERSION


def backup(file: Path, json: bool) -> None:
    with database() as (settings, url), Bar(shown=not json) as bar:
        taken = backups.take(url, open_storage(settings.storage), file, VERSION, bar)
    if json:
        print_json(
            {
                "file": str(file),
                "sizeBytes": taken.size_bytes,
                "events": taken.events,
                "rows": taken.rows,
                "objects": taken.objects,
                "erasedMeanwhile": taken.erased_meanwhile,
                "missing": taken.missing,
                "firstBad": taken.first_bad and {"position": taken.first_bad[0], "reason": taken.first_bad[1]},
            }
        )
    else:
        say(f"{file}: {taken.events} events, {taken.rows} rows, {taken.objects} objects, {taken.size_bytes} bytes.")
        say("MASTER_KEY and EMAIL_PEPPER are not in it: without them nobody in it can be read or found again.")
    if taken.first_bad is not None:
        raise Found(f"event {taken.first_bad[0]} {taken.first_bad[1]}: the backup holds it as it is")
    if taken.missing:
        raise Found(f"storage has lost {len(taken.missing)} objects that the history names; the backup is without them")


def restore(file: Path, any_key: bool, json: bool) -> None:
    with database(check=False, migrate=False) as (settings, url), Bar(shown=not json) as bar:
        names = None if any_key else Keyring(master_keys(settings), TICKET_KEYRING).names
        done = backups.restore(settings.migrate_database_url or url, open_storage(settings.storage), file, names, bar)
    if json:
        told = asdict(done)
        print_json({"takenAt": told.pop("taken_at").replace("+00:00", "Z"), **told, "verified": True})
    else:
        say(f"The service as it was at {done.taken_at}: all {done.events} links hold.")
        say("Who was erased since then is not erased in it: erase them again. Stripe's later news: `reconcile`.")
