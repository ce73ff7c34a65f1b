"""The types of personal texts, which say whose key seals them before they are stored."""

from enum import StrEnum
from typing import Annotated


class SealedFor(StrEnum):
    """Whose key seals a personal text before it is stored; destroying the key makes the text unreadable.

    `BOTH` needs the keys of the ticket and of the donation. `BOOKS` is a second key of the donation, for what the law
    asks to keep of a donor who asked to be forgotten.
    """

    TICKET = "1"
    DONATION = "donation"
    BOTH = "both"
    BOOKS = "books"


# A text about the person of a story.
PERSONAL = "personal"
Personal = Annotated[str, PERSONAL]
# A fact about a donor, which the organisation keeps when the person of the story is erased.
DonorFact = Annotated[str, PERSONAL, SealedFor.DONATION]
# A text about the person and the donor, which goes with the first of them who is erased.
SharedText = Annotated[str, PERSONAL, SealedFor.BOTH]
# A fact about a donor who asked to be forgotten, kept as long as the law asks for it.
KeptFact = Annotated[str, PERSONAL, SealedFor.BOOKS]
