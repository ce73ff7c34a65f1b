"""A mail to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True)
class Mail:
    """A mail to one address: `kind` names its text, and `values` fill the text in.

    Only one mail is ever sent for a `key`; keys contain ids, never personal data. A mail about a ticket is sealed with
    that ticket's key while it waits, and is deleted when the ticket is erased.
    """

    kind: str
    to: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    key: str
    ticket_id: UUID | None
