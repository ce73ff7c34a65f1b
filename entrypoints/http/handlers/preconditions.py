"""Conditional requests: the version that a client decided on, and the content that it already has."""

from domain.errors import StaleVersionError
from entrypoints.http.operations import Call
from projections.model import Row


def if_match(call: Call) -> int | None:
    """Return the version that `If-Match` names, or None without the header; StaleVersionError if it is not current."""
    header = call.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    assert call.ticket is not None
    if str(call.ticket["version"]) in tags:
        return int(call.ticket["version"])
    raise StaleVersionError("The ticket has changed since you read it.")


def etag(row: Row) -> dict[str, str]:
    """Return the header that names the ticket's version."""
    return {"ETag": f'"{row["version"]}"'}
