"""The ledger as a plain-text accounting journal, which `hledger check --strict` accepts."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from heapq import merge
from operator import itemgetter

from domain.values import Money, decimals
from projections import fee_ledger
from projections.fee_ledger import CLEARING
from projections.model import Row

# The account of each kind of entry in the donation ledger; its counterpart is the clearing account at Stripe.
_ACCOUNTS = {
    "paid": "income:donations",
    "refunded": "income:donations:refunded",
    "disputed": "income:donations:disputed",
}


def as_journal(entries: Iterable[Row], settlements: Iterable[Row]) -> Iterator[bytes]:
    """Yield the journal in date order: the entries of the donation ledger and Stripe's settlements, each in that order.

    The accounts and commodities come at the end, when all currencies are known.
    """
    currencies: set[str] = set()
    yield b"; Dates are Stripe's; `recorded` is the day on which we recorded it. Amounts are exact.\ndecimal-mark .\n\n"
    for row in merge(entries, settlements, key=itemgetter("occurred_at", "position")):
        currency = row["currency"]
        currencies.add(currency)
        if "kind" in row:
            amount = row["amount"] if row["kind"] == "paid" else -row["amount"]
            postings = [(CLEARING, amount), (_ACCOUNTS[row["kind"]], -amount)]
            yield _transaction(row, row["kind"], [(account, Money(minor, currency)) for account, minor in postings])
        # An exchange entry is empty until the money of a dispute came back.
        elif changes := list(fee_ledger.postings(row, row["converted"])):
            yield _transaction(row, f"settled {row['category']}", changes)
    for account in sorted({*fee_ledger.ACCOUNTS, *_ACCOUNTS.values()}):
        yield f"account {account}\n".encode()
    for currency in sorted(currencies):
        yield f"commodity 1000.{'0' * decimals(currency)} {currency}\n".encode()


def _transaction(row: Row, description: str, postings: Iterable[tuple[str, Money]]) -> bytes:
    day = row["occurred_at"].astimezone(UTC).date().isoformat()
    recorded = row["recorded_at"].astimezone(UTC).date().isoformat()
    tags = f"donation:{row['donation_id']}, ticket:{row['ticket_id']}, recorded:{recorded}"
    if "balance_transaction_id" in row:
        tags += f", balance:{_plain(row['balance_transaction_id'])}"
    if row["organisation"]:
        tags += f", organisation:{_tag_value(row['organisation'])}"
    lines = [f"{day} ({row['position']}) {_plain(description)}  ; {tags}"]
    lines += [f"    {account:<28}  {change.major} {change.currency}" for account, change in postings]
    return ("\n".join(lines) + "\n\n").encode()


def _tag_value(text: str) -> str:
    """Return the text on one line and without commas, at which a tag ends."""
    return " ".join("".join(c if c.isprintable() and c != "," else " " for c in text).split())


def _plain(text: str) -> str:
    """Return the text with an underscore for each character that has a meaning in a journal."""
    return "".join(c if c.isalnum() or c in " _-" else "_" for c in text)
