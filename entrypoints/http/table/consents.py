"""Operations on consents."""

from entrypoints.http.handlers.consents import ConsentHandlers, GivenConsent, WithdrawnConsent
from entrypoints.http.operations import Operation, Parameter
from entrypoints.http.table.access import ALWAYS_OPEN, JSON, NOT_FOUND, READ, TICKET, WRITE

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", f"{TICKET}/consents", "List what the person agrees to show, with every consent and withdrawal",
        ConsentHandlers.list_consents, READ, tag="Consent", id="listConsents",
    ),
    Operation(
        "POST", f"{TICKET}/consents", "Record that the person agrees to show parts of the story", ConsentHandlers.give,
        WRITE, JSON, GivenConsent, 201, idempotency_key=True, tag="Consent", id="giveConsent",
    ),
    Operation(
        "POST", f"{TICKET}/consents/withdraw", "Take consents back, so that what they allowed is shown nowhere",
        ConsentHandlers.withdraw, WRITE, JSON, WithdrawnConsent, tag="Consent", id="withdrawConsent",
    ),
    Operation(
        "GET", "/api/consent-texts/{version}", "Get the words that people agree to, of a version or the `current` one",
        ConsentHandlers.text, ALWAYS_OPEN, other_responses=NOT_FOUND, tag="Consent",
        query=(Parameter("language", "A language such as `es`; English if there is no text in it."),),
        id="getConsentText",
    ),
)  # fmt: skip
