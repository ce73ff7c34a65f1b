"""The countries to choose from on the sandbox's pay page: ISO 3166 code and English name, ordered by name."""

from collections.abc import Mapping
from functools import cache

from adapters.localisation import locale_of

_LIST = """
AR Argentina, AU Australia, AT Austria, BE Belgium, BR Brazil, BG Bulgaria, CA Canada, CL Chile, CN China, CO Colombia,
HR Croatia, CY Cyprus, CZ Czechia, DK Denmark, EG Egypt, EE Estonia, FI Finland, FR France, DE Germany, GH Ghana,
GR Greece, HK Hong Kong, HU Hungary, IS Iceland, IN India, ID Indonesia, IE Ireland, IL Israel, IT Italy, JP Japan,
KE Kenya, KW Kuwait, LV Latvia, LI Liechtenstein, LT Lithuania, LU Luxembourg, MY Malaysia, MT Malta, MX Mexico,
MA Morocco, NL Netherlands, NZ New Zealand, NG Nigeria, NO Norway, PK Pakistan, PE Peru, PH Philippines, PL Poland,
PT Portugal, RO Romania, SA Saudi Arabia, RS Serbia, SG Singapore, SK Slovakia, SI Slovenia, ZA South Africa,
KR South Korea, ES Spain, SE Sweden, CH Switzerland, TW Taiwan, TH Thailand, TN Tunisia, TR Türkiye, UA Ukraine,
AE United Arab Emirates, GB United Kingdom, US United States, UY Uruguay, VN Vietnam
"""

COUNTRIES = {entry[:2]: entry[3:] for entry in _LIST.replace(",\n", ", ").strip().split(", ")}


@cache
def countries(language: str) -> Mapping[str, str]:
    """Return the names of the countries in a language, in the order of their codes' names there."""
    if language == "en":
        return COUNTRIES
    names = locale_of(language).territories
    return dict(sorted(((code, names.get(code, name)) for code, name in COUNTRIES.items()), key=lambda entry: entry[1]))
