"""The commands `keys rewrap`, `workspaces list` and `workspaces retention`."""

from entrypoints.cli.console import CommandFailed, ProgressBar, UsageError, print_json, print_line, print_table
from entrypoints.cli.context import logged_act, open_service


def rewrap_keys(json: bool) -> None:
    with open_service() as service, ProgressBar(shown=not json) as bar:
        results = [vars(rotated) for rotated in service.jobs.key_rotation.run(bar)]
    if json:
        print_json({"rewrapped": results})
    else:
        print_table("Rewrapped with the newest secrets", ("name", "done", "left"), [[*row.values()] for row in results])
    if left := [f"{row['left']} of {row['name']}" for row in results if row["left"]]:
        raise CommandFailed(f"an older secret that is not in the settings is still needed: {', '.join(left)}")
    if not json:
        print_line("Older secrets are no longer needed. Remove them once every process has the newest ones.")


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
