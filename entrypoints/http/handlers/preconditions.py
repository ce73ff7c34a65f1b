"""Conditional requests: the version of a ticket in `ETag` and `If-Match`."""

from domain.errors import StaleVersionError
from entrypoints.http.operations import Call
from projections.model import Row


def if_match(call: Call) -> int | None:
    """Return the version that `If-Match` names, or None if it names none; raise StaleVersionError if it is stale."""
    header = call.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    if str(call.ticket["version"]) in tags:
        return int(call.ticket["version"])
    raise StaleVersionError("The ticket has changed since you read it.")


def etag_header(row: Row) -> dict[str, str]:
    return {"ETag": f'"{row["version"]}"'}
