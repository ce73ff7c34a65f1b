"""Events of donors who asked to be forgotten."""

from domain.events.base import DonationEvent
from domain.personal import KeptFact


class DonorForgetRequested(DonationEvent):
    """The donor asked to be forgotten, and the law still asks for the name of the one who gave.

    The donation's key is destroyed. The name alone stays readable until `forget_at`, in Unix seconds.
    """

    TOPIC = "donor_forget_requested"
    forget_at: int
    last_name: KeptFact


class DonorForgotten(DonationEvent):
    """Nothing of the donor is readable any more; the amounts and the country stay."""

    TOPIC = "donor_forgotten"
