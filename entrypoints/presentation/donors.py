"""The answer to a donor who asks to be forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from domain.donations import Donation
from entrypoints.presentation.responses import ResponseBody, Time


class DonorForgetting(ResponseBody):
    """A donor who asked to be forgotten; with `name_kept_until`, only the name is kept, because the law asks for it."""

    success: bool
    donation_id: UUID
    forgotten: bool
    name_kept_until: Time | None

    @classmethod
    def of(cls, donation: Donation) -> DonorForgetting:
        forget_at = donation.forget_at
        return cls(
            True,
            donation.donation_id,
            donation.forgotten,
            None if donation.forgotten or forget_at is None else datetime.fromtimestamp(forget_at, UTC),
        )
