"""Rows as the JSON that clients see: personal texts opened at this moment, and only for who may read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from adapters.encryption.field_cipher import SEAL, FieldCipher
from adapters.event_store.history import ERASED
from domain.errors import NotFoundError
from domain.lifecycle import missing_fields
from domain.values import ContentStatus, FundingStatus, Kind, Money, Step
from projections.donation_ledger import COUNTED
from projections.model import Row
from projections.ticket_status import draft_of

ANONYMOUS = "Anonymous"
MASKED = "[masked]"

# How far the whole work is when a step begins, in per cent; the share of a step that is done comes on top.
_STEP_BEGINS = {Step.TRANSCRIBE: 5, Step.ANALYSE: 75, Step.DRAFT: 85}
_STEP_ENDS = {Step.TRANSCRIBE: 75, Step.ANALYSE: 85, Step.DRAFT: 100}
_STAGES = {Step.TRANSCRIBE: "TRANSCRIBING", Step.ANALYSE: "ANALYSING", Step.DRAFT: "DRAFTING"}

# The draft's fields as clients name them, and what we ask when one is missing.
FIELD_NAMES = {"title": "title", "story": "story", "goal": "goalAmount", "beneficiary": "beneficiary"}
QUESTIONS = {
    "en": {
        "title": "What should the title of your page be?",
        "story": "What happened, in your own words?",
        "goal": "How much money do you need, and in which currency?",
        "beneficiary": "Who is the money for?",
    },
    "es": {
        "title": "¿Qué título debe llevar su página?",
        "story": "¿Qué pasó, en sus propias palabras?",
        "goal": "¿Cuánto dinero necesita, y en qué moneda?",
        "beneficiary": "¿Para quién es el dinero?",
    },
}


def time(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with Z."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def amount(minor: int, currency: str) -> Decimal:
    """The major unit with exactly the currency's decimals; written as a JSON number, digit for digit."""
    return Money(minor, currency).major


def email_hash(stored: str) -> str:
    """The keyed hash of a donor's address; which pepper made it is ours to know."""
    return stored.rpartition(":")[2]


def masked_contact(type: str, value: str) -> str:
    """Enough to recognise one's own contact by, too little to learn another's."""
    if type == "EMAIL":
        name, _, host = value.partition("@")
        return f"{name[:1]}***@{host}"
    if type == "PHONE":
        return f"{value[:2]}***{value[-2:]}"
    return f"{value[:2]}***"


class Views:
    """Opens what is sealed for one kind of reader: who may read it all, or an auditor, who sees it masked."""

    def __init__(self, cipher: FieldCipher, *, masked: bool = False) -> None:
        self._cipher = cipher
        self._masked = masked

    def opened(self, ticket: UUID, sealed: str | None) -> str | None:
        if sealed is None:
            return None
        if not sealed.startswith(SEAL):
            return MASKED if self._masked else sealed
        try:
            text = self._cipher.open(ticket, sealed)
        except NotFoundError:
            return ERASED
        return MASKED if self._masked else text

    def _contact(self, row: Row) -> str | None:
        if row["contact"] is None:
            return None
        readable = Views(self._cipher).opened(row["ticket_id"], row["contact"])
        return masked_contact(row["contact_type"], readable or "") if self._masked else readable

    def ticket(self, row: Row) -> dict[str, Any]:
        return {
            "id": str(row["ticket_id"]),
            "contactType": row["contact_type"],
            "contactValue": self._contact(row),
            "displayName": self.opened(row["ticket_id"], row["display_name"]),
            **statuses(row),
            "createdAt": time(row["created_at"]),
            "updatedAt": time(row["updated_at"]),
            "version": row["version"],
        }

    def draft(self, row: Row) -> dict[str, Any]:
        """The draft with what the analysis found; every field, null where nobody has said it."""
        ticket, draft, analysis = row["ticket_id"], draft_of(row), row["analysis"] or {}
        goal = draft.goal
        return {
            "title": self.opened(ticket, draft.title),
            "story": self.opened(ticket, draft.story),
            "goalAmount": amount(goal.minor, goal.currency) if goal else None,
            "goalAmountMinor": goal.minor if goal else None,
            "currency": goal.currency if goal else draft.currency,
            "beneficiary": self.opened(ticket, draft.beneficiary),
            "location": self.opened(ticket, draft.location),
            "category": self.opened(ticket, draft.category),
            "breakdown": [self.opened(ticket, line) for line in draft.breakdown],
            "language": analysis.get("language"),
            "sentiment": analysis.get("sentiment"),
            "urgency": analysis.get("urgency"),
            "keyPoints": [self.opened(ticket, point) for point in analysis.get("key_points", [])],
        }

    def draft_or_none(self, row: Row) -> dict[str, Any] | None:
        return self.draft(row) if has_draft(row) else None

    def draft_summary(self, row: Row) -> dict[str, Any] | None:
        if not has_draft(row):
            return None
        draft = self.draft(row)
        return {name: draft[name] for name in ("title", "goalAmount", "goalAmountMinor", "currency")}

    def donation(self, row: Row, *, attributed: bool = False) -> dict[str, Any]:
        """One line of the ledger; `attributed` adds Stripe's ids and the donor's keyed hash."""
        currency = row["currency"]
        view = {
            "id": str(row["donation_id"]),
            "amount": amount(row["amount"], currency),
            "amountMinor": row["amount"],
            "currency": currency,
            "status": row["status"],
            "donor": self.donor(row),
            "country": row["country"],
            "createdAt": time(row["created_at"]),
            "paidAt": time(row["paid_at"]),
            "refundedAt": time(row["refunded_at"]),
            "amountRefunded": amount(row["refunded"], currency),
            "amountRefundedMinor": row["refunded"],
            "amountDisputedMinor": row["disputed"],
            "netMinor": row["paid"] - row["refunded"] - row["disputed"],
            "disputeStatus": row["dispute_status"],
            "pending": row["pending"],
            "sessionId": row["session_id"],
        }
        if attributed:
            view |= {
                "paymentIntentId": row["payment_intent_id"],
                "chargeId": row["charge_id"],
                "donorEmailHash": row["email_hash"] and email_hash(row["email_hash"]),
            }
        return view

    def donor(self, row: Row) -> str:
        name = self.opened(row["ticket_id"], row["donor_last_name"])
        return ANONYMOUS if name is None or name == ERASED else name

    def support(self, row: Row, *, contact: bool = False) -> dict[str, Any]:
        """A support ticket; how to reach whoever wrote it in full only with `contact`, and never for an auditor."""
        reached = Views(self._cipher).opened(row["ticket_id"], row["contact"])
        if reached is not None and (self._masked or not contact):
            reached = masked_contact(row["contact_type"], reached)
        return support_summary(row) | {
            "ticketId": row["about"] and str(row["about"]),
            "message": self.opened(row["ticket_id"], row["message"]),
            "contact": reached,
            "resolvedAt": time(row["resolved_at"]),
            "erased": row["erased"],
        }

    def totals(
        self, row: Row, totals: Sequence[Row], last: Row | None, entries: Sequence[Row] | None
    ) -> dict[str, Any]:
        """The top level speaks of one currency; the counts and `byCurrency` of all."""
        currency = main_currency(row, totals)
        main = next((t for t in totals if t["currency"] == currency), None)
        paid, refunded, disputed = (main[k] if main else 0 for k in ("paid", "refunded", "disputed"))
        net = paid - refunded - disputed
        counts = {status.lower(): sum(t[name] for t in totals) for status, name in COUNTED.items()}
        view: dict[str, Any] = {
            "success": True,
            "total": amount(net, currency),
            "totalMinor": net,
            "currency": currency,
            "breakdown": {
                name: amount(minor, currency)
                for name, minor in (("paid", paid), ("refunded", refunded), ("disputed", disputed), ("net", net))
            }
            | {"paidMinor": paid, "refundedMinor": refunded, "disputedMinor": disputed, "netMinor": net},
            "counts": counts | {"total": sum(counts.values())},
            "lastDonation": last
            and {
                "paidAt": time(last["paid_at"]),
                "amount": amount(last["amount"], last["currency"]),
                "amountMinor": last["amount"],
                "currency": last["currency"],
                "donor": self.donor(last),
            },
            "byCurrency": [
                {
                    "currency": t["currency"],
                    "paidMinor": t["paid"],
                    "refundedMinor": t["refunded"],
                    "disputedMinor": t["disputed"],
                    "netMinor": t["paid"] - t["refunded"] - t["disputed"],
                }
                for t in totals
                if t["first_paid_at"] is not None or t["refunded"] or t["disputed"]
            ],
        }
        if entries is not None:
            view["entries"] = [_entry(e) for e in entries if e["currency"] == currency]
        return view


def _entry(row: Row) -> dict[str, Any]:
    """One posting, signed as it adds to the total: money refunded or disputed counts against it."""
    signed = row["amount"] if row["kind"] == "paid" else -row["amount"]
    return {
        "position": row["position"],
        "kind": row["kind"],
        "donationId": str(row["donation_id"]),
        "amount": amount(signed, row["currency"]),
        "amountMinor": signed,
        "currency": row["currency"],
        "at": time(row["occurred_at"]),
        "recordedAt": time(row["recorded_at"]),
    }


def main_currency(row: Row, totals: Sequence[Row]) -> str:
    """The draft's currency if something was captured in it, else the earliest captured, else the draft's or USD."""
    draft = draft_of(row)
    wanted = draft.goal.currency if draft.goal else draft.currency
    captured = [total["currency"] for total in totals if total["first_paid_at"] is not None]
    if captured and wanted not in captured:
        return str(captured[0])
    return wanted or "USD"


def has_draft(row: Row) -> bool:
    return any(value for name, value in row["draft"].items() if name != "currency")


def statuses(row: Row) -> dict[str, str]:
    content: ContentStatus = row["content_status"]
    funding = FundingStatus.FUNDED if row["funded"] else FundingStatus.NONE
    status = "PAYMENT_RECEIVED" if row["funded"] else content.value
    return {"status": status, "contentStatus": content.value, "fundingStatus": funding.value}


def needs_info(row: Row) -> dict[str, Any] | None:
    """What is asked for while the ticket waits for it, in the language of the recording."""
    if row["base"] != ContentStatus.NEEDS_INFO:
        return None
    missing = missing_fields(Kind(row["kind"]), draft_of(row))
    questions = QUESTIONS.get((row["analysis"] or {}).get("language") or "en", QUESTIONS["en"])
    return {
        "missingFields": [FIELD_NAMES[name] for name in missing],
        "suggestedQuestions": [questions[name] for name in missing],
    }


def status(row: Row, done: float) -> dict[str, Any]:
    """How far the work is; `done` is the share of the present step, 0..1."""
    step = Step(row["step"]) if row["step"] else None
    if step is not None:
        begins = _STEP_BEGINS[step]
        stage, progress = _STAGES[step], int(begins + (_STEP_ENDS[step] - begins) * done)
    elif row["error"]:
        stage, progress = "FAILED", _STEP_ENDS[Step.TRANSCRIBE] if row["transcriptions"] else 0
    elif row["base"] in (ContentStatus.READY, ContentStatus.NEEDS_INFO):
        stage, progress = "DONE", 100
    else:
        stage, progress = None, 0
    return {
        "ticketId": str(row["ticket_id"]),
        **statuses(row),
        "stage": stage,
        "progress": progress,
        "hasTranscription": bool(row["transcriptions"]),
        "hasDraft": has_draft(row),
        "hasDocument": row["has_document"],
        "needsInfo": needs_info(row),
        "error": row["error"],
        "updatedAt": time(row["updated_at"]),
    }


def support_summary(row: Row) -> dict[str, Any]:
    return {
        "id": str(row["support_id"]),
        "category": row["category"],
        "status": row["status"],
        "createdAt": time(row["created_at"]),
    }


def document(row: Row, base_url: str) -> dict[str, Any]:
    return {
        "documentId": str(row["document_id"]),
        "type": row["type"],
        "format": row["format"],
        "sizeBytes": row["size_bytes"],
        "sha256": row["sha256"],
        "filePath": f"{base_url}/api/tickets/{row['ticket_id']}/documents/{row['document_id']}/download",
        "createdAt": time(row["created_at"]),
    }
