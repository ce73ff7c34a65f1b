"""The commands `keys rewrap`, `keys rotate-epoch`, `keys recover`, `workspaces list` and `workspaces retention`."""

from adapters.encryption.epoch_store import EpochStore
from adapters.privacy.key_recovery import EpochKeys, recover
from entrypoints.cli.console import CommandFailed, ProgressBar, UsageError, print_json, print_line, print_table
from entrypoints.cli.context import OPERATOR, logged_act, open_service


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
        print_line(f"{report.keyless} tickets and donors have no key any more, because they were erased since.")


def set_retention(workspace: str, days: str | None, donors: str | None, json: bool) -> None:
    if days is None and donors is None:
        raise UsageError("DAYS or --donors is missing")
    period, donor_period = _period(days), _period(donors)
    with open_service() as service:
        stored, commands = service.aggregates.retention_periods, service.commands.workspaces
        if workspace not in {*service.queries.workspaces(), *stored.ticket_periods(), *stored.donor_periods()}:
            raise CommandFailed("the workspace does not exist")
        given = {"ticket_days": (days, period), "donor_days": (donors, donor_period)}
        changes = {name: value for name, (text, value) in given.items() if text is not None}
        with logged_act(service.access.log, "workspaces retention", workspace, workspace):
            commands.change_settings(OPERATOR, workspace, {"retention": changes})
    if json:
        set_days = {"retentionDays": (days, period), "donorRetentionDays": (donors, donor_period)}
        changed = {name: value for name, (given, value) in set_days.items() if given is not None}
        print_json({"workspace": workspace, **changed})
        return
    if days is not None and period is None:
        print_line(f"Tickets of {workspace} are kept without limit.")
    elif days is not None:
        print_line(
            f"Tickets of {workspace} are erased after {period} days without use, 14 days after a notice by mail."
        )
    if donors is not None and donor_period is None:
        print_line(f"Donors of {workspace} who ask to be forgotten are forgotten at once.")
    elif donors is not None:
        print_line(
            f"The names of donors of {workspace} who ask to be forgotten are kept until {donor_period} days after the"
            " gift."
        )


def _period(days: str | None) -> int | None:
    if days is None or days == "none":
        return None
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= 36_500):
        raise UsageError("DAYS must be a number from 1 to 36500, or none")
    return int(days)


def list_workspaces(json: bool) -> None:
    with open_service() as service:
        names, stored = service.queries.workspaces(), service.aggregates.retention_periods
        periods, donor_periods = stored.ticket_periods(), stored.donor_periods()
    columns = ("workspace", "retentionDays", "donorRetentionDays")
    all_names = sorted({*names, *periods, *donor_periods})
    rows = [(name, periods.get(name), donor_periods.get(name)) for name in all_names]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Workspaces", columns, rows)
