"""Folds what Stripe reports of a donor, and forgets it."""

from domain.values import Donor

# The earliest report of each part of the donor: its time in Unix seconds and its text.
DonorReports = dict[str, tuple[int, str]]
_PARTS = Donor.__struct_fields__


def add(reports: DonorReports, donor: Donor, at: int) -> None:
    """Add what was reported at this time."""
    for name in _PARTS:
        text = getattr(donor, name)
        if text is not None:
            reported = at, text
            if name not in reports or reported < reports[name]:
                reports[name] = reported


def forget(reports: DonorReports) -> None:
    """Forget the donor but for the country, which tells nothing about one person."""
    for name in _PARTS:
        if name != "country":
            reports.pop(name, None)


def reported_donor(reports: DonorReports) -> Donor:
    return Donor(*[reports[name][1] if name in reports else None for name in _PARTS])
