"""The labels that a document prints around a person's own words, in English and Spanish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.localisation import supported_language

ENGLISH: Mapping[str, str] = {
    "campaign": "Fundraising campaign",
    "untitled": "Campaign draft",
    "told_by": "Told by",
    "beneficiary": "For whom",
    "location": "Where",
    "goal": "Goal",
    "category": "Category",
    "missing": "Not said yet",
    "story": "Story",
    "no_story": "The story has not been written yet.",
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
    "proof": "Proof of the record",
    "proof_use": "This code holds the signed state of the whole record: if that is ever rewritten, this page shows it.",
    "proof_state": "{events} events in the log {origin}, fingerprint {root}",
    "proof_code": "QR code with the signed checkpoint {state}",
}
SPANISH: Mapping[str, str] = {
    "campaign": "Campaña de recaudación",
    "untitled": "Borrador de campaña",
    "told_by": "Contado por",
    "beneficiary": "Para quién",
    "location": "Dónde",
    "goal": "Meta",
    "category": "Categoría",
    "missing": "Aún sin indicar",
    "story": "Historia",
    "no_story": "La historia aún no está escrita.",
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
    "proof": "Prueba del registro",
    "proof_use": "Este código guarda el estado firmado de todo el registro: si se reescribe, esta página lo muestra.",
    "proof_state": "{events} eventos en el registro {origin}, huella {root}",
    "proof_code": "Código QR con el punto de control firmado: {state}",
}
LABELS = {"en": ENGLISH, "es": SPANISH}


@dataclass(frozen=True)
class Wording:
    """The labels of a document in its `language`."""

    language: str
    labels: Mapping[str, str]

    @classmethod
    def of(cls, language: str) -> Wording:
        """Return Spanish labels for any kind of Spanish and English labels for every other language."""
        supported = supported_language(language)
        return cls(supported, LABELS[supported])

    def __getitem__(self, label: str) -> str:
        return self.labels[label]
