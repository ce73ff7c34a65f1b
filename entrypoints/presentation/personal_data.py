"""Reading personal data for a response: sealed values are opened at that moment, and masked for auditors."""

from __future__ import annotations

from uuid import UUID

from adapters.encryption.field_cipher import SEAL, FieldCipher
from adapters.event_store.history import ERASED
from domain.errors import NotFoundError
from domain.values import ContactType
from projections.model import Row

ANONYMOUS = "Anonymous"
MASKED = "[masked]"


class PersonalData:
    """Reads personal fields in full or, with `masked`, for a reader who must not see them."""

    def __init__(self, cipher: FieldCipher, *, masked: bool = False) -> None:
        self._cipher = cipher
        self.masked = masked

    def text(self, ticket_id: UUID, value: str) -> str:
        """Return the text, "[masked]" for a masked reader, or "[erased]" if its key was destroyed."""
        try:
            text = self._cipher.open(ticket_id, value) if value.startswith(SEAL) else value
        except NotFoundError:
            return ERASED
        return MASKED if self.masked else text

    def text_or_none(self, ticket_id: UUID, value: str | None) -> str | None:
        return None if value is None else self.text(ticket_id, value)

    def contact(self, row: Row, *, hidden: bool = False) -> str | None:
        """Return a row's contact, shortened for a masked reader and where it is `hidden`, or None if there is none."""
        if row["contact"] is None:
            return None
        contact = PersonalData(self._cipher).text(row["ticket_id"], row["contact"])
        return shortened_contact(row["contact_type"], contact) if self.masked or hidden else contact

    def donor(self, row: Row) -> str:
        """Return the donor's last name, or "Anonymous" if it is not known or was erased."""
        name = self.text_or_none(row["ticket_id"], row["donor_last_name"])
        return ANONYMOUS if name is None or name == ERASED else name


def shortened_contact(type: str, value: str) -> str:
    """Return enough of a contact for its owner to recognise it, and too little for others to learn it."""
    if type == ContactType.EMAIL:
        name, _, host = value.partition("@")
        return f"{name[:1]}***@{host}"
    if type == ContactType.PHONE:
        return f"{value[:2]}***{value[-2:]}"
    return f"{value[:2]}***"


def shown_email_hash(stored: str) -> str:
    """Return the keyed hash of a donor's address without the name of the pepper it was made with."""
    return stored.rpartition(":")[2]
