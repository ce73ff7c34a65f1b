"""The command `restore`."""

from dataclasses import asdict
from pathlib import Path

from adapters.backup import restoring
from adapters.postgres.database import connect
from adapters.postgres.roles import grant_service
from adapters.storage.factory import open_storage
from entrypoints.cli.console import ProgressBar, print_json, print_line, print_table
from entrypoints.cli.context import database, role_of
from entrypoints.composition.secrets import master_keys


def restore(file: Path, any_key: bool, former_epoch_keys: str | None, accept_keyless: int, json: bool) -> None:
    with database(check=False, migrate=False, create=True) as (settings, url), ProgressBar(shown=not json) as bar:
        keys = None if any_key else master_keys(settings)
        storage = open_storage(settings.storage)
        target = settings.migrate_database_url or url
        # Another database that uses the former keys has replaced them by then.
        keep_hours = 2 * settings.epoch_hours
        restored = restoring.restore(
            target,
            storage,
            file,
            keys,
            settings.epoch_keys,
            former_epoch_keys,
            bar,
            accept_keyless=accept_keyless,
            keep_former_keys_hours=keep_hours,
        )
        with connect(target) as connection:
            grant_service(connection, role_of(url))
    if json:
        print_json(
            {
                "takenAt": restored.taken_at.replace("+00:00", "Z"),
                "events": restored.events,
                "rows": restored.rows,
                "objects": restored.objects,
                "keyless": restored.keyless,
                "dropped": restored.dropped,
                "formerKeys": restored.former_keys,
                "version": restored.version,
                "verified": True,
                "authenticated": restored.authenticated,
                "credentials": {
                    "apiKeys": [asdict(key) for key in restored.credentials.api_keys],
                    "sessions": restored.credentials.sessions,
                    "ticketTokens": restored.credentials.ticket_tokens,
                },
            }
        )
    else:
        print_line(f"Restored as of {restored.taken_at}; all {restored.events} links of the hash chain were verified.")
        if restored.keyless:
            print_line(f"{restored.keyless} tickets and donors were erased since then, and can be read by nobody.")
        if restored.former_keys:
            print_line(
                f"EPOCH_KEY_URL holds {restored.former_keys} epoch keys of the former database, which a worker destroys"
                f" in {keep_hours:g} hours. If that database still runs, give this one another EPOCH_KEY_URL."
            )
        print_line("Erase again the tickets that were erased since then, and run `storyledger reconcile`.")
        if not restored.authenticated:
            print_line("The backup was not authenticated, so its content may have been changed since it was made.")
        _print_credentials(restored.credentials)


def _print_credentials(credentials: restoring.RestoredCredentials) -> None:
    rows = [(key.id, key.role, key.workspace, " ".join(key.scopes)) for key in credentials.api_keys]
    print_table("API keys that are valid again", ("id", "role", "workspace", "scopes"), rows)
    print_line(f"Also valid again: {credentials.sessions} sessions and {credentials.ticket_tokens} ticket tokens.")
    print_line("Revoke the keys that were revoked after the backup: `storyledger keys revoke ID`.")
