"""Commands that refund all gifts of a suspended ticket, one after the other."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from domain.commands.refunds import RefundCommands, SecondPersonNeededError
from domain.errors import InvalidError, RefusedError
from domain.ports import Donations, Tickets
from domain.values import Actor


class GiftOutcome(StrEnum):
    """The result of a refund run for one gift. The values are stored."""

    REQUESTED = "requested"
    DISPUTED = "disputed"
    NOTHING_LEFT = "nothing_left"
    REFUSED = "refused"
    NEEDS_SECOND_PERSON = "needs_second_person"


@dataclass(frozen=True)
class RefundRunCommands:
    tickets: Tickets
    donations: Donations
    refunds: RefundCommands

    def request(self, actor: Actor, ticket_id: UUID, run_id: UUID, reason: str, if_match: int | None = None) -> None:
        """Have all gifts refunded; RefusedError unless the ticket is suspended. A repeated id changes nothing."""
        self.tickets.change(ticket_id, lambda ticket: ticket.refund_all(actor, run_id, reason), if_match)

    def retry(self, actor: Actor, ticket_id: UUID, run_id: UUID, new_run_id: UUID) -> None:
        """Have what is left of all gifts refunded again, for the reason of an earlier run."""
        self.request(actor, ticket_id, new_run_id, self.tickets.get(ticket_id).refund_runs[run_id].reason)

    def refund(self, ticket_id: UUID, donation_id: UUID, run_id: UUID) -> GiftOutcome:
        """Refund what is left of one gift, once for each run however often it is called."""
        ticket, request_id = self.tickets.get(ticket_id), uuid5(run_id, donation_id.hex)
        run, gift = ticket.refund_runs[run_id], self.donations.get(ticket_id, donation_id).gift
        # The result of a request that is recorded is found out by the retries of pending calls.
        if request_id in gift.requests:
            return GiftOutcome.REQUESTED
        if gift.dispute_open:
            return GiftOutcome.DISPUTED
        if gift.refundable <= 0:
            return GiftOutcome.NOTHING_LEFT
        # The key of an erased ticket is destroyed, so the reason cannot be stored.
        reason = None if ticket.erased else run.reason
        try:
            self.refunds.request(run.actor, ticket_id, donation_id, request_id, None, reason)
        except SecondPersonNeededError:
            return GiftOutcome.NEEDS_SECOND_PERSON
        except (RefusedError, InvalidError):
            return GiftOutcome.REFUSED
        return GiftOutcome.REQUESTED
