"""Hostile texts in any place cause nothing to be fetched, opened, executed or sent."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest

from adapters.mail.letterhead import Letterhead
from adapters.mail.messages import checked, compose
from domain.commands.retention import erasure_notice
from domain.values import SYSTEM
from entrypoints.presentation.exports import ExportedDonation, as_csv
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox
from tests.stripe_events import DAY, Payment, event, thin


class Listener:
    """Accepts connections without answering, and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.visits = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.visits += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    new_listener = Listener()
    socket.create_connection(("127.0.0.1", new_listener.port)).close()
    while not new_listener.visits:
        pass
    new_listener.visits = 0
    yield new_listener
    new_listener.close()


def documents(ticket: Ticket) -> Iterator[bytes]:
    for format in ("docx", "pdf"):
        generated = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT", "format": format})
        assert generated.status_code == 201, generated.text
        yield ticket.http.get(generated.json()["filePath"]).content


def test_no_address_in_a_users_text_is_ever_called(live: LiveService, client: Client, listener: Listener):
    listener_address = f"127.0.0.1:{listener.port}"
    url = f"http://{listener_address}/x"
    ways = [
        url,
        f"http://localhost:{listener.port}/",
        f"http://[::ffff:127.0.0.1]:{listener.port}/",
        f"https://{listener_address}",
    ]
    hostile = {
        "Host": listener_address,
        "X-Forwarded-Host": listener_address,
        "Referer": url,
        "Origin": f"http://{listener_address}",
    }
    for way in ways:
        client.post("/api/tickets/create", json={"contactType": "SOCIAL", "contactValue": way}, headers=hostile)
    ticket = client.open_ticket(contactType="SOCIAL", contactValue=url, displayName=url)
    images = f'![x]({url}) <img src="{url}"> #image("{url}") {{ INCLUDEPICTURE "{url}" }} file://{listener_address}/x'
    ticket.write_draft(title=url, story=images, beneficiary=url, location=url, category=url, breakdown=[images])
    assert ticket.upload(RECORDING.read_bytes(), url).status_code == 200
    assert ticket.post("/process", {"audioFilePath": url}).status_code == 202
    assert all(documents(ticket))
    slug = ticket.post("/publish", {"consent": True}).json()["publicUrl"].rpartition("/")[2]
    assert client.get(f"/d/{slug}", headers=hostile).status_code == 200
    order = {"amount": 5, "currency": "USD", "description": url}
    donation = ticket.post("/create-payment", order, headers=hostile).json()["donationId"]

    # Addresses in Stripe's objects, of our donations or others, are not called either.
    payment = Payment(UUID(ticket.id), 500, donation_id=UUID(donation))
    links: dict[str, Any] = dict.fromkeys(
        ("url", "receipt_url", "success_url", "hosted_invoice_url", "return_url"), url
    )
    for stripe_event in (
        event("checkout.session.completed", payment.session(**links)),
        event("charge.succeeded", payment.charge(**links, refunds={"url": url, "object": "list"})),
        thin("v1.charge.succeeded", f"ch_{listener_address}/../../x", "charge") | {"context": url},
        thin("v1.charge.succeeded", "ch_1", "charge")
        | {"related_object": {"id": "ch_1", "type": "charge", "url": url}},
    ):
        assert live.webhook(stripe_event).status_code in (200, 400)
    live.service.payments.retrievals.retrieve_all()
    live.applied()
    assert listener.visits == 0


PATHS = (
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\secrets.json",
    "%2e%2e%2fsecrets.json",
    "....//secrets.json",
    "\x00/x",
)


def test_no_name_from_a_client_becomes_a_file_path(live: LiveService, client: Client, ticket: Ticket):
    before = {path for path in live.settings.data_dir.rglob("*") if "storage" not in path.parts}
    for number, name in enumerate(PATHS):
        data = RECORDING.read_bytes() + b"\0" * number
        assert ticket.upload(data, name).status_code == 200
        assert ticket.post("/process", {"audioFilePath": name}).status_code == 202
        ticket.upload(data + b"\0")  # ends what was being worked on
        for path in ("/static", "/problems", f"{ticket.path}/documents", "/d", "/api/tickets"):
            for end in ("", "/download"):
                answer = client.get(f"{path}/{name.replace(chr(0), '%00')}{end}")
                assert answer.status_code in (401, 404, 405), answer.url
    assert {path for path in live.settings.data_dir.rglob("*") if "storage" not in path.parts} == before
    for key in live.stored_objects():
        kind, owner, name = key.split("/")
        assert (kind, str(UUID(owner)), len(name)) == ("tickets", owner, 64)


FORMULAS = ('=HYPERLINK("http://x")', "+1+1", "-1", "@SUM(A1)", "＝1+1", ";=1+1", "a;=1+1", "a;\u3000@x", "|=1", "\t=1")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_no_cell_of_an_export_is_a_formula_with_any_separator(separator: str):
    empty = dict.fromkeys(ExportedDonation.__struct_fields__)
    lines = [ExportedDonation(**empty | {"donor": formula, "status": "PAID"}) for formula in FORMULAS]
    text = b"".join(as_csv(lines)).decode()
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        for cell in row:
            assert cell.strip(' "\u3000')[:1] not in tuple("=+-@＝＋－＠"), cell


def test_a_donor_name_that_looks_like_a_formula_is_exported_as_text(live: LiveService, ticket: Ticket, admin: Client):
    donate_in_sandbox(live, ticket, name="=cmd|'/C_calc'!A0")
    [row] = csv.DictReader(io.StringIO(admin.get("/api/exports/donations", params={"ticket": ticket.id}).text))
    assert row["donor"].startswith("'=")


FIELDS = (
    '{ INCLUDETEXT "/etc/passwd" } { DDEAUTO c:\\\\windows\\\\cmd.exe "/k calc" }',
    '</w:t></w:r><w:fldSimple w:instr="INCLUDETEXT \\"/etc/passwd\\""/><w:r><w:t>',
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "]]><![CDATA[ \u0085 \x0b".replace("\x0b", " "),
)


def test_user_text_in_a_word_file_is_never_markup(ticket: Ticket):
    plain = ticket.write_draft(title="Help", story="It burned.", breakdown=["Rent"])
    assert plain["title"] == "Help"
    shape = _elements(next(documents(ticket)))
    for text in FIELDS:
        ticket.write_draft(title=text[:100], story=text, beneficiary=text[:100], breakdown=[text])
        data = next(documents(ticket))
        assert _elements(data) <= shape | {"w:rtl", "w:rFonts", "w:lang", "w:br"}
        with ZipFile(io.BytesIO(data)) as file:
            relations = file.read("word/_rels/document.xml.rels").decode()
            assert "passwd" not in relations
            assert b"root:" not in b"".join(file.read(name) for name in file.namelist())


def _elements(docx: bytes) -> set[str]:
    """Return every kind of element in the document's body."""
    with ZipFile(io.BytesIO(docx)) as file:
        text = file.read("word/document.xml").decode()
    return {piece.split(">")[0].split(" ")[0].strip("/") for piece in text.split("<")[1:] if piece[:1] not in "/?"}


def test_a_title_cannot_write_a_header_or_a_tag_into_the_notice(live: LiveService, ticket: Ticket):
    service = live.service
    title = 'Help"\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>'
    service.commands.tickets.edit_draft(SYSTEM, UUID(ticket.id), {"title": title})
    service.aggregates.tickets.change(
        UUID(ticket.id), lambda t: t.announce_erasure(SYSTEM, datetime.fromtimestamp(DAY, UTC), datetime.now(UTC))
    )
    aggregate = service.aggregates.tickets.get(UUID(ticket.id))
    assert aggregate.erasure_announced is not None
    notice = erasure_notice(aggregate, aggregate.erasure_announced, {"page": "https://s.example/t/1"})
    mail = compose(checked(notice), Letterhead("us@example.org"), datetime.now(UTC))
    assert mail["Bcc"] is None
    assert mail["To"] == "ada@example.com"
    assert "28 May 2026" in mail["Subject"]
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert json.dumps(title)[:3] not in mail["Subject"]
