"""The commands `backup` and `restore`."""

from dataclasses import asdict
from pathlib import Path

from adapters import backup as backups
from adapters.encryption.keyring import Keyring
from adapters.encryption.ticket_keys import TICKET_KEYRING
from adapters.storage.factory import open_storage
from entrypoints.cli.console import CommandFailed, ProgressBar, print_json, print_line
from entrypoints.cli.context import database
from entrypoints.composition.secrets import master_keys
from entrypoints.composition.service import VERSION


def backup(file: Path, json: bool) -> None:
    with database() as (settings, url), ProgressBar(shown=not json) as bar:
        taken = backups.take_backup(url, open_storage(settings.storage), file, VERSION, bar)
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
        counts = f"{taken.events} events, {taken.rows} rows, {taken.objects} objects, {taken.size_bytes} bytes"
        print_line(f"{file}: {counts}.")
        print_line("The backup does not contain MASTER_KEY and EMAIL_PEPPER, without which its personal data is lost.")
    if taken.first_bad is not None:
        raise CommandFailed(f"event {taken.first_bad[0]} {taken.first_bad[1]}; the backup contains it unchanged")
    if taken.missing:
        raise CommandFailed(f"storage and backup lack {len(taken.missing)} objects that the history names")


def restore(file: Path, any_key: bool, json: bool) -> None:
    with database(check=False, migrate=False) as (settings, url), ProgressBar(shown=not json) as bar:
        key_names = None if any_key else Keyring(master_keys(settings), TICKET_KEYRING).names
        storage = open_storage(settings.storage)
        restored = backups.restore(settings.migrate_database_url or url, storage, file, key_names, bar)
    if json:
        fields = asdict(restored)
        print_json({"takenAt": fields.pop("taken_at").replace("+00:00", "Z"), **fields, "verified": True})
    else:
        print_line(f"Restored as of {restored.taken_at}; all {restored.events} links of the hash chain were verified.")
        print_line("Erase again the tickets that were erased since then, and run `storyledger reconcile`.")
