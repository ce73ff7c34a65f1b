"""The amount that a balance transaction of another currency settled, in the donation's currency."""

from collections.abc import Sequence

from domain.gift import Gift
from domain.movements import CHARGE_SETTLED
from domain.values import Money
from projections.donation_ledger.donation_table import stored_gift
from projections.model import Cursor, Row, fetched_rows

_EXCHANGED = """
SELECT d.donation_id, d.currency, d.gift
  FROM read.donation_ledger d
  JOIN unnest(%(donation_ids)s::uuid[], %(currencies)s::text[]) AS settled (donation_id, currency) USING (donation_id)
 WHERE d.currency <> settled.currency
"""


def with_converted(cursor: Cursor, settlements: Sequence[Row]) -> list[Row]:
    """Return rows of the fee ledger with `converted`: the gross amount in the donation's currency.

    It is None if Stripe exchanged nothing, and if the movement that was settled is not known.
    """
    donation_ids = [settlement["donation_id"] for settlement in settlements]
    currencies = [settlement["currency"] for settlement in settlements]
    cursor.execute(_EXCHANGED, {"donation_ids": donation_ids, "currencies": currencies})
    exchanged = {row["donation_id"]: row for row in fetched_rows(cursor, ("donation_id", "currency", "gift"))}
    converted = []
    for settlement in settlements:
        donation = exchanged.get(settlement["donation_id"])
        minor = None
        if donation is not None and donation["currency"] != settlement["currency"]:
            minor = _moved(stored_gift(donation), settlement)
        amount = None if donation is None or minor is None else Money(minor, donation["currency"])
        converted.append(settlement | {"converted": amount})
    return converted


def _moved(gift: Gift, settlement: Row) -> int | None:
    """Return what the balance transaction moved of the donation, with the sign of our balance, or None."""
    source_id: str = settlement["source_id"] or ""
    if (movement := gift.movements.get(settlement["balance_transaction_id"])) is not None:
        return -movement.amount
    if (refund := gift.refunds.get(source_id)) is not None:
        return refund.amount if settlement["gross"] > 0 else -refund.amount
    capture = gift.captured.get(gift.intents.get(source_id, source_id))
    return capture.amount if capture is not None and settlement["category"] in CHARGE_SETTLED else None
