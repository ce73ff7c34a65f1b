"""Result pages of lists: a limit, and a cursor that names the last item of the previous page."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from adapters import ids
from domain.errors import FaultCode
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem, invalid
from entrypoints.http.query import parse_integer, parse_time

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_CURSOR_LENGTH = 500
MAX_POSITION = 2**62

Item = TypeVar("Item")
Key = TypeVar("Key")
T = TypeVar("T")


@dataclass
class ResultPage:
    """One result page: `after` has the key of the previous page's last item, and is None for the first page."""

    call: Call
    limit: int
    after: list[Any] | None
    next_cursor: str | None = None

    def cut(self, items: Sequence[Item], key_of: Callable[[Item], Sequence[object]]) -> Sequence[Item]:
        """Return the first `limit` items; if there are more, another page follows, and `next_cursor` is set."""
        if len(items) > self.limit:
            self.next_cursor = cursor_after(key_of(items[self.limit - 1]))
        return items[: self.limit]

    def after_key(self, parse: Callable[..., Key]) -> Key | None:
        """Return the parsed key of the previous page's last item; raise Problem 422 if it does not have that form."""
        if self.after is None:
            return None
        try:
            return parse(*self.after)
        except (ValueError, TypeError, AttributeError):
            raise _invalid_cursor() from None

    def after_time_and_id(self) -> tuple[datetime, UUID] | None:
        return self.after_key(lambda time, id: (parse_time(time), parse_id(id)))

    def after_position(self) -> int | None:
        return self.after_key(parse_position)

    def answer(self, body: T) -> Answer[T]:
        """Return the answer with the link to the next page, if there is one."""
        headers = {}
        if self.next_cursor is not None:
            query_now = self.call.query
            query = {name: query_now.getlist(name) for name in query_now} | {
                "cursor": [self.next_cursor],
                "limit": [str(self.limit)],
            }
            headers["Link"] = f'<{self.call.url_path}?{urlencode(query, doseq=True)}>; rel="next"'
        return Answer(body, 200, headers)


def cursor_after(key: Sequence[object]) -> str:
    """Return the cursor of the page that follows the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def parse_id(text: str) -> UUID:
    id = ids.parse(text)
    if id is None:
        raise ValueError
    return id


def parse_position(position: object) -> int:
    if type(position) is not int or not 0 <= position < MAX_POSITION:
        raise ValueError
    return position


def _invalid_cursor() -> Problem:
    return invalid("/cursor", "is not a cursor of this list")


def requested_page(call: Call) -> ResultPage:
    """Return the page that the query names; raise Problem 422 for an invalid limit or cursor."""
    limit = parse_integer(call.query.get("limit", str(DEFAULT_LIMIT)))
    if limit is None or not 1 <= limit <= MAX_LIMIT:
        raise invalid("/limit", f"must be from 1 to {MAX_LIMIT}", FaultCode.OUT_OF_RANGE)
    cursor = call.query.get("cursor")
    if cursor is None:
        return ResultPage(call, limit, None)
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError
        after = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(after, list):
            raise ValueError
    except (ValueError, RecursionError):
        raise _invalid_cursor() from None
    return ResultPage(call, limit, after)
