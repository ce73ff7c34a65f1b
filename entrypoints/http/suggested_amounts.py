"""The amounts to choose from on a campaign page: they fit the currency and the goal."""

from domain.commands.checkouts import largest_amount, smallest_amount
from domain.values import Money

# In dollars, of which four neighbours are offered.
_LADDER = (5, 10, 25, 50, 100, 250)
# A campaign below the first goal gets the smallest amounts; one from the second on gets the largest.
_SMALL_GOAL, _LARGE_GOAL = 300, 10_000
# How many units of a currency buy about as much as a dollar, as a number that people count in.
_UNITS_OF_A_DOLLAR = {
    10: "BOB BWP CNY DKK EGP GTQ HKD MAD MXN NOK SEK THB TRY UYU ZAR ZMW",
    100: "AFN ALL BDT CRC DOP DZD ETB HTG HUF INR ISK JPY KES LKR NPR PHP PKR RSD RUB XAF XOF XPF",
    1_000: "AMD AOA ARS CDF CLP KRW KZT MMK NGN RWF SOS TZS UGX YER",
    10_000: "COP GNF IDR KHR LAK LBP MGA PYG UZS VND",
}
_FACTORS = {currency: factor for factor, names in _UNITS_OF_A_DOLLAR.items() for currency in names.split()}


def suggested_amounts(currency: str, goal: Money | None) -> list[Money]:
    """Return up to four amounts from the smallest to the largest, each of which may be given."""
    factor = _FACTORS.get(currency, 1)
    first = 1
    if goal is not None:
        in_dollars = goal.major / factor
        first = 0 if in_dollars < _SMALL_GOAL else 2 if in_dollars >= _LARGE_GOAL else 1
    smallest, largest = smallest_amount(currency).major, largest_amount(currency).major
    fitting = [step * factor for step in _LADDER if smallest <= step * factor <= largest]
    return [Money.of(major, currency) for major in fitting[first : first + 4] or fitting[-4:]]


def preselected(amounts: list[Money]) -> Money | None:
    """Return the amount that is chosen until the donor chooses another one."""
    return amounts[min(1, len(amounts) - 1)] if amounts else None
