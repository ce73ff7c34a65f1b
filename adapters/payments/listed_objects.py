"""The objects that Stripe listed during a reconciliation, in a temporary file: memory does not grow with them."""

import json
import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.encryption.keyring import open_with, seal_with
from adapters.payments.stripe_objects import DonationKey, StripeDict

# `objects` has a row without a body for an object that another one names. `changed` are the ids of objects of which an
# event was missing.
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE objects (id TEXT PRIMARY KEY, donation TEXT NOT NULL, body BLOB);
CREATE INDEX objects_of_donation ON objects (donation);
CREATE TABLE donations (donation TEXT PRIMARY KEY, ticket TEXT NOT NULL, repaired INTEGER NOT NULL);
CREATE TABLE changed (id TEXT PRIMARY KEY);
"""


class ListedObjects:
    """Objects by donation; use it with `with`.

    SQLite deletes the file at once, so that it ends with the process. Bodies are sealed with a key that only this
    object has, because they contain people's names.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.executescript(_TABLES)
        self._cipher = AESGCM(AESGCM.generate_key(256))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    # Objects.

    def add(self, stripe_objects: Iterable[tuple[DonationKey, StripeDict]]) -> None:
        """Store the objects with their donations; an object that is stored already is replaced."""
        added = list(stripe_objects)
        self._write(
            "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            ((data["id"], key[1].hex, self._seal(data)) for key, data in added),
        )
        self.add_donations(key for key, _ in added)

    def link(self, links: Mapping[str, DonationKey]) -> None:
        """Store the donations of objects that are named and may be listed later."""
        self._write("INSERT OR IGNORE INTO objects VALUES (?, ?, NULL)", ((id, links[id][1].hex) for id in links))
        self.add_donations(links.values())

    def links(self, ids: Collection[str]) -> dict[str, DonationKey]:
        """Return the donation of each of these ids that has one."""
        rows = self._matching("SELECT id, ticket, donation FROM objects JOIN donations USING (donation) WHERE id", ids)
        return {id: (UUID(ticket), UUID(donation)) for id, ticket, donation in rows}

    def of(self, keys: Collection[DonationKey]) -> dict[DonationKey, list[StripeDict]]:
        """Return the objects of each of these donations."""
        by_donation: dict[str, list[StripeDict]] = {donation_id.hex: [] for _, donation_id in keys}
        for donation, body in self._matching(
            "SELECT donation, body FROM objects WHERE body IS NOT NULL AND donation", by_donation
        ):
            by_donation[donation].append(self._open(body))
        return {key: by_donation[key[1].hex] for key in keys}

    # Donations.

    def add_donations(self, keys: Iterable[DonationKey], *, repaired: bool = False) -> None:
        """Store donations to be compared; one that was repaired stays so."""
        self._write(
            "INSERT INTO donations VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET repaired = max(repaired, excluded.repaired)",
            ((donation_id.hex, ticket_id.hex, int(repaired)) for ticket_id, donation_id in keys),
        )

    def donation_count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM donations").fetchone()[0])

    def donations(self, limit: int) -> Iterator[dict[DonationKey, bool]]:
        """Yield pages of donations, each with True if it was repaired."""
        for rows in self._pages("SELECT donation, ticket, repaired FROM donations WHERE donation > ?", limit):
            yield {(UUID(ticket), UUID(donation)): bool(repaired) for donation, ticket, repaired in rows}

    # Objects whose events were missing.

    def add_changed(self, ids: Iterable[str]) -> None:
        self._write("INSERT OR IGNORE INTO changed VALUES (?)", ((id,) for id in ids))

    def changed(self, limit: int) -> Iterator[list[str]]:
        """Yield pages of ids."""
        for rows in self._pages("SELECT id FROM changed WHERE id > ?", limit):
            yield [id for (id,) in rows]

    # SQLite.

    def _write(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(statement, rows)
        self._connection.execute("COMMIT")

    def _matching(self, select: str, values: Collection[str]) -> list[Any]:
        # SQLite allows 32,766 values in one statement.
        places = ", ".join("?" * len(values))
        return self._connection.execute(f"{select} IN ({places})", tuple(values)).fetchall()

    def _pages(self, select: str, limit: int) -> Iterator[list[Any]]:
        """Yield pages of rows in the order of their first column, which the statement compares with the last page's."""
        last = ""
        while rows := self._connection.execute(f"{select} ORDER BY 1 LIMIT {limit:d}", (last,)).fetchall():
            yield rows
            last = rows[-1][0]

    def _seal(self, data: StripeDict) -> bytes:
        return seal_with(self._cipher, zlib.compress(json.dumps(data).encode(), 1), None)

    def _open(self, sealed: bytes) -> StripeDict:
        body: StripeDict = json.loads(zlib.decompress(open_with(self._cipher, sealed, None)))
        return body
