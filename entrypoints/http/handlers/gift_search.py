"""The handler that searches for donations over all tickets."""

from dataclasses import dataclass
from decimal import Decimal

from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.payments.donor_names import DonorNames
from domain.errors import AmountError, FaultCode
from domain.values import CURRENCIES, DonationStatus, Money
from entrypoints.http.handlers.donations import money
from entrypoints.http.handlers.exports import requested_workspace
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import requested_page
from entrypoints.http.problems import invalid
from entrypoints.http.query import amount_parameter, choice_parameter, day_parameter, id_parameter
from entrypoints.presentation.found_donations import FoundDonation, FoundDonationPage
from projections.gift_search import GiftSearch, gifts

MAX_NAME_WORDS = 8


@dataclass(frozen=True)
class GiftSearchHandlers:
    addresses: KeyedHashes
    names: DonorNames

    def search(self, call: Call) -> Answer[FoundDonationPage]:
        page, search = requested_page(call), self.requested_search(call)
        after = page.after_time_and_id()
        fetched_rows = call.reads.ask(lambda cursor: gifts(cursor, search, page.limit + 1, after))
        rows = page.cut(fetched_rows, lambda row: [row["dated_at"].isoformat(), str(row["donation_id"])])
        personal = call.personal_data()
        donations = [FoundDonation.from_row(row, personal) for row in rows]
        return page.answer(FoundDonationPage(donations, page.next_cursor))

    def requested_search(self, call: Call) -> GiftSearch:
        """Return the search that the query names; raise Problem 422 for an invalid parameter."""
        status = choice_parameter(call, "status", list(DonationStatus)) if "status" in call.query else None
        currency = choice_parameter(call, "currency", sorted(CURRENCIES)) if "currency" in call.query else None
        donor = call.query.get("donor")
        is_address = donor is not None and "@" in donor
        return GiftSearch(
            workspace=requested_workspace(call),
            ticket_id=id_parameter(call, "ticket"),
            status=status,
            currency=currency,
            amounts=_amounts(call, currency),
            since=day_parameter(call, "from"),
            until=day_parameter(call, "to", end_of_day=True),
            email_hashes=self.addresses.all_of(donor.strip().lower()) if donor and is_address else None,
            name_hashes=() if donor is None or is_address else self._name_hashes(donor),
        )

    def _name_hashes(self, name: str) -> list[list[str]]:
        hashes = self.names.hashes_of(name)
        if not 0 < len(hashes) <= MAX_NAME_WORDS:
            raise invalid("/donor", f"must be an e-mail address, or 1 to {MAX_NAME_WORDS} words of a name")
        return hashes


def _amounts(call: Call, currency: str | None) -> list[Money] | None:
    """Return the amount in the currency, or in each one that has enough decimals for it; None without the parameter."""
    amount = amount_parameter(call, "amount")
    if amount is None:
        return None
    if currency is not None:
        return [money(amount, currency)]
    amounts = [asked for each in sorted(CURRENCIES) if (asked := _amount_in(amount, each)) is not None]
    if not amounts:
        raise invalid("/amount", "is not an amount of any currency", FaultCode.TOO_MANY_DECIMALS)
    return amounts


def _amount_in(amount: Decimal, currency: str) -> Money | None:
    try:
        return Money.of(amount, currency)
    except AmountError:
        return None
