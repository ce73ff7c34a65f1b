"""The command `backup`."""

from importlib.metadata import version
from pathlib import Path

from adapters.backup.parts import BackupKeys
from adapters.backup.taking import take_backup
from adapters.storage.factory import open_storage
from entrypoints.cli.console import CommandFailed, ProgressBar, print_json, print_line
from entrypoints.cli.context import database
from entrypoints.composition.secrets import master_keys


def backup(file: Path, json: bool) -> None:
    with database() as (settings, url), ProgressBar(shown=not json) as bar:
        keys = BackupKeys(master_keys(settings))
        storage, ours = open_storage(settings.storage), version("storyledger")
        taken = take_backup(url, storage, file, keys, ours, settings.epoch_keys, bar)
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
        print_line(
            "The backup does not contain MASTER_KEY, EMAIL_PEPPER and the epoch keys,"
            " without which its personal data is lost."
        )
    if taken.first_bad is not None:
        raise CommandFailed(f"event {taken.first_bad[0]} {taken.first_bad[1]}; the backup contains it unchanged")
    if taken.missing:
        raise CommandFailed(f"storage and backup lack {len(taken.missing)} objects that the history names")
