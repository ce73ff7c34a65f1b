"""The words printed around a person's own: labels, dates and amounts, in English and Spanish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.values import Money, decimals

ENGLISH: Mapping[str, str] = {
    "campaign": "Fundraising campaign",
    "untitled": "Campaign draft",
    "told_by": "Told by",
    "beneficiary": "For whom",
    "location": "Where",
    "goal": "Goal",
    "category": "Category",
    "unsaid": "Not said yet",
    "story": "Story",
    "unwritten": "The story has not been written yet.",
    "breakdown": "How the money will be used",
    "give": "Give with your phone",
    "scan": "Scan the code with your camera, or open this address:",
    "code": "QR code that opens {url}",
    "receipt": "Donation receipt",
    "test": "TEST: no money was paid. This is no receipt.",
    "test_title": "TEST: {title}",
    "donor": "Received from",
    "amount": "Amount",
    "refunded": "Refunded",
    "net": "Net amount",
    "paid_at": "Paid on",
    "donation": "Donation number",
    "for_campaign": "Campaign",
    "anonymous": "Anonymous",
    "transcript": "Transcript",
    "speaker": "Speaker",
    "duration": "Duration",
    "silent": "Nothing was said.",
    "page": "Page",
    "seal": "Proof of the record",
    "seal_use": "This code holds the signed state of the whole record: if that is ever rewritten, this page shows it.",
    "seal_state": "{events} events in the log {origin}, fingerprint {root}",
    "seal_code": "QR code with the signed checkpoint {state}",
}
SPANISH: Mapping[str, str] = {
    "campaign": "Campaña de recaudación",
    "untitled": "Borrador de campaña",
    "told_by": "Contado por",
    "beneficiary": "Para quién",
    "location": "Dónde",
    "goal": "Meta",
    "category": "Categoría",
    "unsaid": "Aún sin indicar",
    "story": "Historia",
    "unwritten": "La historia aún no está escrita.",
    "breakdown": "En qué se usará el dinero",
    "give": "Done con su teléfono",
    "scan": "Escanee el código con la cámara o abra esta dirección:",
    "code": "Código QR que abre {url}",
    "receipt": "Recibo de donación",
    "test": "PRUEBA: no se pagó dinero. Esto no es un recibo.",
    "test_title": "PRUEBA: {title}",
    "donor": "Recibido de",
    "amount": "Importe",
    "refunded": "Reembolsado",
    "net": "Importe neto",
    "paid_at": "Pagado el",
    "donation": "Número de donación",
    "for_campaign": "Campaña",
    "anonymous": "Anónimo",
    "transcript": "Transcripción",
    "speaker": "Voz",
    "duration": "Duración",
    "silent": "No se dijo nada.",
    "page": "Página",
    "seal": "Prueba del registro",
    "seal_use": "Este código guarda el estado firmado de todo el registro: si se reescribe, esta página lo muestra.",
    "seal_state": "{events} eventos en el registro {origin}, huella {root}",
    "seal_code": "Código QR con el punto de control firmado: {state}",
}
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Wording:
    """What the page itself says, in `language`."""

    language: str
    labels: Mapping[str, str]

    @classmethod
    def of(cls, language: str) -> Wording:
        """Spanish for any Spanish, English otherwise."""
        return cls("es", SPANISH) if language.partition("-")[0].lower() == "es" else cls("en", ENGLISH)

    def __getitem__(self, label: str) -> str:
        return self.labels[label]

    def date(self, at: datetime) -> str:
        """The day in UTC, in words, so that nobody takes the day for the month."""
        at = in_utc(at)
        month = MONTHS[self.language].split()[at.month - 1]
        return f"{at.day} de {month} de {at.year}" if self.language == "es" else f"{at.day} {month} {at.year}"

    def moment(self, at: datetime) -> str:
        return f"{self.date(at)}, {in_utc(at):%H:%M} UTC"

    def money(self, money: Money) -> str:
        """The amount with all its currency's decimals and the currency's code, grouped as the language writes it."""
        code = money.currency.upper()
        places = decimals(code)
        major, minor = divmod(abs(money.minor), 10**places)
        minus = "\u2212" if money.minor < 0 else ""
        if self.language == "es":
            fraction = f",{minor:0{places}}" if places else ""
            return f"{minus}{f'{major:,}'.replace(',', NO_BREAK)}{fraction}{NO_BREAK}{code}"
        fraction = f".{minor:0{places}}" if places else ""
        return f"{minus}{SIGNS.get(code, '')}{major:,}{fraction}{NO_BREAK}{code}"


def in_utc(at: datetime) -> datetime:
    """The moment in UTC; one that names no zone is taken to be in UTC already."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def clock(milliseconds: int) -> str:
    """How far into the recording: 0:07, 12:07, 1:02:07."""
    minutes, seconds = divmod(max(0, milliseconds) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
