"""Result pages of lists: a limit, and a cursor that says where the previous page ended."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from adapters import ids
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem, invalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_CURSOR_LENGTH = 500

Item = TypeVar("Item")
Body = TypeVar("Body")


@dataclass
class ResultPage:
    """One result page: `after` is where the previous page ended, None for the first page."""

    call: Call
    limit: int
    after: list[Any] | None
    next_cursor: str | None = field(default=None)

    def cut(self, items: Sequence[Item], cursor_of: Callable[[Item], Sequence[object]]) -> Sequence[Item]:
        """Return the items of this page, given up to `limit` + 1; one too many means that there is another page."""
        if len(items) > self.limit:
            self.continue_after(*cursor_of(items[self.limit - 1]))
        return items[: self.limit]

    def continue_after(self, *values: object) -> None:
        """Set the cursor of the next page to the values that this page ends with."""
        self.next_cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    def after_time_and_id(self) -> tuple[datetime, UUID] | None:
        if self.after is None:
            return None
        try:
            time, id = self.after
            return _time(time), _id(id)
        except (ValueError, TypeError, AttributeError):
            raise invalid_cursor() from None

    def after_payment(self) -> tuple[datetime | None, datetime, UUID] | None:
        if self.after is None:
            return None
        try:
            paid_at, created_at, id = self.after
            return None if paid_at is None else _time(paid_at), _time(created_at), _id(id)
        except (ValueError, TypeError, AttributeError):
            raise invalid_cursor() from None

    def after_position(self) -> int:
        if self.after is None:
            return 0
        if len(self.after) != 1 or type(self.after[0]) is not int or not 0 <= self.after[0] < 2**62:
            raise invalid_cursor()
        return self.after[0]

    def answer(self, body: Body) -> Answer[Body]:
        """Return the answer with the link to the next page, if there is one."""
        headers = {}
        if self.next_cursor is not None:
            query = {**self.call.query, "cursor": self.next_cursor, "limit": str(self.limit)}
            headers["Link"] = f'<{self.call.url_path}?{urlencode(query)}>; rel="next"'
        return Answer(body, 200, headers)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not 1970 <= time.year < 9999:
        raise ValueError
    return time


def _id(text: str) -> UUID:
    id = ids.parse(text)
    if id is None:
        raise ValueError
    return id


def invalid_cursor() -> Problem:
    return invalid("/cursor", "is not a cursor of this list")


def requested_page(call: Call) -> ResultPage:
    """Return the page that the query names; Problem 422 for an invalid limit or cursor."""
    limit = call.query.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MAX_LIMIT):
        raise invalid("/limit", f"must be from 1 to {MAX_LIMIT}")
    cursor = call.query.get("cursor")
    if cursor is None:
        return ResultPage(call, int(limit), None)
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError
        after = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(after, list):
            raise ValueError
    except (ValueError, RecursionError):
        raise invalid_cursor() from None
    return ResultPage(call, int(limit), after)
