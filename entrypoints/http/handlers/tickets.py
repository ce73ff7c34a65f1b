"""Everything of one ticket: the person, the recording, the draft, the documents."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters import ids
from adapters.identity import contacts
from adapters.identity.credentials import PUBLIC_WORKSPACE, ticket_token
from adapters.identity.tokens import digest
from domain.commands.recordings import Upload
from domain.commands.tickets import NewTicket
from domain.errors import InvalidError, NotFoundError, StaleVersionError
from domain.tickets import AlreadyProcessing
from domain.values import Contact, Content, DocumentFormat, Role
from entrypoints.http import paging
from entrypoints.http.negotiation import is_known, preferred
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem, invalid
from entrypoints.presentation import views
from entrypoints.presentation.views import Views
from projections import contact_index, documents, donation_ledger, support, ticket_status
from projections.model import Row

# The plus sign of a number, not escaped, arrives as a space.
_UNESCAPED_PLUS = re.compile(r" [1-9]")
INCLUDES = ("draft", "documents", "attributions", "qr", "transcriptions", "support")


def views_for(call: Call) -> Views:
    return Views(call.service.cipher, masked=call.masked)


def if_match(call: Call) -> int | None:
    """The version that the caller decided on, if they named one."""
    header = call.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    assert call.ticket is not None
    if str(call.ticket["version"]) in tags:
        return int(call.ticket["version"])
    raise StaleVersionError("The ticket has changed since you read it.")


def row_read(call: Call) -> Row:
    """The ticket as it was when the caller was let in: as new as any other read."""
    assert call.ticket is not None
    return call.ticket


def row_of(call: Call) -> Row:
    """The ticket as it stands now, after what this call did."""
    row = call.service.fresh.ticket(call.ticket_id)
    if row is None:
        raise NotFoundError("There is no such ticket.")
    return row


def shown(call: Call, row: Row, status: int = 200, **more: Any) -> Answer:
    """The ticket, with its version as ETag."""
    return Answer(views_for(call).ticket(row) | more, status, {"ETag": f'"{row["version"]}"'})


# The person and their page.


def create(call: Call) -> Answer:
    body = call.body
    contact = contacts.normalize_contact(body.contact_type, body.contact_value)
    ticket = call.speaks_of = call.seed.id("ticket")
    token = ticket_token(ticket, call.seed.secret("ticket token"))
    call.service.commands.tickets.open(
        call.principal.actor,
        NewTicket(
            ticket_id=ticket,
            workspace=call.principal.workspace or PUBLIC_WORKSPACE,
            slug=call.seed.slug(),
            contact=contact,
            contact_index=call.service.contact_index.of(contact),
            display_name=body.display_name,
            token_digest=digest(token),
        ),
    )
    with call.service.database.reading() as cursor:
        row = ticket_status.ticket(cursor, ticket)
    # The ticket is open whether its read model has seen it yet or not.
    row = row or call.service.ticket_row(ticket)
    assert row is not None
    answer = shown(call, row, 201, accessToken=token)
    answer.headers["Location"] = f"/api/tickets/{ticket}"
    return answer


def get(call: Call) -> Answer:
    wanted, principal = _included(call), call.principal
    if "attributions" in wanted and principal.role is Role.CLIENT and "donations:read" not in principal.scopes:
        raise Problem("forbidden", "This key lacks the scope donations:read, which attributions need.")
    row, view = row_read(call), views_for(call)
    more: dict[str, Any] = {}
    if "documents" in wanted:
        found = call.reads.ask(lambda cursor: documents.documents(cursor, call.ticket_id))
        more["documents"] = [views.document(document, call.service.public_url) for document in found]
    if "attributions" in wanted:
        donations = call.reads.ask(lambda cursor: donation_ledger.donations(cursor, call.ticket_id))
        more["attributions"] = [view.donation(donation, attributed=True) for donation in donations]
    if "draft" in wanted:
        more["donationDraft"] = view.draft_or_none(row)
    if "qr" in wanted:
        more["qrCode"] = qr_view(call, row)
    if "transcriptions" in wanted:
        more["transcriptions"] = [_transcription(call, told) for told in row["transcriptions"]]
    if "support" in wanted:
        asked = call.reads.ask(lambda cursor: support.about(cursor, call.ticket_id))
        more["supportTickets"] = [views.support_summary(row) for row in asked]
    return shown(call, row, **more)


def _included(call: Call) -> set[str]:
    wanted = {name.strip() for listed in call.query_all("include") for name in listed.split(",") if name.strip()}
    if wanted - set(INCLUDES):
        raise invalid("/include", f"must be some of {', '.join(INCLUDES)}")
    return wanted


def _transcription(call: Call, told: Row) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": told["id"],
        "text": views.MASKED,
        "language": told["language"],
        "engine": told["engine"],
        "createdAt": told["created_at"].replace("+00:00", "Z"),
    }
    if call.masked:
        return view
    content = Content(told["sha256"], told["size_bytes"])
    with call.service.contents.open(call.ticket_id, content) as stored:
        transcript = call.service.transcripts.load(stored.read())
    view["text"] = transcript.text
    if transcript.segments is not None:
        view["segments"] = [
            {"text": s.text, "startMs": s.start_ms, "endMs": s.end_ms, "speaker": s.speaker}
            for s in transcript.segments
        ]
    if transcript.words is not None:
        view["words"] = [
            {"text": w.text, "startMs": w.start_ms, "endMs": w.end_ms, "confidence": w.confidence}
            for w in transcript.words
        ]
    return view


def search(call: Call) -> Answer:
    rows, page = _found(call)
    view = views_for(call)
    tickets = [view.ticket(row) | {"donationDraft": view.draft_summary(row)} for row in rows]
    return page.answer({"tickets": tickets})


def search_profiles(call: Call) -> Answer:
    rows, page = _found(call)
    view = views_for(call)
    tickets = [view.ticket(row) | {"donationDraft": view.draft_summary(row)} for row in rows]
    return page.answer({"success": True, "count": len(tickets), "tickets": tickets})


def _found(call: Call) -> tuple[list[Row], paging.Page]:
    """The tickets of the searched contact that the caller may know of, newest first."""
    text = call.query.get("contact", "")
    if not text.strip():
        raise invalid("/contact", "say whose tickets to find")
    if _UNESCAPED_PLUS.match(text):
        text = "+" + text[1:]
    try:
        searched: list[Contact] = contacts.possible_contacts(text)
    except InvalidError:
        searched = []
    indexes = [index for contact in searched for index in call.service.contact_index.all_of(contact)]
    if call.principal.session is not None:
        # Somebody who came back finds by their own contact only, and by any other nothing.
        indexes = [index for index in indexes if index in call.principal.contact_indexes]
    page = paging.asked(call)
    workspace = call.principal.workspace if call.principal.role is Role.CLIENT else None
    after = page.after_time_and_id()

    def asked(cursor: Cursor[TupleRow]) -> tuple[list[tuple[UUID, datetime]], dict[UUID, Row]]:
        found = contact_index.tickets_of(cursor, indexes, workspace, page.limit + 1, after, only=call.principal.ticket)
        return found, ticket_status.tickets(cursor, [ticket for ticket, _ in found[: page.limit]])

    found, rows = call.reads.ask(asked)
    if len(found) > page.limit:
        ticket, at = found[page.limit - 1]
        page.more_after(at.isoformat(), str(ticket))
    return [rows[ticket] for ticket, _ in found[: page.limit] if ticket in rows], page


def change(call: Call) -> Answer:
    call.service.commands.tickets.rename(call.principal.actor, call.ticket_id, call.body.display_name, if_match(call))
    return shown(call, row_of(call))


def publish(call: Call) -> Answer:
    call.service.commands.tickets.publish(
        call.principal.actor, call.ticket_id, consent=call.body.consent, if_match=if_match(call)
    )
    row = row_of(call)
    return shown(call, row, publicUrl=call.service.page_url(row["slug"]))


def unpublish(call: Call) -> Answer:
    call.service.commands.tickets.unpublish(call.principal.actor, call.ticket_id, if_match(call))
    row = row_of(call)
    return shown(call, row, publicUrl=None)


def erase(call: Call) -> Answer:
    call.service.commands.tickets.erase(call.principal.actor, call.ticket_id, if_match(call))
    return Answer({"ticketId": str(call.ticket_id), "status": "ERASED"}, 202)


# The recording and the work on it.


def upload_audio(call: Call) -> Answer:
    assert call.upload is not None
    facts = call.service.inspector.inspect(call.upload.file)
    recording = call.seed.id("recording")
    content = call.service.commands.recordings.upload(
        call.principal.actor,
        call.ticket_id,
        Upload(recording, call.upload.file, facts, call.upload.file_name),
        if_match(call),
    )
    row = row_of(call)
    return Answer(
        {
            "audioId": str(recording),
            "sha256": content.sha256,
            "sizeBytes": content.size_bytes,
            "mediaType": facts.media_type,
            "durationSeconds": facts.duration_ms / 1000,
            "ticket": views_for(call).ticket(row),
        },
        200,
        {"ETag": f'"{row["version"]}"'},
    )


def process(call: Call) -> Answer:
    try:
        call.service.commands.recordings.process(call.principal.actor, call.ticket_id, if_match(call))
    except AlreadyProcessing as refusal:
        raise Problem("conflict", str(refusal), more={"pollUrl": _poll_url(call)}) from None
    return _processing(call)


def retry(call: Call) -> Answer:
    try:
        call.service.commands.recordings.retry(call.principal.actor, call.ticket_id, if_match(call))
    except AlreadyProcessing as refusal:
        raise Problem("conflict", str(refusal), more={"pollUrl": _poll_url(call)}) from None
    return _processing(call)


def _processing(call: Call) -> Answer:
    url = _poll_url(call)
    return Answer(
        {"ticketId": str(call.ticket_id), "status": "PROCESSING", "pollUrl": url},
        202,
        {"Location": url, "Retry-After": "1"},
    )


def _poll_url(call: Call) -> str:
    return f"/api/tickets/{call.ticket_id}/status"


def get_status(call: Call) -> Answer:
    return _status(call, row_read(call))


def _status(call: Call, row: Row) -> Answer:
    done = call.service.progress(row["ticket_id"], row["recording_id"], row["step"]) if row["step"] else 0.0
    return Answer(views.status(row, done), 200, {"ETag": f'"{row["version"]}"'})


def provide_info(call: Call) -> Answer:
    given = {name: value for name, value in _changes(call).items() if value is not None}
    call.service.commands.tickets.provide_info(call.principal.actor, call.ticket_id, given, if_match(call))
    return _status(call, row_of(call))


def change_draft(call: Call) -> Answer:
    changes = _changes(call)
    if "breakdown" in changes:
        changes["breakdown"] = tuple(changes["breakdown"] or ())
    call.service.commands.tickets.edit_draft(call.principal.actor, call.ticket_id, changes, if_match(call))
    row = row_of(call)
    return Answer(views_for(call).draft(row), 200, {"ETag": f'"{row["version"]}"'})


def _changes(call: Call) -> dict[str, Any]:
    return {name: getattr(call.body, name) for name in call.body.model_fields_set}


# Documents and QR codes.


def generate_document(call: Call) -> Answer:
    order = call.body
    document_id = call.seed.id("document")
    call.service.commands.documents.generate(
        call.principal.actor,
        call.ticket_id,
        document_id,
        order.doc_type,
        order.format,
        dated=datetime.now(UTC),
        donation_id=order.donation_id,
        if_match=if_match(call),
    )
    view = views.document(_document(call, document_id), call.service.public_url)
    return Answer(view, 201, {"Location": view["filePath"]})


def list_documents(call: Call) -> Answer:
    found = call.reads.ask(lambda cursor: documents.documents(cursor, call.ticket_id))
    return Answer([views.document(row, call.service.public_url) for row in found])


def download(call: Call) -> Answer:
    document_id = ids.parse(call.path["document_id"])
    if document_id is None:
        raise NotFoundError("There is no such document.")
    row = _document(call, document_id)
    headers = {"ETag": f'"{row["sha256"]}"'}
    if is_known(call.headers.get("if-none-match"), headers["ETag"]):
        return Answer(None, 304, headers)
    with call.service.contents.open(call.ticket_id, Content(row["sha256"], row["size_bytes"])) as stored:
        data = stored.read()
    format = DocumentFormat(row["format"])
    name = quote(f"{row['type'].lower().replace('_', '-')}-{row['document_id']}.{format}")
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return Answer(data, 200, headers, format.media_type)


def _document(call: Call, document_id: UUID) -> Row:
    row = call.reads.ask(lambda cursor: documents.document(cursor, call.ticket_id, document_id))
    if row is None:
        raise NotFoundError("There is no such document.")
    return row


def qr_view(call: Call, row: Row) -> dict[str, Any]:
    url = call.service.page_url(row["slug"])
    return {"qrCodeData": qr_data(call, url), "targetUrl": url, "createdAt": views.time(row["created_at"])}


def qr_data(call: Call, url: str) -> str:
    return "data:image/png;base64," + base64.b64encode(call.service.qr_codes.png(url)).decode()


def qr_code(call: Call) -> Answer:
    """JSON, or the picture itself, by what the caller would rather have."""
    row = row_read(call)
    url = call.service.page_url(row["slug"])
    if not row["erased"]:
        call.service.save_qr_image(row["ticket_id"], url)
    headers = {"Vary": "Accept"}
    match preferred(call.headers.get("accept"), ("application/json", "image/png", "image/svg+xml")):
        case "image/png":
            return Answer(call.service.qr_codes.png(url), 200, headers, "image/png")
        case "image/svg+xml":
            return Answer(call.service.qr_codes.svg(url), 200, headers, "image/svg+xml")
        case _:
            return Answer(qr_view(call, row), 200, headers)
