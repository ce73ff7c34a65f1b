"""Links in mails to donors, with which they ask to be forgotten."""

import hmac
import re
from uuid import UUID

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.mail.subscriptions import SIGNATURE_DIGITS
from domain.errors import NotFoundError

_TOKEN = re.compile(r"([0-9a-f]{32})([0-9a-f]{32})-([0-9a-f]{32})")


class ForgetLinks:
    """Makes the links and checks them; each is about one gift and contains nothing of the donor."""

    def __init__(self, peppers: tuple[str, ...], public_url: str) -> None:
        self._signatures = KeyedHashes(peppers, "forget donor")
        self._public_url = public_url

    def link(self, ticket_id: UUID, donation_id: UUID) -> str:
        """Return the link of the donor who made this gift."""
        ids = ticket_id.hex + donation_id.hex
        return f"{self._public_url}/forget/{ids}-{_digits(self._signatures.of(ids))}"

    def check(self, token: str) -> tuple[UUID, UUID]:
        """Return the ticket and the donation that the token was made for; NotFoundError if the token is not ours."""
        match = _TOKEN.fullmatch(token)
        if match is not None:
            signatures = map(_digits, self._signatures.all_of(match[1] + match[2]))
            if any(hmac.compare_digest(signature, match[3]) for signature in signatures):
                return UUID(match[1]), UUID(match[2])
        raise NotFoundError("There is no such link.")


def _digits(hash: str) -> str:
    return hash.rpartition(":")[2][:SIGNATURE_DIGITS]
