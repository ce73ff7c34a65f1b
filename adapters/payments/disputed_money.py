"""The money of a donation that a dispute moved, in the donation's currency.

Stripe moves it in the currency of our account, and may use another exchange rate when it gives the money back.
"""

from fractions import Fraction

from adapters.payments.stripe_objects import BALANCE_TRANSACTION, MalformedObject, StripeObject
from domain.values import Money

# The reporting categories of the balance transactions that move the donor's money. Objects without one are older.
_CATEGORIES = ("dispute", "dispute_reversal", None)
# Stripe shows an exchange rate with a few digits: at least so many decimals, and zeros at the end are left out.
_RATE_DECIMALS = 5
_RATE_ERROR = Fraction(1, 10_000)


def disputed_money(dispute: StripeObject) -> dict[str, Money]:
    """Return what each balance transaction of the dispute moved of the donation, by its id and in its currency.

    Other balance transactions of a dispute, such as fees that are booked by themselves, do not move donors' money.
    """
    transactions = [
        transaction
        for transaction in dispute.objects("balance_transactions", BALANCE_TRANSACTION)
        if transaction.optional_text("reporting_category") in _CATEGORIES
    ]
    withdrawn_minor = -sum(min(0, transaction.integer("amount")) for transaction in transactions)
    disputed = dispute.money("amount")
    return {
        transaction.text("id"): _in_donation_currency(transaction, disputed, withdrawn_minor)
        for transaction in transactions
    }


def _in_donation_currency(transaction: StripeObject, disputed: Money, withdrawn_minor: int) -> Money:
    """Return the moved amount in the donation's currency, converted at the balance transaction's own rate.

    Without a rate it is the sum that was withdrawn, divided by the disputed amount. The disputed amount is returned
    exactly if it converts to what was moved, up to the rounding of the amount and of the rate.
    """
    moved = transaction.signed_money("amount")
    if moved.currency == disputed.currency:
        return moved
    size, rate_error = abs(moved.minor), Fraction(0)
    if shown_rate := transaction.optional_rate("exchange_rate"):
        rate = Fraction(shown_rate)
        rate_error = Fraction(1, 2 * 10 ** max(_RATE_DECIMALS, -int(shown_rate.as_tuple().exponent)))
    elif withdrawn_minor and disputed.minor:
        rate = Fraction(withdrawn_minor, disputed.minor)
    else:
        raise MalformedObject("balance_transactions")
    minor = min(int(size / rate + Fraction(1, 2)), disputed.minor)
    if abs(disputed.minor * rate - size) <= 1 + max(size * _RATE_ERROR, disputed.minor * rate_error):
        minor = disputed.minor
    return Money(-minor if moved.minor < 0 else minor, disputed.currency)
