"""The read models: one module each. A new one is a module here and an entry in `ALL`."""

from projections import (
    attachments,
    contact_index,
    disputes,
    documents,
    donation_ledger,
    fee_ledger,
    page_words,
    refund_requests,
    support,
    ticket_status,
    workspaces,
)
from projections.model import Projection

ALL: tuple[Projection, ...] = (
    ticket_status,
    donation_ledger,
    fee_ledger,
    documents,
    contact_index,
    support,
    page_words,
    attachments,
    workspaces,
    refund_requests,
    disputes,
)
BY_NAME = {projection.NAME: projection for projection in ALL}
