"""Search for donations over all tickets of a workspace, or of all workspaces, the latest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.values import DonationStatus, Money
from projections.donation_ledger.donation_table import COLUMNS, DATED_AT
from projections.exports import CAMPAIGN, TICKET
from projections.model import Cursor, Row, fetched_rows

# The date (`dated_at`) and the id of the last donation of a result page.
PageEnd = tuple[datetime, UUID]
# More donations with a name are not looked up: the latest donations are read until a page of them has the name.
MOST_LOOKED_UP = 3_000

_WITH_ADDRESS = "g.donation_id = ANY(ARRAY(SELECT donation_id FROM donor_addresses WHERE hash = ANY(%(email_hashes)s)))"


@dataclass(frozen=True)
class GiftSearch:
    """The filter of a search for donations; a None does not restrict them.

    `since` and `until` are about the date of a donation: when it was paid, or else when it was asked for. `amounts` are
    what was asked for, in any of several currencies. `email_hashes` are the hashes that the donor's address may have,
    and `name_hashes` those of each word of the donor's name.
    """

    workspace: str | None = None
    ticket_id: UUID | None = None
    status: DonationStatus | None = None
    currency: str | None = None
    amounts: Sequence[Money] | None = None
    since: datetime | None = None
    until: datetime | None = None
    email_hashes: list[str] | None = None
    name_hashes: Sequence[list[str]] = ()

    def conditions(self) -> list[str]:
        """Return the conditions of a query in which `g` is the ledger, but for workspace, amount and donor's name."""
        values = {
            "g.ticket_id = %(ticket_id)s": self.ticket_id,
            "g.status = %(status)s": self.status,
            "g.currency = %(currency)s": self.currency,
            f"{DATED_AT} >= %(since)s": self.since,
            f"{DATED_AT} < %(until)s": self.until,
            _WITH_ADDRESS: self.email_hashes,
        }
        return [condition for condition, value in values.items() if value is not None]

    def parameters(self) -> dict[str, Any]:
        amounts = self.amounts or ()
        return {
            **vars(self),
            "minors": sorted({amount.minor for amount in amounts}),
            "amounts": [amount.minor for amount in amounts],
            "currencies": [amount.currency for amount in amounts],
            **{f"name_{number}": hashes for number, hashes in enumerate(self.name_hashes)},
        }


def _has_name(cursor: Cursor, number: int, search: GiftSearch) -> str:
    """Return the condition that the donor's name has the word with this number."""
    some = f"SELECT FROM donor_names WHERE hash = ANY(%(name_{number})s) LIMIT {MOST_LOOKED_UP + 1}"
    cursor.execute(f"SELECT count(*) FROM ({some}) AS named", search.parameters(), prepare=False)  # noqa: S608
    if cursor.fetchall()[0][0] > MOST_LOOKED_UP:
        # Not EXISTS, for which the planner may read all donations with the name.
        named = f"SELECT true FROM donor_names n WHERE n.donation_id = g.donation_id AND hash = ANY(%(name_{number})s)"  # noqa: S608
        return f"({named} LIMIT 1)"
    # As an array, so that these donations are read first. Otherwise the planner looks through the latest donations.
    return f"g.donation_id = ANY(ARRAY(SELECT donation_id FROM donor_names WHERE hash = ANY(%(name_{number})s)))"  # noqa: S608


# Skips from one workspace to the next in the index, without reading all rows.
_ALL_WORKSPACES = """
WITH RECURSIVE names AS (
    (SELECT min(workspace) AS name FROM read.donation_ledger)
    UNION ALL
    SELECT (SELECT min(workspace) FROM read.donation_ledger WHERE workspace > name) FROM names WHERE name IS NOT NULL
)
"""
_AMOUNTS = "SELECT * FROM unnest(%(amounts)s::bigint[], %(currencies)s::text[])"
_ORDER = "ORDER BY dated_at DESC, donation_id DESC LIMIT %(limit)s"
_RESULT = {name: f"m.{name}" for name in COLUMNS} | CAMPAIGN | {"dated_at": "m.dated_at"}


def gifts(cursor: Cursor, search: GiftSearch, limit: int, after: PageEnd | None = None) -> list[Row]:
    """Return up to `limit` donations with their campaigns, the latest first; `after` is the end of a page.

    The rows have the columns of the ledger, `dated_at`, and those that `exports` adds about the campaign. For each
    workspace and each amount, an index yields the latest donations, so no query reads more than some pages of them.
    """
    names = [_has_name(cursor, number, search) for number in range(len(search.name_hashes))]
    sources, conditions = [], [*search.conditions(), *names]
    if search.workspace is None:
        sources.append("names")
        conditions.append("g.workspace = names.name")
    else:
        conditions.append("g.workspace = %(workspace)s")
    if search.amounts is not None:
        sources.append("unnest(%(minors)s::bigint[]) AS asked (minor)")
        conditions.append("g.amount = asked.minor")
        conditions.append(
            "(g.amount, g.currency) IN (SELECT * FROM unnest(%(amounts)s::bigint[], %(currencies)s::text[]))"
        )
    if after is not None:
        conditions.append(f"({DATED_AT}, g.donation_id) < (%(after_date)s, %(after_id)s)")
    latest = f"""
        SELECT {", ".join(f"g.{name}" for name in COLUMNS)}, {DATED_AT} AS dated_at
          FROM read.donation_ledger g WHERE {" AND ".join(conditions)} {_ORDER}
        """  # noqa: S608
    cursor.execute(
        f"""
        {_ALL_WORKSPACES if search.workspace is None else ""}
        SELECT {", ".join(_RESULT.values())}
          FROM (SELECT found.* FROM {" CROSS JOIN ".join([*sources, f"LATERAL ({latest}) found"])} {_ORDER}) m
          {TICKET} ORDER BY m.dated_at DESC, m.donation_id DESC
        """,  # noqa: S608
        search.parameters() | {"limit": limit, "after_date": after and after[0], "after_id": after and after[1]},
        prepare=False,  # planned for these values each time: with others, another index is better
    )
    return fetched_rows(cursor, _RESULT)
