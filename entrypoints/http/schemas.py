"""The shapes of answers, for the OpenAPI document; the tests hold real answers against them."""

from __future__ import annotations

from typing import Any

from adapters.postgres.replica import State
from domain.values import (
    ContactType,
    ContentStatus,
    DocumentFormat,
    DocumentType,
    DonationStatus,
    FundingStatus,
    SupportCategory,
    SupportStatus,
)

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
URL: Schema = {"type": "string", "format": "uri-reference"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def one_of(values: Any) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values]}


def thing(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


_STATUSES: dict[str, Schema] = {
    "status": one_of([*ContentStatus, "PAYMENT_RECEIVED"]),
    "contentStatus": one_of(ContentStatus),
    "fundingStatus": one_of(FundingStatus),
}

CODE_ON_ITS_WAY = thing({"requestId": ID})
SESSION = thing({"accessToken": TEXT, "expiresAt": TIME})
DRAFT = thing(
    {
        "title": maybe(TEXT),
        "story": maybe(TEXT),
        "goalAmount": maybe(NUMBER),
        "goalAmountMinor": maybe(WHOLE),
        "currency": maybe(TEXT),
        "beneficiary": maybe(TEXT),
        "location": maybe(TEXT),
        "category": maybe(TEXT),
        "breakdown": many(TEXT),
        "language": maybe(TEXT),
        "sentiment": maybe(TEXT),
        "urgency": maybe(TEXT),
        "keyPoints": many(TEXT),
    }
)
DOCUMENT = thing(
    {
        "documentId": ID,
        "type": one_of(DocumentType),
        "format": one_of(DocumentFormat),
        "sizeBytes": WHOLE,
        "sha256": TEXT,
        "filePath": URL,
        "createdAt": TIME,
    }
)
DOCUMENTS = many(DOCUMENT)
DOCUMENT_TYPES = tuple(format.media_type for format in DocumentFormat)

_DONATION: dict[str, Schema] = {
    "id": ID,
    "amount": NUMBER,
    "amountMinor": WHOLE,
    "currency": TEXT,
    "status": one_of(DonationStatus),
    "donor": TEXT,
    "country": maybe(TEXT),
    "createdAt": TIME,
    "paidAt": maybe(TIME),
    "refundedAt": maybe(TIME),
    "amountRefunded": NUMBER,
    "amountRefundedMinor": WHOLE,
    "amountDisputedMinor": WHOLE,
    "netMinor": WHOLE,
    "disputeStatus": maybe(TEXT),
    "pending": FLAG,
    "sessionId": maybe(TEXT),
}
DONATION = thing(_DONATION)
ATTRIBUTION = thing(
    _DONATION | {"paymentIntentId": maybe(TEXT), "chargeId": maybe(TEXT), "donorEmailHash": maybe(TEXT)}
)
_SEGMENT = thing({"text": TEXT, "startMs": WHOLE, "endMs": WHOLE, "speaker": maybe(TEXT)})
_WORD = thing({"text": TEXT, "startMs": WHOLE, "endMs": WHOLE, "confidence": maybe(NUMBER)})
_TRANSCRIPTION = thing(
    {"id": ID, "text": TEXT, "language": maybe(TEXT), "engine": TEXT, "createdAt": TIME},
    {"segments": many(_SEGMENT), "words": many(_WORD)},
)
QR_CODE = thing({"qrCodeData": TEXT, "targetUrl": URL, "createdAt": TIME})
_ASKED_FOR: dict[str, Schema] = {
    "id": ID,
    "category": one_of(SupportCategory),
    "status": one_of(SupportStatus),
    "createdAt": TIME,
}
_SUPPORT_TICKET = thing(_ASKED_FOR)
SUPPORT_OPENED = thing({"id": ID, "status": one_of([SupportStatus.OPEN]), "createdAt": TIME})
SUPPORT_TICKET = thing(
    _ASKED_FOR
    | {"ticketId": maybe(ID), "message": maybe(TEXT), "contact": maybe(TEXT), "resolvedAt": maybe(TIME), "erased": FLAG}
)
SUPPORT_TICKETS = thing({"supportTickets": many(SUPPORT_TICKET), "nextCursor": maybe(TEXT)})

_TICKET: dict[str, Schema] = {
    "id": ID,
    "contactType": one_of(ContactType),
    "contactValue": maybe(TEXT),
    "displayName": maybe(TEXT),
    **_STATUSES,
    "createdAt": TIME,
    "updatedAt": TIME,
    "version": WHOLE,
}
TICKET = thing(
    _TICKET,
    {
        "donationDraft": maybe(DRAFT),
        "documents": DOCUMENTS,
        "attributions": many(ATTRIBUTION),
        "qrCode": QR_CODE,
        "transcriptions": many(_TRANSCRIPTION),
        "supportTickets": many(_SUPPORT_TICKET),
    },
)
OPENED_TICKET = thing(_TICKET | {"accessToken": TEXT})
PUBLISHED = thing(_TICKET | {"publicUrl": maybe(URL)})
ERASED = thing({"ticketId": ID, "status": one_of(["ERASED"])})

_SUMMARY = thing(
    {"title": maybe(TEXT), "goalAmount": maybe(NUMBER), "goalAmountMinor": maybe(WHOLE), "currency": maybe(TEXT)}
)
_FOUND = many(thing(_TICKET | {"donationDraft": maybe(_SUMMARY)}))
FOUND_TICKETS = thing({"tickets": _FOUND, "nextCursor": maybe(TEXT)})
FOUND_PROFILES = thing({"success": FLAG, "count": WHOLE, "tickets": _FOUND, "nextCursor": maybe(TEXT)})

UPLOADED = thing(
    {
        "audioId": ID,
        "sha256": TEXT,
        "sizeBytes": WHOLE,
        "mediaType": TEXT,
        "durationSeconds": NUMBER,
        "ticket": thing(_TICKET),
    }
)
PROCESSING = thing({"ticketId": ID, "status": one_of(["PROCESSING"]), "pollUrl": URL})
STATUS = thing(
    {
        "ticketId": ID,
        **_STATUSES,
        "stage": maybe(one_of(["TRANSCRIBING", "ANALYSING", "DRAFTING", "DONE", "FAILED"])),
        "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "hasTranscription": FLAG,
        "hasDraft": FLAG,
        "hasDocument": FLAG,
        "needsInfo": maybe(thing({"missingFields": many(TEXT), "suggestedQuestions": many(TEXT)})),
        "error": maybe(thing({"code": TEXT, "message": TEXT, "retryable": FLAG})),
        "updatedAt": TIME,
    }
)
CHECKOUT = thing(
    {
        "checkoutSessionId": TEXT,
        "checkoutUrl": URL,
        "qrCodeData": TEXT,
        "targetUrl": URL,
        "donationId": ID,
        "expiresAt": TIME,
    }
)
DONATIONS = thing(
    {"success": FLAG, "ticketId": ID, "count": WHOLE, "donations": many(DONATION), "nextCursor": maybe(TEXT)}
)
_SUMS = ("paid", "refunded", "disputed", "net")
TOTALS = thing(
    {
        "success": FLAG,
        "total": NUMBER,
        "totalMinor": WHOLE,
        "currency": TEXT,
        "breakdown": thing(dict.fromkeys(_SUMS, NUMBER) | {f"{name}Minor": WHOLE for name in _SUMS}),
        "counts": thing(dict.fromkeys([*(status.lower() for status in DonationStatus), "total"], WHOLE)),
        "lastDonation": maybe(
            thing({"paidAt": TIME, "amount": NUMBER, "amountMinor": WHOLE, "currency": TEXT, "donor": TEXT})
        ),
        "byCurrency": many(thing({"currency": TEXT, **{f"{name}Minor": WHOLE for name in _SUMS}})),
    },
    {
        "entries": many(
            thing(
                {
                    "position": WHOLE,
                    "kind": one_of(["paid", "refunded", "disputed"]),
                    "donationId": ID,
                    "amount": NUMBER,
                    "amountMinor": WHOLE,
                    "currency": TEXT,
                    "at": TIME,
                    "recordedAt": TIME,
                }
            )
        )
    },
)
_EVENT = thing(
    {
        "position": WHOLE,
        "type": TEXT,
        "donationId": maybe(ID),
        "version": WHOLE,
        "recordedAt": TIME,
        "actor": TEXT,
        "data": {"type": "object"},
    }
)
HISTORY: Schema = {
    "anyOf": [
        thing({"events": many(_EVENT), "nextCursor": maybe(TEXT)}),
        thing(
            {
                "at": WHOLE,
                "ticket": thing(_TICKET | {"donationDraft": maybe(DRAFT)}),
                "donations": many(DONATION),
                "totals": TOTALS,
            }
        ),
    ]
}
DEAD_LETTERS = thing(
    {
        "deadLetters": many(
            thing({"id": TEXT, "type": TEXT, "attempts": WHOLE, "error": maybe(TEXT), "receivedAt": TIME})
        ),
        "nextCursor": maybe(TEXT),
    }
)
ACCESS_LOG = thing(
    {
        "accessLog": many(
            thing(
                {
                    "position": WHOLE,
                    "at": TIME,
                    "actor": TEXT,
                    "operation": TEXT,
                    "object": maybe(TEXT),
                    "outcome": TEXT,
                    "requestId": TEXT,
                }
            )
        ),
        "nextCursor": maybe(TEXT),
    }
)
DEAD_MAILS = thing(
    {
        "deadMails": many(
            thing(
                {
                    "id": ID,
                    "kind": TEXT,
                    "ticketId": maybe(ID),
                    "attempts": WHOLE,
                    "error": maybe(TEXT),
                    "createdAt": TIME,
                    "retryable": FLAG,
                }
            )
        ),
        "nextCursor": maybe(TEXT),
    }
)
RETRIED_MAIL = thing({"id": ID, "state": one_of(["waiting"])})
RETRIED_LETTER = thing({"id": TEXT, "state": one_of(["received"])})
PROJECTIONS = thing(
    {
        "projections": many(
            thing(
                {
                    "name": TEXT,
                    "version": WHOLE,
                    "position": WHOLE,
                    "head": WHOLE,
                    "lagSeconds": NUMBER,
                    "rebuilding": FLAG,
                }
            )
        )
    }
)
REBUILDING = thing({"name": TEXT, "status": one_of(["REBUILDING"])})
_SOURCE: dict[str, Schema] = {
    "id": ID,
    "type": one_of(["DOC", "URL", "NOTE", "IMPORT"]),
    "title": TEXT,
    "createdAt": TIME,
}
SOURCE_ADDED = thing({"id": ID, "chunkCount": WHOLE})
SOURCES = thing({"sources": many(thing(_SOURCE | {"chunkCount": WHOLE})), "nextCursor": maybe(TEXT)})
CHUNKS = thing(
    {
        "chunks": many(
            thing({"source": thing(_SOURCE), "number": WHOLE, "text": TEXT, "snippet": TEXT, "rank": NUMBER})
        ),
        "nextCursor": maybe(TEXT),
    }
)
EXPORT = many({"type": "object"})
AUDIT = thing(
    {
        "format": TEXT,
        "ticket": ID,
        "key": TEXT,
        "checkpoint": TEXT,
        "statement": TEXT,
        "events": many(
            thing(
                {
                    "position": WHOLE,
                    "stream": ID,
                    "version": WHOLE,
                    "topic": TEXT,
                    "ticket": ID,
                    "recordedAt": TIME,
                    "state": TEXT,
                    "previous": TEXT,
                    "proof": many(TEXT),
                }
            )
        ),
    }
)
CONSISTENCY = thing({"key": TEXT, "checkpoint": TEXT, "proof": many(TEXT)})
RECEIVED = thing({"received": FLAG, "type": TEXT}, {"idempotent": FLAG})
LIVE = thing({"status": TEXT, "timestamp": TIME, "uptime": NUMBER, "version": TEXT})
DATABASE_HEALTH = thing(
    {
        "ready": FLAG,
        "lastPingAt": maybe(TIME),
        "lastError": maybe(TEXT),
        "failureCount": WHOLE,
        "databaseUrl": one_of(["configured"]),
        "message": TEXT,
    }
)
VERDICT = one_of(["PASS", "FAIL"])
SELF_TEST = thing(
    {"overall": VERDICT, "tests": {"type": "object", "additionalProperties": VERDICT}, "timestamp": TIME},
)
READY = thing(
    {
        "ready": FLAG,
        "database": FLAG,
        "projections": {
            "type": "object",
            "additionalProperties": thing({"position": WHOLE, "head": WHOLE, "lagSeconds": NUMBER}),
        },
        "inbox": maybe(thing({"waiting": WHOLE, "deadLetters": WHOLE, "oldestSeconds": NUMBER})),
        "jobs": maybe(thing({"waiting": WHOLE, "running": WHOLE, "failed": WHOLE})),
    },
    {
        "replica": thing(
            {"state": one_of(State), "lagBytes": maybe(WHOLE), "lagSeconds": maybe(NUMBER), "error": maybe(TEXT)}
        )
    },
)
PROBLEM_KIND = thing({"type": URL, "status": WHOLE, "title": TEXT, "description": TEXT})
PROBLEM = {
    "type": "object",
    "properties": {
        "type": URL,
        "title": TEXT,
        "status": WHOLE,
        "detail": TEXT,
        "instance": URL,
        "requestId": TEXT,
        "errors": many(thing({"pointer": TEXT, "detail": TEXT})),
        "pollUrl": URL,
    },
    "required": ["type", "title", "status", "detail", "instance", "requestId"],
}
