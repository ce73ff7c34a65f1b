"""The amounts that a goal may have."""

from decimal import Decimal

from domain.errors import FaultCode, InvalidError
from domain.values import Money, payable_decimals

LARGEST_GOAL = 10_000_000
# A unit of a currency without decimals is worth about a hundredth of a unit of the others.
LARGEST_GOAL_ZERO_DECIMAL = 100 * LARGEST_GOAL


def checked_goal(amount: Decimal | str | int, currency: str) -> Money:
    """Return the amount as a goal; InvalidError if no goal may be that, or AmountError."""
    goal = Money.of(amount, currency)
    largest = LARGEST_GOAL if payable_decimals(currency) else LARGEST_GOAL_ZERO_DECIMAL
    if not 1 <= goal.major <= largest:
        raise InvalidError(f"must be from 1 to {largest}", "/goalAmount", FaultCode.OUT_OF_RANGE)
    return goal
