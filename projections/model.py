"""The types that make up a projection; `adapters.read_models` runs its fold and stores its tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from domain.events import TicketEvent

Key = tuple[Any, ...]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Table:
    """One table: the columns in order with their SQL types, and the names of the columns that are its primary key.

    Every table has a column `position`, with the position of the event that last changed the row, so that each row can
    be traced. `jsonb` columns take and return Python objects. `indexes` are the column lists of CREATE INDEX, and
    `checks` are conditions that the database enforces.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @cached_property
    def key_of(self) -> Callable[[Row], Key]:
        """The function that returns a row's key."""
        return _tuple_getter(self.key)

    @cached_property
    def values_of(self) -> Callable[[Row], tuple[object, ...]]:
        """The function that returns a row's values in the order of the columns."""
        return _tuple_getter(tuple(self.columns))

    @cached_property
    def select(self) -> str:
        """The beginning of a query for the rows of the live table, with all columns."""
        return f"SELECT {', '.join(self.columns)} FROM read.{self.name} "  # noqa: S608


def _tuple_getter(names: tuple[str, ...]) -> Callable[[Row], tuple[object, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda row: (row[name],)


class RecordedEvent(NamedTuple):
    """A recorded event as folds get it: its personal texts stay sealed."""

    position: int
    recorded_at: datetime
    event: TicketEvent


class Rows(Protocol):
    """The projection's own tables while one batch of events is folded into them."""

    def load(self, table: Table, keys: Iterable[Key]) -> None:
        """Fetch these rows in one query; `get` finds only rows that were loaded or put before."""

    def get(self, table: Table, key: Key) -> Row | None:
        """Return a copy of the row with the changes by this batch, or None if there is none or it was not loaded."""

    def lowest(self, table: Table, column: str, group: Row) -> Any:
        """Return the lowest value of a column in the rows, stored or put, that have the values of `group`, or None."""

    def put(self, table: Table, row: Row) -> None:
        """Insert the row, or replace the row that has its key, which must have been loaded or put before."""

    def delete(self, table: Table, key: Key) -> None:
        """Remove the row if it exists."""


def lowest(rows: Iterable[Row], column: str, group: Row) -> Any:
    """Return the lowest value of a column in the rows that have the values of `group`, or None without any value."""
    values = (row[column] for row in rows if all(row[name] == value for name, value in group.items()))
    return min((value for value in values if value is not None), default=None)


class Projection(Protocol):
    """A module that defines one read model. The tables of a new VERSION are filled beside those of the old one."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - module constants
    @property
    def VERSION(self) -> int: ...  # noqa: N802
    @property
    def TOPICS(self) -> frozenset[str]:  # noqa: N802
        """The topics of events that can change the tables; `fold` ignores others, so a rebuild skips them."""

    @property
    def TABLES(self) -> Sequence[Table]: ...  # noqa: N802

    def fold(self, batch: Sequence[RecordedEvent], rows: Rows) -> None:
        """Fold a batch of events into the tables, reading nothing but the events and the tables."""


def topics(*event_classes: type[TicketEvent]) -> frozenset[str]:
    """Return the topics of these event classes and of all their subclasses."""
    own = {event_class.TOPIC for event_class in event_classes if "TOPIC" in vars(event_class)}
    subclasses = [event_class.__subclasses__() for event_class in event_classes]
    return frozenset(own).union(*(topics(*classes) for classes in subclasses if classes))


class Cursor(Protocol):
    """The part of a database cursor that a query needs."""

    def execute(
        self, query: str, params: Mapping[str, Any] | None = None, /, *, prepare: bool | None = None
    ) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


def fetched_rows(cursor: Cursor, columns: Iterable[str]) -> list[Row]:
    """Return the rows of a query's result; `columns` names their values."""
    return [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]


def selected(cursor: Cursor, table: Table, conditions: str, /, **params: object) -> list[Row]:
    """Return the rows of the live table that meet the conditions, the end of a query such as `WHERE … ORDER BY …`."""
    cursor.execute(table.select + conditions, params)
    return fetched_rows(cursor, table.columns)


def selected_row(cursor: Cursor, table: Table, conditions: str, /, **params: object) -> Row | None:
    """Return the first of the rows that `selected` returns, or None."""
    return next(iter(selected(cursor, table, conditions, **params)), None)
