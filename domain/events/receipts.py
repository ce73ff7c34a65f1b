"""Events of receipts, in the streams of their donations."""

from domain.events.base import DonationEvent


class ReceiptNumbered(DonationEvent):
    """The receipt of the donation has this number among those of its workspace and year.

    The numbers of a workspace and year are 1, 2, 3 and so on, without a gap, and a donation has one number at most.
    """

    TOPIC = "receipt_numbered"
    workspace: str
    year: int
    number: int
