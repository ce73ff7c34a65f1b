"""Commands about secrets and about how long people are remembered."""

from __future__ import annotations

from entrypoints.cli.audit_record import on_record
from entrypoints.cli.console import Bar, Found, Usage, print_json, say, table
from entrypoints.cli.setup import service


def keys_rewrap(json: bool) -> None:
    with service() as built, Bar(shown=not json) as bar:
        told = built.key_rotation.run(bar)
    if json:
        print_json({"rewrapped": [vars(one) for one in told]})
    else:
        table("Brought to the newest secrets", ("name", "done", "left"), [list(vars(one).values()) for one in told])
    if left := [f"{one.left} of {one.name}" for one in told if one.left]:
        raise Found(f"an older secret that was not given is still needed: {', '.join(left)}")
    if not json:
        say("Older secrets are needed for nothing any more and can be dropped, once every process has the newest.")


def retention(workspace: str, days: str, json: bool) -> None:
    if days != "none" and not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= 36_500):
        raise Usage("DAYS must be a number from 1 to 36500, or none")
    period = None if days == "none" else int(days)
    with service() as built:
        if workspace not in {*built.workspaces(), *built.retention.periods()}:
            raise Found("there is no such workspace")
        with on_record(built.access_log, "workspaces retention", workspace):
            built.retention.keep_for(workspace, period)
    if json:
        print_json({"workspace": workspace, "retentionDays": period})
    elif period is None:
        say(f"The tickets of {workspace} are kept for ever.")
    else:
        say(f"A ticket of {workspace} is erased {period} days after anybody last used it, and announced before that.")


def workspaces(json: bool) -> None:
    with service() as built:
        known, periods = built.workspaces(), built.retention.periods()
    told = [{"workspace": name, "retentionDays": periods.get(name)} for name in sorted({*known, *periods})]
    if json:
        print_json(told)
    else:
        table("Workspaces", ("workspace", "retentionDays"), [list(one.values()) for one in told])
