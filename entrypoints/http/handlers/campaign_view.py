"""The money that a campaign page shows: the totals, recent gifts, and the donor's own gift."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from babel.dates import format_date

from adapters.event_store.history import ERASED
from adapters.languages import translations
from adapters.localisation import DATE_PATTERNS, locale_of
from domain.values import DonationStatus, Money
from entrypoints.http.amounts import format_amount
from entrypoints.presentation.donations import DonationTotals
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import ResponseBody
from projections.model import Row

RECENT_GIFTS = 12

GiftState = Literal["unknown", "waiting", "paid", "failed", "returned"]
_STATES: dict[str, GiftState] = {
    DonationStatus.CREATED: "waiting",
    DonationStatus.PAID: "paid",
    DonationStatus.REFUNDED: "returned",
    DonationStatus.DISPUTED: "returned",
}


class PageTotal(ResponseBody):
    """The totals of a campaign as its page shows them: amounts are texts in the page's language.

    `gross` is everything that was given, and `raised` is what is left after refunds and disputes. `gift` is the state
    of the gift whose checkout session the request names.
    """

    raised: str
    gross: str
    returned: str | None
    goal: str | None
    percent: int | None
    gifts: str
    gift: GiftState


class RecentGift(ResponseBody):
    """A gift as everybody may see it."""

    amount: str
    on: str
    name: str | None
    message: str | None


def page_total(totals: DonationTotals, goal: Money | None, own_gift: Row | None, language: str) -> PageTotal:
    """Return the totals in the campaign's main currency."""
    say = translations(language)
    currency, counts = totals.currency, totals.counts
    raised, sums = max(0, totals.total_minor), totals.breakdown
    returned = sums.refunded_minor + sums.disputed_minor
    count = counts.paid + counts.refunded + counts.disputed
    goal_minor = goal.minor if goal and goal.currency == currency else None
    return PageTotal(
        raised=format_amount(Money(raised, currency), language),
        gross=format_amount(Money(sums.paid_minor, currency), language),
        returned=format_amount(Money(returned, currency), language) if returned else None,
        goal=format_amount(Money(goal_minor, currency), language) if goal_minor else None,
        percent=min(100, raised * 100 // goal_minor) if goal_minor else None,
        gifts=say.ngettext("%(count)d gift", "%(count)d gifts", count) % {"count": count},
        gift=gift_state(own_gift),
    )


def gift_state(row: Row | None) -> GiftState:
    """Return what became of a gift, for its donor."""
    return _STATES.get(row["status"], "failed") if row else "unknown"


def recent_gifts(
    rows: Sequence[Row], row: Row, personal: PersonalData, shown_text: Callable[[str], str], language: str
) -> list[RecentGift]:
    """Return the gifts with the name and the message of those donors who agreed that they are shown.

    `shown_text` takes out of a message what the person of the story does not agree to show.
    """

    def words(text: str | None, gift: Row) -> str | None:
        shown = personal.text_or_none(row["ticket_id"], text) if gift["shown"] else None
        return None if shown is None or shown == ERASED else shown_text(shown)

    return [
        RecentGift(
            format_amount(Money(gift["amount"], gift["currency"]), language),
            page_date(gift["paid_at"], language) if gift["paid_at"] else "",
            words(gift["name"], gift),
            words(gift["message"], gift),
        )
        for gift in personal.preload(rows)
    ]


def page_date(moment: datetime, language: str) -> str:
    """Return the date as the language writes it, with the month as a word."""
    locale = locale_of(language)
    return format_date(moment, DATE_PATTERNS.get(locale.language, "long"), locale)
