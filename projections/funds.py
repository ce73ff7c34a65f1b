"""A ticket and what its gifts add up to, in one statement: for who would have to ask for both, one after the other."""

from __future__ import annotations

from uuid import UUID

from projections import donation_ledger, ticket_status
from projections.model import Cursor, Row

# Where the ticket's row has its gifts, as `donation_ledger.summary` gives them.
SUMMARY = "summary"

_SELECT = f"""
SELECT asked.*, {donation_ledger.SUMMARY}
  FROM {ticket_status.ONE} AS asked {donation_ledger.SUMMARY_FROM} {donation_ledger.SUMMARY_ORDER}
"""  # noqa: S608


def ticket(cursor: Cursor, ticket_id: UUID) -> Row | None:
    """The ticket's row with its `SUMMARY`."""
    cursor.execute(_SELECT, {"ticket_id": ticket_id})
    found = cursor.fetchall()
    if not found:
        return None
    width = ticket_status.WIDTH
    row = ticket_status.row_of(found[0][:width])
    row[SUMMARY] = donation_ledger.summary_of(cursor, ticket_id, [values[width:] for values in found])
    return row
