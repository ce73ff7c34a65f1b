"""Exports of the ledgers for accounting, read a page at a time, for HTTP and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypeVar

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters.read_models.reads import Reads
from domain.errors import FaultCode, InvalidError
from entrypoints.presentation.exports import ExportedDonation, MovementLine, as_csv, as_json
from entrypoints.presentation.journal import as_journal
from entrypoints.presentation.personal_data import PersonalData
from projections import exports
from projections.exports import Line, Page, Selection
from projections.model import Row

Format = Literal["csv", "json", "movements", "journal"]
Item = TypeVar("Item")
End = TypeVar("End")


@dataclass(frozen=True)
class Export:
    """An export as it was asked for. Raise InvalidError for options that exclude each other.

    With `unpaid` it also lists donations of which no money is known, by their creation.
    """

    format: Format
    selection: Selection
    unpaid: bool = False

    def __post_init__(self) -> None:
        selection = self.selection
        if selection.since and selection.until and selection.since >= selection.until:
            raise InvalidError("must be later than the beginning of the period", "/to", FaultCode.OUT_OF_RANGE)
        if self.format in ("movements", "journal") and selection.by != "moved":
            detail = f"must be `moved` for the format `{self.format}`, which has every movement in its own period"
            raise InvalidError(detail, "/by")
        if self.unpaid and self.format == "journal":
            raise InvalidError("does not fit the format `journal`, which has only movements of money", "/unpaid")

    def content(self, reads: Reads, personal: PersonalData) -> Iterator[bytes]:
        """Yield the content; a page of the ledgers is in memory at a time."""
        if self.format == "journal":
            return as_journal(self._all(reads, exports.movements), self._all(reads, exports.settlements))
        if self.format == "movements":
            rows = self._all(reads, exports.movements, personal.preload)
            movements = (MovementLine.from_row(row, personal) for row in rows)
            unpaid = (MovementLine.of_unpaid(row, personal) for row in self._unpaid(reads))
            return as_csv(chain(movements, unpaid), MovementLine)
        lines = (ExportedDonation.from_rows(*line, personal) for line in self._donations(reads, personal))
        return as_csv(lines) if self.format == "csv" else as_json(lines)

    def _donations(self, reads: Reads, personal: PersonalData) -> Iterator[Line]:
        def preload(lines: Sequence[Line]) -> None:
            personal.preload([row for row, _ in lines])

        if self.selection.selects_movements:
            yield from self._all(reads, exports.moved_donations, preload)
        else:
            yield from self._all(reads, exports.dated_donations, preload)
        for row in self._unpaid(reads):
            yield row, []

    def _unpaid(self, reads: Reads) -> Iterator[Row]:
        return self._all(reads, exports.unpaid_donations) if self.unpaid else iter(())

    def _all(
        self,
        reads: Reads,
        query: Callable[[Cursor[TupleRow], Selection, End | None], Page[Item, End]],
        preload: Callable[[Sequence[Item]], object] = lambda _: None,
    ) -> Iterator[Item]:
        """Yield all items; `preload` reads the keys of each page of them."""
        after: End | None = None

        def next_page(cursor: Cursor[TupleRow]) -> Page[Item, End]:
            return query(cursor, self.selection, after)

        while True:
            items, after = reads.ask(next_page)
            preload(items)
            yield from items
            if after is None:
                return
