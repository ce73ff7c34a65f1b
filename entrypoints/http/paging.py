"""Lists a page at a time: a limit, and a cursor that says where the last page ended."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from adapters import ids
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import invalid

DEFAULT_LIMIT = 20
MOST = 100
LONGEST_CURSOR = 500


@dataclass
class Page:
    """One page being made: what was asked for, and where it ends if there is more."""

    call: Call
    limit: int
    after: list[Any] | None
    next_cursor: str | None = field(default=None)

    def more_after(self, *ended: Any) -> None:
        """There is more after the row with these values."""
        self.next_cursor = base64.urlsafe_b64encode(json.dumps(ended).encode()).decode().rstrip("=")

    def after_time_and_id(self) -> tuple[datetime, UUID] | None:
        if self.after is None:
            return None
        try:
            moment, id = self.after
            return _moment(moment), _id(id)
        except (ValueError, TypeError, AttributeError):
            raise _bad_cursor() from None

    def after_payment(self) -> tuple[datetime | None, datetime, UUID] | None:
        if self.after is None:
            return None
        try:
            paid_at, created_at, id = self.after
            return None if paid_at is None else _moment(paid_at), _moment(created_at), _id(id)
        except (ValueError, TypeError, AttributeError):
            raise _bad_cursor() from None

    def after_position(self) -> int:
        if self.after is None:
            return 0
        if len(self.after) != 1 or type(self.after[0]) is not int or not 0 <= self.after[0] < 2**62:
            raise _bad_cursor()
        return self.after[0]

    def answer(self, body: dict[str, Any]) -> Answer:
        """The page with its cursor and its link."""
        headers = {}
        if self.next_cursor is not None:
            query = {**self.call.query, "cursor": self.next_cursor, "limit": str(self.limit)}
            headers["Link"] = f'<{self.call.url_path}?{urlencode(query)}>; rel="next"'
        return Answer(body | {"nextCursor": self.next_cursor}, 200, headers)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1970 <= moment.year < 9999:
        raise ValueError
    return moment


def _id(text: str) -> UUID:
    id = ids.parse(text)
    if id is None:
        raise ValueError
    return id


def _bad_cursor() -> Exception:
    return invalid("/cursor", "is not a cursor of this list")


def asked(call: Call) -> Page:
    """The page that the query asks for; Problem 422 for a limit or cursor that is none."""
    limit = call.query.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MOST):
        raise invalid("/limit", f"must be from 1 to {MOST}")
    cursor = call.query.get("cursor")
    if cursor is None:
        return Page(call, int(limit), None)
    try:
        if len(cursor) > LONGEST_CURSOR:
            raise ValueError
        after = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(after, list):
            raise ValueError
    except (ValueError, RecursionError):
        raise _bad_cursor() from None
    return Page(call, int(limit), after)
