"""Personal data in responses: values are decrypted when a response is made, and masked for auditors."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from adapters.encryption.field_cipher import FieldCipher, is_sealed
from adapters.event_store.history import ERASED
from domain.corrections import Correction
from domain.errors import NotFoundError
from domain.values import ContactType, Draft
from projections.model import Row
from projections.ticket_status import draft_of

ANONYMOUS = "Anonymous"
MASKED = "[masked]"


class PersonalData:
    """Reads personal fields; with `masked`, for a reader who must not see them in full."""

    def __init__(self, cipher: FieldCipher, *, masked: bool = False) -> None:
        self._cipher = cipher
        self.masked = masked

    def text(self, ticket_id: UUID, value: str) -> str:
        """Return the text, "[masked]" for a masked reader, or "[erased]" if its key was destroyed."""
        try:
            text = self._cipher.open(ticket_id, value) if is_sealed(value) else value
        except NotFoundError:
            return ERASED
        return MASKED if self.masked else text

    def text_or_none(self, ticket_id: UUID, value: str | None) -> str | None:
        return None if value is None else self.text(ticket_id, value)

    def draft(self, row: Row) -> Draft:
        """Return a ticket's draft with its texts as `text` returns them."""
        return self.opened_draft(row["ticket_id"], draft_of(row))

    def opened_draft(self, ticket_id: UUID, sealed: Draft) -> Draft:
        """Return the draft with its texts as `text` returns them."""
        return replace(
            sealed,
            title=self.text_or_none(ticket_id, sealed.title),
            story=self.text_or_none(ticket_id, sealed.story),
            beneficiary=self.text_or_none(ticket_id, sealed.beneficiary),
            location=self.text_or_none(ticket_id, sealed.location),
            category=self.text_or_none(ticket_id, sealed.category),
            breakdown=tuple(self.text(ticket_id, line) for line in sealed.breakdown),
        )

    def corrections(self, row: Row) -> list[Correction]:
        """Return the corrections of a ticket's transcripts in their order."""
        ticket_id = row["ticket_id"]
        return [
            Correction(
                UUID(sealed["recording_id"]),
                sealed["segment"],
                self.text(ticket_id, sealed["from_text"]),
                self.text(ticket_id, sealed["to_text"]),
            )
            for sealed in row["corrections"]
        ]

    def contact(self, row: Row, *, shortened: bool = False) -> str | None:
        """Return a row's contact or None, and shorten it if `shortened` is True or the reader is masked."""
        if row["contact"] is None:
            return None
        contact = PersonalData(self._cipher).text(row["ticket_id"], row["contact"])
        return shortened_contact(row["contact_type"], contact) if self.masked or shortened else contact

    def donor(self, row: Row) -> str:
        """Return the donor's last name, or "Anonymous" if it is not known or was erased."""
        name = self.text_or_none(row["ticket_id"], row["donor_last_name"])
        return ANONYMOUS if name is None or name == ERASED else name

    def email_hash(self, ticket_id: UUID, stored: str) -> str:
        """Return the hash of a donor's e-mail address without the name of its pepper, also for a masked reader."""
        return PersonalData(self._cipher).text(ticket_id, stored).rpartition(":")[2]

    def preload(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Read the keys of all donors in the rows in one query, and return the rows."""
        self._cipher.preload(value for row in rows for value in row.values() if isinstance(value, str))
        return rows

    def preload_keys(self, owners: Iterable[UUID]) -> None:
        """Read these keys in one query."""
        self._cipher.preload_keys(owners)


def shortened_contact(type: str, value: str) -> str:
    """Return enough of a contact for its owner to recognise it, and too little for others to learn it."""
    if type == ContactType.EMAIL:
        name, _, host = value.partition("@")
        return f"{name[:1]}***@{host}"
    if type == ContactType.PHONE:
        return f"{value[:2]}***{value[-2:]}"
    return f"{value[:2]}***"


def shortened_address(address: str) -> str:
    """Return an e-mail address that is recognised by who knows it, and known to nobody else."""
    return shortened_contact(ContactType.EMAIL, address)
