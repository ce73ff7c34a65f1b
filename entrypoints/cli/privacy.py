"""The commands `keys rewrap`, `keys rotate-epoch`, `keys recover`, `workspaces list` and `workspaces retention`."""

from adapters.encryption.epoch_store import EpochStore
from adapters.privacy.key_recovery import EpochKeys, recover
from entrypoints.cli.console import CommandFailed, ProgressBar, UsageError, print_json, print_line, print_table
from entrypoints.cli.context import logged_act, open_service


def rewrap_keys(json: bool) -> None:
    with open_service() as service, ProgressBar(shown=not json) as bar:
        # A first epoch cannot begin within the block.
        service.epochs.current()
        # A rotation meanwhile could have its saved copies replaced by older ones.
        with service.jobs.epoch_rotation.alone():
            results = [vars(rotated) for rotated in service.jobs.key_rotation.run(bar)]
            # The saved copies were sealed with the older master key.
            service.jobs.epoch_rotation.save_living_keys()
    if json:
        print_json({"rewrapped": results})
    else:
        print_table("Rewrapped with the newest secrets", ("name", "done", "left"), [[*row.values()] for row in results])
    if left := [f"{row['left']} of {row['name']}" for row in results if row["left"]]:
        raise CommandFailed(f"an older secret that is not in the settings is still needed: {', '.join(left)}")
    if not json:
        print_line("Older secrets are no longer needed. Remove them once every process has the newest ones.")


def rotate_epoch(json: bool) -> None:
    with (
        open_service() as service,
        logged_act(service.access.log, "keys rotate-epoch") as act,
        ProgressBar(shown=not json) as bar,
    ):
        report = service.jobs.epoch_rotation.rotate(bar)
        act.object = report.epoch
    if json:
        print_json(vars(report))
    else:
        print_line(f"{report.resealed} values were sealed with the new epoch key in {report.seconds} s.")
        print_line(f"{report.destroyed} old keys were destroyed. Nobody can read the erased persons any more.")


def recover_keys(epoch_keys: str | None, accept_keyless: int, json: bool) -> None:
    with (
        open_service() as service,
        logged_act(service.access.log, "keys recover"),
        service.jobs.epoch_rotation.alone(),
    ):
        places = ([epoch_keys] if epoch_keys else []) + [service.epochs.store.url]
        former = EpochKeys([EpochStore(place) for place in places])
        if not former.opens(service.epochs.names()):
            raise CommandFailed("EPOCH_KEY_URL: has no epoch key that opens the ticket keys; nothing was changed")
        # If this database is a copy, the one that uses the former keys has replaced them by then.
        keep_hours = 2 * service.settings.epoch_hours
        report = recover(service.database, service.epochs, former, keep_hours=keep_hours, accept_keyless=accept_keyless)
        service.jobs.epoch_rotation.save_living_keys()
    if json:
        print_json(vars(report))
    else:
        print_line(f"{report.recovered} values were recovered, and {report.dropped} webhooks and mails were dropped.")
        print_line(f"{report.keyless} tickets have no key any more, because they were erased since.")


def set_retention(workspace: str, days: str, json: bool) -> None:
    if days != "none" and not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= 36_500):
        raise UsageError("DAYS must be a number from 1 to 36500, or none")
    period = None if days == "none" else int(days)
    with open_service() as service:
        if workspace not in {*service.queries.workspaces(), *service.jobs.retention.periods()}:
            raise CommandFailed("the workspace does not exist")
        with logged_act(service.access.log, "workspaces retention", workspace):
            service.jobs.retention.keep_for(workspace, period)
    if json:
        print_json({"workspace": workspace, "retentionDays": period})
    elif period is None:
        print_line(f"Tickets of {workspace} are kept without limit.")
    else:
        print_line(
            f"Tickets of {workspace} are erased after {period} days without use, 14 days after a notice by mail."
        )


def list_workspaces(json: bool) -> None:
    with open_service() as service:
        names, periods = service.queries.workspaces(), service.jobs.retention.periods()
    rows = [(name, periods.get(name)) for name in sorted({*names, *periods})]
    if json:
        print_json([{"workspace": name, "retentionDays": days} for name, days in rows])
    else:
        print_table("Workspaces", ("workspace", "retentionDays"), rows)
