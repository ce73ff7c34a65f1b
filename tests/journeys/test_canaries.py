"""Personal data sent to every route is stored nowhere in clear, and nowhere at all after the erasure."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.payments.webhooks import sign
from entrypoints.http.table import OPERATIONS
from tests.client import RECORDING, Client, Ticket, eventually, read_first_event
from tests.fakes.openai_transcriptions import speech_settings, text_reply
from tests.fakes.photos import PDF, photo
from tests.journeys.canaries import PHONE, STEM, Canaries, Watch, found_in, found_under
from tests.journeys.observed_service import ObservedService
from tests.postgres import fresh_database
from tests.stripe_events import Payment, event

TUS = {"Tus-Resumable": "1.0.0"}
WORKSPACE_PATH = "/api/workspaces/{workspace}"
UPLOAD_PATH = "/api/uploads/{ticket_id}/{upload_id}"
TICKET_PATH = "/api/tickets/{ticket_id}"
PROBLEM = "application/problem+json"
WEBHOOKS = ("/api/webhooks/stripe", "/webhooks/stripe", "/api/payments/stripe-webhook")


class Planter:
    """Requests to each route with a canary in every field that accepts one."""

    def __init__(self, service: ObservedService) -> None:
        self.service = service
        self.canary = Canaries()
        self.errors: list[str] = []
        self.visitor = self._client()
        self.admin = self._client(service.secrets["admin_key"])
        self.main = self.open("EMAIL", f"{self.canary('contact')}@{self.canary('host')}.example")
        self.others = [
            self.open("PHONE", PHONE),
            self.open("SOCIAL", f"https://{self.canary('social')}.example/{self.canary('page')}"),
            self.open("SOCIAL", f"@{self.canary('handle')}"),
        ]
        self.upload_path = ""
        self.donation = self.document = self.attachment = self.slug = ""

    def _client(self, credential: str | None = None) -> Client:
        headers = {
            "User-Agent": self.canary("User-Agent"),
            "X-Request-Id": self.canary("X-Request-Id"),
            "Referer": f"https://{self.canary('Referer')}.example/",
            "Cookie": f"name={self.canary('Cookie')}",
            "X-Forwarded-For": self.canary("X-Forwarded-For"),
            "Accept-Language": self.canary("Accept-Language"),
        } | ({"Authorization": f"Bearer {credential}"} if credential else {})
        return Client(
            base_url=self.service.url,
            headers=headers,
            timeout=60,
            event_hooks={"request": [self._mark], "response": [read_first_event, self._note]},
        )

    def _mark(self, request: httpx2.Request) -> None:
        request.headers["Idempotency-Key"] = self.canary("Idempotency-Key")
        if re.fullmatch(r"/d/\w+(/report)?", request.url.path):
            request.url = request.url.copy_merge_params({"utm_source": self.canary("query of a page")})

    def _note(self, answer: httpx2.Response) -> None:
        """Search the texts of an error, except the request id, the path and the field names of the caller."""
        assert answer.status_code < 500
        if answer.headers.get("content-type") == PROBLEM:
            answer.read()
            problem_texts = {
                name: value for name, value in answer.json().items() if name not in ("instance", "requestId")
            }
            problem_texts["errors"] = [fault["detail"] for fault in problem_texts.get("errors", [])]
            self.errors += found_in(json.dumps(problem_texts).encode())

    def open(self, type: str, contact: str) -> Ticket:
        client = self._client()
        ticket = client.open_ticket(contactType=type, contactValue=contact, displayName=self.canary("displayName"))
        ticket.http.headers.update({name: value for name, value in client.headers.items() if name != "authorization"})
        ticket.http.headers["Authorization"] = f"Bearer {ticket.token}"
        return ticket

    # One method for each route.

    def create(self) -> None:
        self.others.append(self.open("EMAIL", f"{self.canary('contact')}@example.com"))
        self.visitor.post("/api/tickets/create", json={"contactType": "EMAIL", "contactValue": self.canary("bad")})
        self.visitor.post("/api/tickets/create", params={self.canary("query name"): self.canary("query")}, json={})
        self.visitor.post("/api/tickets/create", content=f'{{"{self.canary("broken")}'.encode())

    def upload(self) -> None:
        ticket = self.main
        name = f"../{self.canary('file name')}.webm"
        answer = ticket.http.post(
            f"{ticket.path}/upload-audio",
            files={"audio": (name, RECORDING.read_bytes()), self.canary("field"): (self.canary("file"), b"x")},
        )
        assert answer.status_code == 200, answer.text
        stale = {"If-Match": '"99"'}
        assert ticket.upload(RECORDING.read_bytes(), self.canary("file"), headers=stale).status_code == 412
        assert ticket.upload(self.canary("no sound").encode() * 100).status_code == 415

    def upload_in_parts(self) -> None:
        """Leave an upload that is not finished."""
        names = {"ticket": self.main.id, "filename": self.canary("file name")}
        described = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in names.items())
        created = self.main.http.post(
            "/api/uploads", headers=TUS | {"Upload-Length": "1000", "Upload-Metadata": described}
        )
        assert created.status_code == 201, created.text
        self.upload_path = created.headers["location"]
        part = TUS | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        data = self.canary("part").encode()
        wrong = part | {"Upload-Checksum": f"sha1 {self.canary('checksum')}"}
        assert self.main.http.patch(self.upload_path, content=data, headers=wrong).status_code in (400, 460)
        assert self.main.http.patch(self.upload_path, content=data, headers=part).status_code == 204

    def tell(self, path: str = "", **form: Any) -> Callable[[], None]:
        """Return a function that tells a story, which opens a ticket."""

        def send() -> None:
            person = {"contact": f"{self.canary('contact')}@example.com", "name": self.canary("name")}
            # A client of its own, which keeps the cookie of the ticket.
            client = self._client()
            if path:
                answer = client.post(f"/tell{path}", data=person | {"consent": "yes"} | form.pop("data", {}), **form)
            else:
                answer = client.post("/tell", json=person | {"consent": True})
            assert answer.status_code in (201, 303, 422), answer.text
            token = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
            ticket_id = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", answer.headers.get("location", "") + answer.text)
            assert ticket_id is not None
            self.others.append(Ticket(client, {"id": ticket_id[0], "accessToken": token}))

        return send

    def process(self) -> None:
        assert self.main.post("/process", {"audioFilePath": f"/{self.canary('path')}"}).status_code == 202
        eventually(lambda: self.main.get("/status").json()["stage"] == "DONE", 240)

    def draft(self) -> None:
        texts = ("title", "story", "beneficiary", "location", "category")
        self.main.write_draft(**{name: self.canary(name) for name in texts}, breakdown=[self.canary("breakdown")])

    def correct(self) -> None:
        """Correct a segment twice; the draft, which a person wrote as a whole, is not made again."""
        segment = self.main.get("/transcript").json()["segments"][0]["id"]
        for name in ("correction", "second correction"):
            corrections = [{"segmentId": segment, "text": self.canary(name)}]
            answer = self.main.patch("/transcript", {"corrections": corrections})
            assert answer.status_code == 200, answer.text

    def restore(self, subpath: str) -> Callable[[], None]:
        def request() -> None:
            version = self.main.get().json()["version"]
            assert self.main.post(subpath, {"version": version}).status_code == 200
            assert self.main.post(subpath, {"version": self.canary("version")}).status_code == 422

        return request

    def info(self) -> None:
        info = {"beneficiary": self.canary("beneficiary"), "location": self.canary("location")}
        assert self.main.post("/provide-info", info).status_code == 200

    def attach(self) -> None:
        path = f"{self.main.path}/attachments"
        for data in (photo(64, 48), PDF):
            answer = self.main.http.post(path, files={"file": (f"../{self.canary('file name')}", data)})
            assert answer.status_code == 201, answer.text
        assert self.main.http.post(path, files={"file": ("x", self.canary("no photo").encode())}).status_code == 415
        self.attachment = self.main.get("/attachments").json()[0]["id"]

    def choose_picture(self) -> None:
        choice = {"attachmentId": self.attachment, "description": self.canary("description")}
        answer = self.main.http.put(f"{self.main.path}/picture", json=choice)
        assert answer.status_code == 200, answer.text

    def choose_voice(self) -> None:
        """Let people hear a segment whose corrected text has a canary, and name segments that do not exist."""
        segment = self.main.get("/transcript").json()["segments"][0]["id"]
        choice = {"firstSegmentId": segment, "lastSegmentId": segment, "keepFindings": True}
        answer = self.main.http.put(f"{self.main.path}/voice", json=choice)
        assert answer.status_code == 200, answer.text
        words = {"textVersion": "1", "language": "en", "how": "spoken"}
        assert self.main.post("/consents", {"scopes": ["recording"], **words}).status_code == 201
        wrong = choice | {"firstSegmentId": self.canary("segment")}
        assert self.main.http.put(f"{self.main.path}/voice", json=wrong).status_code == 422

    def voice_by_page(self) -> None:
        path, form = f"/t/{self.main.id}/voice", {"do": "choose", "first": self.canary("segment")}
        assert self.main.http.post(path, data=form).status_code == 422

    def consent(self) -> None:
        words = {"textVersion": "1", "language": "en", "how": "witnessed"}
        consent = {"scopes": ["photo"], **words, "by": self.canary("witness"), "note": self.canary("note")}
        assert self.main.post("/consents", consent).status_code == 201
        assert self.main.post("/consents", consent | {"textVersion": self.canary("version")}).status_code == 422

    def publish(self) -> None:
        answer = self.main.post("/publish", {"consent": True})
        assert answer.status_code == 200, answer.text
        self.slug = answer.json()["publicUrl"].rpartition("/")[2]

    def publish_by_page(self) -> None:
        """Send the form with a note, and with too many words in it."""
        path = f"/t/{self.main.id}/publish"
        form = {"story": "yes", "name": "yes", "others": "agreed"}
        form |= {"lookedBy": self.canary("looked"), "note": self.canary("note")}
        assert self.main.http.post(path, data=form).status_code in (303, 422)
        wrong = form | {"textVersion": self.canary("version"), "version": self.canary("seen")}
        assert self.main.http.post(path, data=wrong).status_code == 422

    def photo_by_page(self) -> None:
        """Choose a photo with a description, and send a form without a photo."""
        path, described = f"/t/{self.main.id}/photo", {"description": self.canary("description")}
        files = {"file": (self.canary("file name"), photo(64, 48))}
        assert self.main.http.post(path, files=files, data=described).status_code == 303
        assert self.main.http.post(path, files={"file": ("x", b"")}, data=described).status_code == 422

    def report(self) -> None:
        """Report the page as a program does and with the form, and send an invalid form."""
        path = f"/d/{self.slug}/report"
        report = {"reason": self.canary("report"), "contact": f"{self.canary('neighbour')}@example.com"}
        assert self.visitor.post(path, json=report).status_code == 201
        assert self.visitor.post(path, data=report).status_code == 303
        assert self.visitor.post(path, data={"contact": self.canary("contact")}).status_code == 422

    def approve(self) -> None:
        """Ask for changes of the page in its workspace and approve it, and then let the workspace publish freely."""
        for publishing in ("approval", "free"):
            assert self.admin.patch("/api/workspaces/public", json={"publishing": publishing}).status_code == 200
            if publishing == "approval":
                assert self.main.post("/request-publication", {"consent": True}).status_code == 200
                answer = self.admin.post(f"{self.main.path}/request-changes", json={"note": self.canary("note")})
                assert answer.status_code == 200, answer.text
                assert self.main.post("/request-publication", {"consent": True}).status_code == 200
                assert self.admin.post(f"{self.main.path}/approve", json={}).status_code == 200

    def suspend(self) -> None:
        answer = self.admin.post(f"{self.main.path}/suspend", json={"reason": self.canary("reason")})
        assert answer.status_code == 200, answer.text

    def refund_all(self) -> None:
        answer = self.admin.post(f"{self.main.path}/refund-all", json={"reason": self.canary("reason")})
        assert answer.status_code == 202, answer.text

    def pay(self) -> None:
        order = {"amount": 50, "currency": "USD", "description": self.canary("description")}
        answer = self.main.post("/create-payment", order)
        assert answer.status_code == 201, answer.text
        self.donation = answer.json()["donationId"]
        self.settle(answer.json()["checkoutUrl"])

    def settle(self, checkout: str) -> None:
        payer = {"name": f"{self.canary('donor')} {self.canary('last name')}", "country": "US", "outcome": "paid"}
        paid = self.visitor.post(checkout, data=payer | {"email": f"{self.canary('donor')}@example.com"})
        assert paid.status_code == 303, paid.text

    def give(self) -> None:
        form = {"amount": "20", "name": self.canary("form"), self.canary("form field"): "x"}
        form |= {"message": self.canary("words"), "shown": "yes"}
        donation_answer = self.visitor.post(f"/d/{self.slug}", data=form)
        assert donation_answer.status_code == 303, donation_answer.text
        self.settle(donation_answer.headers["location"])
        assert self.visitor.post(f"/d/{self.slug}", data={"amount": self.canary("amount")}).status_code == 422

    def words(self) -> None:
        """Read the words of a donor, and take them off the page and put them back."""
        for donation in self.main.get("/donations?limit=100").json()["donations"]:
            path = f"{self.main.path}/donations/{donation['id']}/words"
            statuses = {client.get(path).status_code for client in (self.main.http, self.admin)}
            if statuses == {200}:
                form = {"donation": donation["id"], "hidden": "yes"}
                assert self.main.http.post(f"/t/{self.main.id}/manage/words", data=form).status_code == 303
                assert self.main.http.patch(path, json={"hidden": False}).status_code == 200
                assert self.main.http.patch(path, json={"hidden": self.canary("hidden")}).status_code == 422
                return
        raise AssertionError("no donor left words")

    def update(self) -> None:
        assert self.main.post("/updates", {"text": self.canary("update")}).status_code == 201

    def documents(self) -> None:
        for order in ({"docType": "GOFUNDME_DRAFT"}, {"docType": "OTHER", "format": "pdf"}):
            answer = self.main.post("/generate-doc", order)
            assert answer.status_code == 201, answer.text
            self.document = answer.json()["documentId"]

    def request_codes(self) -> None:
        """Request login codes for the person's contact, for a phone number, and for an unknown contact."""
        contacts = {
            self.main.get().json()["contactValue"]: "EMAIL",
            PHONE: "PHONE",
            f"{self.canary('nobody')}@example.com": "EMAIL",
        }
        for contact, type in contacts.items():
            code_request = {"contactType": type, "contactValue": contact}
            assert self.visitor.post("/api/access/request", json=code_request).status_code == 202
        # A mail, and a text message.
        eventually(lambda: {".eml", ".txt"} <= {file.suffix for file in self.service.outbox.glob("*")})

    def guess(self) -> None:
        guess = {"requestId": self.main.id, "code": self.canary("code")}
        assert self.visitor.post("/api/access/verify", json=guess).status_code == 401

    def open_support_tickets(self) -> None:
        """Open support tickets as the holder and as a visitor with the holder's contact, and send an invalid one."""
        contact = self.main.get().json()["contactValue"]
        for client, more in ((self.main.http, {"ticketId": self.main.id}), (self.visitor, {"contact": contact})):
            support_request = {"category": "OTHER", "message": f"Please help {self.canary('message')}", **more}
            assert client.post("/api/support/ticket", json=support_request).status_code == 201
        bad = {"category": self.canary("category"), "message": self.canary("message"), "contact": self.canary("bad")}
        assert self.visitor.post("/api/support/ticket", json=bad).status_code == 422

    def talk_about_help(self) -> None:
        """Ask for help, answer as the staff, and write again as the person."""
        question = {"category": "OTHER", "message": self.canary("question"), "ticketId": self.main.id}
        id = self.main.http.post("/api/support/ticket", json=question).json()["id"]
        answer = self.canary("answer")
        reply = {"text": f"We answer.\n\n{answer}"}
        assert self.admin.post(f"/api/support/{id}/replies", json=reply).status_code == 201
        again = {"text": self.canary("again")}
        assert self.main.http.post(f"/t/{self.main.id}/help/{id}", data=again).status_code == 303
        page = self.main.http.get(f"/t/{self.main.id}/help/{id}").text
        assert all(text in page for text in (question["message"], answer, again["text"]))

    def reset(self) -> None:
        """Reset another ticket, whose token is invalid from then on."""
        other = self.open("EMAIL", f"{self.canary('old')}@example.com")
        self.others.append(other)
        new = {"newContactValue": f"{self.canary('new')}@example.com"}
        answer = self.admin.post(f"/admin/profiles/{other.id}/approve-reset", json=new)
        assert answer.status_code == 200, answer.text

    def webhooks(self, path: str) -> Callable[[], None]:
        """Return a function that delivers signed events, some of which are malformed or name unknown donations."""

        def deliver() -> None:
            self.deliver_events(path)
            unsigned = self.visitor.post(path, json={"name": self.canary("unsigned")})
            assert unsigned.status_code == 400

        return deliver

    def deliver_events(self, path: str) -> None:
        payment = Payment(self.uuid(self.main.id), donation_id=self.uuid(self.donation))
        details = {"name": self.canary("donor"), "email": f"{self.canary('donor')}@example.com", "phone": PHONE}
        object_fields = {"metadata": payment.metadata, "description": self.canary("description")}
        customer = {"id": "cus_1", "object": "customer", **details, **object_fields}
        evidence = {"customer_name": self.canary("evidence"), "customer_email_address": self.canary("evidence")}
        dispute = {"id": f"dp_{payment.mark}", "object": "dispute", "evidence": evidence, "status": "needs_response"}
        unreadable = payment.charge(billing_details=details, metadata=payment.metadata, amount_captured="much")
        unknown = payment.charge(
            billing_details=details, metadata=payment.metadata | {"donationId": payment.session_id}
        )
        for stripe_event in (
            event("customer.created", customer),
            event("charge.succeeded", unreadable),
            event("charge.succeeded", unknown | {"id": f"ch_unknown{payment.mark}", "payment_intent": "pi_unknown"}),
            event("charge.failed", payment.charge(billing_details=details, status="failed", **object_fields)),
            event("charge.dispute.created", dispute | {"amount": 1, "currency": "usd", "charge": payment.charge_id}),
        ):
            body = json.dumps(stripe_event).encode()
            signature = sign(body, self.service.secrets["webhook_secret"], time.time())
            answer = self.visitor.post(path, content=body, headers={"Stripe-Signature": signature})
            assert answer.status_code == 200, answer.text

    def refund(self) -> None:
        self.service.wait_until_idle()
        path = f"/admin/donations/{self.donation}/refund"
        answer = self.admin.post(path, json={"amount": 10, "reason": self.canary("reason")})
        assert answer.status_code == 202, answer.text
        receipt = {"docType": "RECEIPT", "donationId": self.donation}
        assert self.main.post("/generate-doc", receipt).status_code == 201

    def get(self, subpath: str = "", **more: Any) -> Callable[[], None]:
        def send() -> None:
            for client in (self.main.http, self.admin):
                path = subpath.format(document=self.document, attachment=self.attachment)
                answer = client.get(self.main.path + path, **more)
                assert answer.status_code == 200, answer.text

        return send

    def page(self, subpath: str, form: dict[str, str] | None = None) -> Callable[[], None]:
        """Return a function that opens a page of the ticket, or sends its form with canaries."""

        def send() -> None:
            path = f"/t/{self.main.id}" + subpath.format(canary=self.canary("page"))
            data = form and {name: text.format(canary=self.canary(name)) for name, text in form.items()}
            answer = self.main.http.request("POST" if form else "GET", path, data=data)
            assert answer.status_code in (200, 303), answer.text

        return send

    def as_admin(self, method: str, path: str, *statuses: int, **more: Any) -> Callable[[], None]:
        """Return a function that sends a request with a canary in its path as an administrator."""

        def send() -> None:
            path_with_canary = path.format(slug=self.slug, ticket=self.main.id, canary=self.canary("path"))
            answer = self.admin.request(method, path_with_canary, **more)
            assert answer.status_code in statuses, answer.text

        return send

    def search(self, path: str) -> Callable[[], None]:
        def send() -> None:
            for contact in (self.main.get().json()["contactValue"], self.canary("searched")):
                assert self.admin.get(path, params={"contact": contact}).status_code == 200

        return send

    def note_at_the_desk(self) -> None:
        """Give the ticket a label and a due date, and send a label that is none."""
        path = f"{self.main.path}/desk"
        answer = self.admin.patch(path, json={"labels": [self.canary("label")], "dueAt": "2030-01-01T00:00:00Z"})
        assert answer.status_code == 200, answer.text
        assert self.admin.patch(path, json={"labels": [self.canary("long label") * 9]}).status_code == 422

    def add_note(self) -> None:
        path = f"{self.main.path}/notes"
        assert self.admin.post(path, json={"text": self.canary("note of the staff")}).status_code == 201
        assert self.admin.post(path, json={"text": [self.canary("bad note")]}).status_code == 422

    def list_tickets(self) -> None:
        """List the ticket by its label, by its name and by its contact, and search for others."""
        [label] = self.admin.get("/api/tickets", params={"limit": 1}).json()["tickets"][0]["labels"] or [""]
        mine = self.main.get().json()
        for query in (
            {"label": label or self.canary("label")},
            {"q": mine["displayName"]},
            {"q": mine["contactValue"]},
            {"q": self.canary("searched"), "label": self.canary("label")},
        ):
            assert self.admin.get("/api/tickets", params={**query, "limit": 1}).status_code == 200
        assert self.admin.get("/api/tickets", params={"sort": self.canary("sort")}).status_code == 422

    @staticmethod
    def uuid(text: str) -> Any:
        from uuid import UUID

        return UUID(text)


def plantings(planter: Planter) -> dict[tuple[str, str], Callable[[], None]]:
    """Return a function for each route that sends canaries to it, in an order in which all of them work."""
    everything = "draft,documents,attributions,qr,transcriptions,support"
    return {
        ("POST", "/api/tickets/create"): planter.create,
        ("PATCH", TICKET_PATH): lambda: planter.main.patch("", {"displayName": planter.canary("displayName")}) and None,
        ("PATCH", f"{TICKET_PATH}/desk"): planter.note_at_the_desk,
        ("POST", f"{TICKET_PATH}/notes"): planter.add_note,
        ("GET", f"{TICKET_PATH}/notes"): lambda: planter.admin.get(f"{planter.main.path}/notes") and None,
        ("GET", "/api/tickets"): planter.list_tickets,
        ("GET", "/api/donations"): lambda: (
            planter.admin.get("/api/donations", params={"donor": planter.canary("donor")}) and None
        ),
        ("POST", f"{TICKET_PATH}/upload-audio"): planter.upload,
        ("OPTIONS", "/api/uploads"): planter.as_admin("OPTIONS", "/api/uploads?{canary}", 422),
        ("POST", "/api/uploads"): planter.upload_in_parts,
        ("PATCH", UPLOAD_PATH): lambda: planter.upload_in_parts(),
        ("HEAD", UPLOAD_PATH): lambda: planter.main.http.head(planter.upload_path, headers=TUS) and None,
        ("DELETE", UPLOAD_PATH): planter.as_admin("DELETE", "/api/uploads/{canary}/{canary}", 403),
        ("GET", "/tell"): planter.as_admin("GET", "/tell?{canary}", 200),
        ("GET", "/tell/file"): planter.as_admin("GET", "/tell/file?{canary}", 200),
        ("GET", "/tell/write"): planter.as_admin("GET", "/tell/write?{canary}", 200),
        ("POST", "/tell"): planter.tell(),
        ("POST", "/tell/file"): planter.tell(
            "/file", files={"audio": (planter.canary("file name"), planter.canary("no sound").encode())}
        ),
        ("POST", "/tell/write"): planter.tell(
            "/write", data={name: planter.canary(name) for name in ("story", "title", "beneficiary")}
        ),
        ("GET", "/tell/{ticket_id}"): lambda: planter.main.http.get(f"/tell/{planter.main.id}") and None,
        ("POST", "/tell/{ticket_id}"): lambda: (
            planter.main.http.post(
                f"/tell/{planter.main.id}", files={"audio": ("x", planter.canary("no sound").encode())}
            )
            and None
        ),
        ("GET", f"{TICKET_PATH}/recordings"): planter.get("/recordings"),
        ("GET", f"{TICKET_PATH}/recordings/{{recording_id}}"): planter.as_admin(
            "GET", "/api/tickets/{ticket}/recordings/{canary}", 404
        ),
        ("DELETE", f"{TICKET_PATH}/recordings/{{recording_id}}"): planter.as_admin(
            "DELETE", "/api/tickets/{canary}/recordings/{canary}", 403
        ),
        ("POST", f"{TICKET_PATH}/process"): planter.process,
        ("POST", f"{TICKET_PATH}/retry"): lambda: planter.main.post("/retry", {planter.canary("field"): 1}) and None,
        ("POST", f"{TICKET_PATH}/provide-info"): planter.info,
        ("PATCH", f"{TICKET_PATH}/draft"): planter.draft,
        ("POST", f"{TICKET_PATH}/draft/findings"): lambda: (
            planter.main.post("/draft/findings", {"decisions": [{"id": planter.canary("id"), "decision": "keep"}]})
            and None
        ),
        ("PATCH", f"{TICKET_PATH}/transcript"): planter.correct,
        ("GET", f"{TICKET_PATH}/transcript/versions"): planter.get("/transcript/versions"),
        ("POST", f"{TICKET_PATH}/transcript/restore"): planter.restore("/transcript/restore"),
        ("GET", f"{TICKET_PATH}/draft/versions"): planter.get("/draft/versions"),
        ("POST", f"{TICKET_PATH}/draft/restore"): planter.restore("/draft/restore"),
        ("POST", f"{TICKET_PATH}/unpublish"): lambda: (
            planter.main.post("/unpublish", {planter.canary("field"): 1}) and None
        ),
        ("POST", f"{TICKET_PATH}/attachments"): planter.attach,
        ("PUT", f"{TICKET_PATH}/picture"): planter.choose_picture,
        ("GET", f"{TICKET_PATH}/attachments"): planter.get("/attachments"),
        ("GET", f"{TICKET_PATH}/attachments/{{attachment_id}}"): planter.get("/attachments/{attachment}"),
        ("DELETE", f"{TICKET_PATH}/attachments/{{attachment_id}}"): planter.as_admin(
            "DELETE", "/api/tickets/{canary}/attachments/{canary}", 403
        ),
        ("DELETE", f"{TICKET_PATH}/picture"): planter.as_admin("DELETE", "/api/tickets/{canary}/picture", 403),
        ("PUT", f"{TICKET_PATH}/voice"): planter.choose_voice,
        ("GET", f"{TICKET_PATH}/voice"): planter.get("/voice"),
        ("GET", f"{TICKET_PATH}/voice/sound"): planter.get("/voice/sound"),
        ("DELETE", f"{TICKET_PATH}/voice"): planter.as_admin("DELETE", "/api/tickets/{canary}/voice", 403),
        ("GET", "/t/{ticket_id}/voice"): planter.page("/voice?done={canary}"),
        ("POST", "/t/{ticket_id}/voice"): planter.voice_by_page,
        ("POST", f"{TICKET_PATH}/consents"): planter.consent,
        ("POST", f"{TICKET_PATH}/consents/withdraw"): lambda: (
            planter.main.post("/consents/withdraw", {"scopes": [planter.canary("scope")]}) and None
        ),
        ("GET", f"{TICKET_PATH}/consents"): planter.get("/consents"),
        ("GET", f"{TICKET_PATH}/export"): planter.get("/export"),
        ("GET", "/api/consent-texts/{version}"): planter.as_admin("GET", "/api/consent-texts/{canary}", 404),
        ("POST", f"{TICKET_PATH}/request-publication"): lambda: None,
        ("POST", f"{TICKET_PATH}/approve"): lambda: None,
        ("POST", f"{TICKET_PATH}/request-changes"): planter.approve,
        ("POST", f"{TICKET_PATH}/publish"): planter.publish,
        ("POST", "/d/{slug}/report"): planter.report,
        ("GET", "/d/{slug}/report"): planter.as_admin("GET", "/d/{slug}/report?{canary}", 200),
        ("POST", f"{TICKET_PATH}/suspend"): planter.suspend,
        ("POST", "/api/donations/{donation_id}/refund-requests"): planter.as_admin(
            "POST", "/api/donations/{canary}/refund-requests", 404, json={"reason": planter.canary("reason")}
        ),
        ("GET", "/api/donations/{donation_id}/refund-requests"): planter.as_admin(
            "GET", "/api/donations/{canary}/refund-requests", 404
        ),
        ("POST", "/api/donations/{donation_id}/refund-requests/{request_id}/approve"): planter.as_admin(
            "POST", "/api/donations/{canary}/refund-requests/{canary}/approve", 404, json={}
        ),
        ("POST", "/api/donations/{donation_id}/refund-requests/{request_id}/decline"): planter.as_admin(
            "POST", "/api/donations/{canary}/refund-requests/{canary}/decline", 404, json={}
        ),
        ("POST", f"{TICKET_PATH}/refund-all"): planter.refund_all,
        ("GET", f"{TICKET_PATH}/refund-all"): planter.as_admin("GET", "/api/tickets/{canary}/refund-all", 404),
        ("POST", f"{TICKET_PATH}/reinstate"): lambda: (
            planter.admin.post(f"{planter.main.path}/reinstate", json={}) and None
        ),
        ("POST", f"{TICKET_PATH}/generate-doc"): planter.documents,
        ("POST", f"{TICKET_PATH}/create-payment"): planter.pay,
        ("GET", "/d/{slug}"): planter.as_admin("GET", "/d/{slug}?thanks&session_id=cs_{canary}", 200),
        ("POST", "/d/{slug}"): planter.give,
        ("GET", f"{TICKET_PATH}/donations/{{donation_id}}/words"): planter.words,
        ("PATCH", f"{TICKET_PATH}/donations/{{donation_id}}/words"): planter.as_admin(
            "PATCH", "/api/tickets/{canary}/donations/{canary}/words", 403
        ),
        ("POST", "/t/{ticket_id}/manage/words"): planter.as_admin("POST", "/t/{ticket}/manage/words", 403),
        ("GET", "/d/{slug}/total"): planter.as_admin("GET", "/d/{slug}/total?session_id=cs_{canary}", 200),
        ("GET", "/d/{slug}/receipt"): planter.as_admin("GET", "/d/{slug}/receipt?session_id=cs_{canary}", 404),
        ("GET", "/d/{slug}/picture.png"): planter.as_admin("GET", "/d/{slug}/picture.png", 200),
        ("GET", "/d/{slug}/qr.svg"): planter.as_admin("GET", "/d/{slug}/qr.svg", 200),
        ("GET", "/t/{ticket_id}/poster"): planter.page("/poster"),
        ("POST", f"{TICKET_PATH}/updates"): planter.update,
        ("GET", f"{TICKET_PATH}/updates"): planter.get("/updates"),
        ("DELETE", f"{TICKET_PATH}/updates/{{update_id}}"): planter.as_admin(
            "DELETE", "/api/tickets/{canary}/updates/{canary}", 403
        ),
        ("GET", "/imprint"): planter.as_admin("GET", "/imprint?{canary}", 200),
        ("GET", "/privacy"): planter.as_admin("GET", "/privacy?{canary}", 200),
        ("GET", "/d/{slug}/voice"): planter.as_admin("GET", "/d/{slug}/voice?v={canary}", 200),
        ("GET", "/d/{slug}/picture"): planter.as_admin("GET", "/d/{slug}/picture?v={canary}", 200),
        **{("POST", path): planter.webhooks(path) for path in WEBHOOKS},
        ("POST", "/admin/donations/{donation_id}/refund"): planter.refund,
        ("GET", TICKET_PATH): planter.get(f"?include={everything}"),
        ("GET", f"{TICKET_PATH}/status"): planter.get("/status"),
        ("GET", f"{TICKET_PATH}/events"): planter.get("/events"),
        ("GET", f"{TICKET_PATH}/transcript"): planter.get("/transcript"),
        ("GET", f"{TICKET_PATH}/documents"): planter.get("/documents"),
        ("GET", f"{TICKET_PATH}/documents/{{document_id}}/download"): planter.get("/documents/{document}/download"),
        ("GET", f"{TICKET_PATH}/qr-code"): planter.get("/qr-code"),
        ("GET", f"{TICKET_PATH}/donations"): planter.get("/donations"),
        ("GET", f"{TICKET_PATH}/donations/total"): planter.get("/donations/total?explain=true"),
        ("GET", f"{TICKET_PATH}/history"): planter.get("/history?limit=100"),
        ("GET", "/api/tickets/search"): planter.search("/api/tickets/search"),
        ("GET", "/api/profiles/search"): planter.search("/api/profiles/search"),
        ("GET", "/api/exports/donations"): planter.as_admin("GET", "/api/exports/donations?format={canary}", 422),
        ("GET", "/admin/dead-mails"): planter.as_admin("GET", "/admin/dead-mails?cursor={canary}", 422),
        ("POST", "/admin/dead-mails/{id}/retry"): planter.as_admin("POST", "/admin/dead-mails/{canary}/retry", 404),
        ("GET", "/admin/dead-letters"): planter.as_admin("GET", "/admin/dead-letters?cursor={canary}", 422),
        ("POST", "/admin/dead-letters/{id}/retry"): planter.as_admin("POST", "/admin/dead-letters/{canary}/retry", 404),
        ("POST", "/api/access/request"): planter.request_codes,
        ("POST", "/api/access/verify"): planter.guess,
        ("POST", "/api/support/ticket"): planter.open_support_tickets,
        ("GET", "/api/support/recent"): planter.as_admin("GET", "/api/support/recent?cursor={canary}", 422),
        ("GET", "/admin/support/{id}"): planter.as_admin("GET", "/admin/support/{canary}", 404),
        ("POST", "/admin/support/{id}/resolve"): planter.as_admin(
            "POST", "/admin/support/{canary}/resolve", 404, json={}
        ),
        ("POST", "/admin/profiles/{ticket_id}/approve-reset"): planter.reset,
        ("POST", "/admin/knowledge/sources"): planter.as_admin(
            "POST", "/admin/knowledge/sources", 422, json={"type": "NOTE", "title": planter.canary("title")}
        ),
        ("GET", "/admin/knowledge/sources"): planter.as_admin("GET", "/admin/knowledge/sources?cursor={canary}", 422),
        ("GET", "/admin/knowledge/search"): planter.as_admin("GET", "/admin/knowledge/search?q={canary}", 200),
        ("DELETE", "/admin/knowledge/sources/{source_id}"): planter.as_admin(
            "DELETE", "/admin/knowledge/sources/{canary}", 404
        ),
        ("GET", "/checkpoint"): planter.as_admin("GET", "/checkpoint", 200),
        ("GET", "/checkpoint/key"): planter.as_admin("GET", "/checkpoint/key", 200),
        ("GET", "/checkpoint/checker"): planter.as_admin("GET", "/checkpoint/checker", 200),
        ("GET", "/checkpoint/consistency"): planter.as_admin("GET", "/checkpoint/consistency?from={canary}", 422),
        ("GET", f"{TICKET_PATH}/audit"): planter.get("/audit"),
        ("GET", "/verify"): planter.as_admin("GET", "/verify?from={canary}", 200),
        ("POST", "/verify"): planter.as_admin("POST", "/verify", 200, data={"text": planter.canary("proof")}),
        ("GET", "/audit"): planter.as_admin("GET", "/audit?ticket={canary}", 200),
        ("POST", "/audit"): planter.as_admin(
            "POST",
            "/audit",
            422,
            data={"key": planter.canary("key"), "next": planter.canary("next")},
            headers={"Sec-Fetch-Site": "same-origin"},
        ),
        ("GET", "/audit/{ticket_id}"): planter.as_admin("GET", "/audit/{ticket}?limit=100", 200),
        ("GET", "/audit/{ticket_id}/check"): planter.as_admin("GET", "/audit/{ticket}/check", 200),
        ("GET", "/forget/{token}"): planter.as_admin("GET", "/forget/{canary}", 404),
        ("POST", "/forget/{token}"): planter.as_admin("POST", "/forget/{canary}", 404, data={}),
        ("GET", "/api/donations/{donation_id}/receipt"): planter.as_admin(
            "GET", "/api/donations/{canary}/receipt", 404
        ),
        ("POST", "/api/donations/{donation_id}/forget-donor"): planter.as_admin(
            "POST", "/api/donations/{canary}/forget-donor", 404, json={}
        ),
        ("GET", "/unsubscribe/{token}"): planter.as_admin("GET", "/unsubscribe/{canary}", 404),
        ("POST", "/unsubscribe/{token}"): planter.as_admin("POST", "/unsubscribe/{canary}", 404, data={}),
        ("POST", "/unsubscribe/{token}/choice"): planter.as_admin(
            "POST", "/unsubscribe/{canary}/choice", 404, data={"goal": planter.canary("choice")}
        ),
        ("GET", "/metrics"): planter.as_admin("GET", "/metrics?name={canary}", 404),
        ("GET", "/health/db"): planter.as_admin("GET", "/health/db", 200),
        ("POST", "/admin/db/self-test"): planter.as_admin("POST", "/admin/db/self-test", 200, json={}),
        ("GET", "/admin/access-log"): planter.as_admin("GET", "/admin/access-log?cursor={canary}", 422),
        ("GET", "/admin/health/history"): planter.as_admin("GET", "/admin/health/history?part={canary}", 422),
        ("GET", "/desk/health"): planter.as_admin("GET", "/desk/health", 200),
        ("GET", "/admin/projections"): planter.as_admin("GET", "/admin/projections", 200),
        ("POST", "/admin/projections/{name}/rebuild"): planter.as_admin(
            "POST", "/admin/projections/{canary}/rebuild", 404
        ),
        ("POST", "/api/session/code"): planter.as_admin(
            "POST", "/api/session/code?{canary}", 422, json={"email": planter.canary("email")}
        ),
        ("POST", "/api/session"): planter.as_admin(
            "POST", "/api/session", 422, json={"requestId": planter.canary("request"), "code": planter.canary("code")}
        ),
        ("GET", "/api/session"): planter.as_admin("GET", "/api/session?{canary}", 403),
        ("PATCH", "/api/session"): planter.as_admin("PATCH", "/api/session?{canary}", 403),
        ("DELETE", "/api/session"): planter.as_admin("DELETE", "/api/session?{canary}", 403),
        ("DELETE", "/api/session/{session_id}"): planter.as_admin("DELETE", "/api/session/{canary}", 403),
        ("GET", "/api/support/{id}"): planter.as_admin("GET", "/api/support/{canary}", 404),
        ("POST", "/api/support/{id}/replies"): planter.as_admin(
            "POST", "/api/support/{canary}/replies", 404, json={"text": planter.canary("reply")}
        ),
        ("PATCH", "/api/support/{id}"): planter.as_admin(
            "PATCH", "/api/support/{canary}", 404, json={"assignee": None}
        ),
        ("POST", "/api/support/{id}/resolve"): planter.as_admin("POST", "/api/support/{canary}/resolve", 404, json={}),
        ("GET", "/desk/support"): planter.as_admin("GET", "/desk/support?status={canary}", 403),
        ("GET", "/desk/support/{id}"): planter.as_admin("GET", "/desk/support/{canary}", 403),
        ("POST", "/desk/support/{id}/replies"): planter.as_admin(
            "POST", "/desk/support/{canary}/replies", 403, data={"text": planter.canary("reply")}
        ),
        ("POST", "/desk/support/{id}/assignee"): planter.as_admin(
            "POST", "/desk/support/{canary}/assignee", 403, data={"assignee": planter.canary("assignee")}
        ),
        ("POST", "/desk/support/{id}/resolve"): planter.as_admin("POST", "/desk/support/{canary}/resolve", 403),
        ("GET", "/api/donations/{donation_id}/refund-preview"): planter.as_admin(
            "GET", "/api/donations/{canary}/refund-preview", 404
        ),
        ("GET", "/api/figures"): planter.as_admin("GET", "/api/figures?currency={canary}", 422),
        ("GET", "/api/figures/campaigns"): planter.as_admin("GET", "/api/figures/campaigns?currency={canary}", 422),
        ("GET", "/desk/gifts"): planter.as_admin("GET", "/desk/gifts?donor={canary}", 200),
        ("GET", "/desk/figures"): planter.as_admin("GET", "/desk/figures?currency={canary}", 200, 422),
        ("GET", f"{WORKSPACE_PATH}/keys"): planter.as_admin("GET", "/api/workspaces/{canary}/keys", 404),
        ("POST", f"{WORKSPACE_PATH}/keys"): planter.as_admin(
            "POST", "/api/workspaces/public/keys", 422, json={"scopes": [planter.canary("scope")]}
        ),
        ("POST", f"{WORKSPACE_PATH}/keys/{{key_id}}/replace"): planter.as_admin(
            "POST", "/api/workspaces/public/keys/{canary}/replace", 404, json={}
        ),
        ("DELETE", f"{WORKSPACE_PATH}/keys/{{key_id}}"): planter.as_admin(
            "DELETE", "/api/workspaces/public/keys/{canary}", 404
        ),
        ("GET", f"{WORKSPACE_PATH}/audit-log"): planter.as_admin(
            "GET", "/api/workspaces/public/audit-log?limit=100", 200
        ),
        ("GET", f"{WORKSPACE_PATH}/audit-log/export"): planter.as_admin(
            "GET", "/api/workspaces/public/audit-log/export", 200
        ),
        ("GET", f"{WORKSPACE_PATH}/security-events"): planter.as_admin(
            "GET", "/api/workspaces/public/security-events?limit=100", 200
        ),
        ("POST", f"{WORKSPACE_PATH}/security-events/{{event_id}}/seen"): planter.as_admin(
            "POST", "/api/workspaces/public/security-events/{canary}/seen", 404, json={}
        ),
        ("GET", f"{WORKSPACE_PATH}/closing"): planter.as_admin("GET", "/api/workspaces/{canary}/closing", 404),
        ("GET", f"{WORKSPACE_PATH}/due-erasures"): planter.as_admin(
            "GET", "/api/workspaces/public/due-erasures?limit=100", 200
        ),
        ("GET", "/desk/retention"): planter.as_admin("GET", "/desk/retention?done={canary}", 403),
        ("POST", "/desk/retention"): planter.as_admin(
            "POST", "/desk/retention", 403, data={"ticketDays": planter.canary("days")}
        ),
        ("GET", "/desk/close"): planter.as_admin("GET", "/desk/close?done={canary}", 403),
        ("POST", "/desk/close"): planter.as_admin("POST", "/desk/close", 403, data={"name": planter.canary("name")}),
        ("GET", "/desk/organisation"): planter.as_admin("GET", "/desk/organisation?done={canary}", 403),
        ("POST", "/desk/organisation"): planter.as_admin(
            "POST", "/desk/organisation", 403, data={"contact": planter.canary("contact")}
        ),
        ("POST", "/desk/organisation/logo"): planter.as_admin(
            "POST", "/desk/organisation/logo", 403, files={"file": (planter.canary("logo"), b"x")}
        ),
        ("POST", "/desk/organisation/logo/remove"): planter.as_admin(
            "POST", "/desk/organisation/logo/remove?{canary}", 403
        ),
        ("POST", "/desk/tickets/{ticket_id}/approve"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/approve?{canary}", 403
        ),
        ("POST", "/desk/tickets/{ticket_id}/request-changes"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/request-changes", 403, data={"note": planter.canary("note")}
        ),
        ("GET", "/api/disputes"): planter.as_admin("GET", "/api/disputes?status={canary}", 422),
        ("GET", "/desk/disputes"): planter.as_admin("GET", "/desk/disputes?status={canary}", 403),
        ("GET", "/api/refund-requests"): planter.as_admin("GET", "/api/refund-requests?status={canary}", 422),
        ("GET", "/desk/refund-requests"): planter.as_admin("GET", "/desk/refund-requests?status={canary}", 403),
        ("GET", "/desk/tickets/{ticket_id}/refund-all"): planter.as_admin(
            "GET", "/desk/tickets/{ticket}/refund-all?cursor={canary}", 403
        ),
        ("POST", "/desk/tickets/{ticket_id}/refund-all"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/refund-all", 403, data={"reason": planter.canary("reason")}
        ),
        ("GET", "/desk/gifts/{donation_id}"): planter.as_admin("GET", "/desk/gifts/{canary}", 403),
        ("POST", "/desk/gifts/{donation_id}/refund"): planter.as_admin(
            "POST", "/desk/gifts/{canary}/refund", 403, data={"reason": planter.canary("reason")}
        ),
        ("POST", "/desk/gifts/{donation_id}/requests"): planter.as_admin(
            "POST", "/desk/gifts/{canary}/requests", 403, data={"reason": planter.canary("reason")}
        ),
        ("POST", "/desk/gifts/{donation_id}/requests/{request_id}"): planter.as_admin(
            "POST", "/desk/gifts/{canary}/requests/{canary}", 403, data={"do": "decline"}
        ),
        ("GET", "/desk/knowledge"): planter.as_admin("GET", "/desk/knowledge?q={canary}", 200),
        ("POST", "/desk/knowledge"): planter.as_admin(
            "POST", "/desk/knowledge", 422, data={"title": planter.canary("title")}
        ),
        ("POST", "/desk/knowledge/{source_id}/remove"): planter.as_admin(
            "POST", "/desk/knowledge/{canary}/remove", 404
        ),
        ("GET", "/desk/audit-log"): planter.as_admin("GET", "/desk/audit-log?workspace={canary}", 422),
        ("GET", "/desk/security-events"): planter.as_admin("GET", "/desk/security-events?workspace={canary}", 422),
        ("POST", "/desk/security-events"): planter.as_admin(
            "POST", "/desk/security-events", 303, data={"events": planter.canary("event"), "workspace": "public"}
        ),
        ("GET", "/desk/keys"): planter.as_admin("GET", "/desk/keys?done={canary}", 403),
        ("POST", "/desk/keys"): planter.as_admin(
            "POST", "/desk/keys", 403, data={"expires": planter.canary("expires")}
        ),
        ("POST", "/desk/keys/{key_id}/revoke"): planter.as_admin("POST", "/desk/keys/{canary}/revoke", 403),
        ("GET", "/desk"): planter.as_admin("GET", "/desk?q={canary}", 303),
        ("GET", "/api/jobs"): planter.as_admin("GET", "/api/jobs?ticket={canary}", 422),
        ("GET", "/api/jobs/{id}"): planter.as_admin("GET", "/api/jobs/{canary}", 404),
        ("POST", "/api/jobs/{id}/retry"): planter.as_admin("POST", "/api/jobs/{canary}/retry", 404, json={}),
        ("GET", "/desk/jobs"): planter.as_admin("GET", "/desk/jobs?cursor={canary}", 422),
        ("POST", "/desk/jobs/{id}/retry"): planter.as_admin("POST", "/desk/jobs/{canary}/retry", 404),
        ("GET", "/desk/mails"): planter.as_admin("GET", "/desk/mails?cursor={canary}", 422),
        ("POST", "/desk/mails/{id}/retry"): planter.as_admin("POST", "/desk/mails/{canary}/retry", 404),
        ("GET", "/desk/dead-letters"): planter.as_admin("GET", "/desk/dead-letters?cursor={canary}", 422),
        ("POST", "/desk/dead-letters/{id}/retry"): planter.as_admin(
            "POST", "/desk/dead-letters/{canary}/retry", 404, data={"do": planter.canary("do")}
        ),
        ("GET", "/desk/tickets/{ticket_id}"): planter.as_admin("GET", "/desk/tickets/{canary}", 403),
        ("POST", "/desk/tickets/{ticket_id}/desk"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/desk", 403, data={"labels": planter.canary("label")}
        ),
        ("POST", "/desk/tickets/{ticket_id}/notes"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/notes", 403, data={"text": planter.canary("note")}
        ),
        ("POST", "/desk/tickets/{ticket_id}/suspend"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/suspend", 403, data={"reason": planter.canary("reason")}
        ),
        ("POST", "/desk/tickets/{ticket_id}/reinstate"): planter.as_admin(
            "POST", "/desk/tickets/{ticket}/reinstate?{canary}", 403
        ),
        ("GET", "/desk/sign-in"): planter.as_admin("GET", "/desk/sign-in?next=/{canary}", 200),
        ("POST", "/desk/sign-in"): planter.as_admin(
            "POST", "/desk/sign-in?{canary}", 403, data={"email": planter.canary("email")}
        ),
        ("GET", "/desk/sign-in/code"): planter.as_admin("GET", "/desk/sign-in/code?request={canary}", 303),
        ("POST", "/desk/sign-in/code"): planter.as_admin(
            "POST", "/desk/sign-in/code", 403, data={"code": planter.canary("code")}
        ),
        ("GET", "/desk/sign-in/{token}"): planter.as_admin("GET", "/desk/sign-in/{canary}", 404),
        ("POST", "/desk/sign-in/{token}"): planter.as_admin("POST", "/desk/sign-in/{canary}", 404),
        ("POST", "/desk/workspaces"): planter.as_admin("POST", "/desk/workspaces?{canary}", 403),
        ("GET", "/desk/account"): planter.as_admin("GET", "/desk/account?done={canary}", 403),
        ("POST", "/desk/account"): planter.as_admin(
            "POST", "/desk/account", 403, data={"name": planter.canary("name")}
        ),
        ("GET", "/desk/members"): planter.as_admin("GET", "/desk/members?done={canary}", 403),
        ("POST", "/desk/members"): planter.as_admin(
            "POST", "/desk/members", 403, data={"email": planter.canary("email")}
        ),
        ("POST", "/desk/members/{member_id}"): planter.as_admin("POST", "/desk/members/{canary}", 403),
        ("GET", "/desk/members/former"): planter.as_admin("GET", "/desk/members/former?done={canary}", 403),
        ("POST", "/desk/members/{member_id}/erase"): planter.as_admin(
            "POST", "/desk/members/{canary}/erase", 403, data={"confirm": planter.canary("confirm")}
        ),
        ("GET", "/api/me"): planter.as_admin("GET", "/api/me?{canary}", 403),
        ("PATCH", "/api/me"): planter.as_admin("PATCH", "/api/me", 403, json={"name": planter.canary("name")}),
        ("POST", "/api/invitations/{member_id}/accept"): planter.as_admin(
            "POST", "/api/invitations/{canary}/accept", 403
        ),
        ("GET", WORKSPACE_PATH): planter.as_admin("GET", "/api/workspaces/{canary}", 404),
        ("PATCH", WORKSPACE_PATH): planter.as_admin("PATCH", "/api/workspaces/{canary}", 404, json={"name": "Shelter"}),
        ("POST", f"{WORKSPACE_PATH}/close"): planter.as_admin("POST", "/api/workspaces/{canary}/close", 404, json={}),
        ("PUT", f"{WORKSPACE_PATH}/logo"): planter.as_admin(
            "PUT", "/api/workspaces/{canary}/logo", 404, files={"file": ("logo.pdf", b"%PDF-1.4 %%EOF")}
        ),
        ("GET", f"{WORKSPACE_PATH}/logo"): planter.as_admin("GET", "/api/workspaces/{canary}/logo", 404),
        ("DELETE", f"{WORKSPACE_PATH}/logo"): planter.as_admin("DELETE", "/api/workspaces/{canary}/logo", 404),
        ("GET", "/d/{slug}/logo"): planter.as_admin("GET", "/d/{slug}/logo?v={canary}", 404),
        ("GET", f"{WORKSPACE_PATH}/members"): planter.as_admin("GET", "/api/workspaces/public/members?limit=100", 200),
        ("PATCH", f"{WORKSPACE_PATH}/members/{{member_id}}"): planter.as_admin(
            "PATCH", "/api/workspaces/public/members/{canary}", 404, json={"role": "admin"}
        ),
        ("DELETE", f"{WORKSPACE_PATH}/members/{{member_id}}"): planter.as_admin(
            "DELETE", "/api/workspaces/public/members/{canary}", 404
        ),
        ("GET", f"{WORKSPACE_PATH}/former-members"): planter.as_admin(
            "GET", "/api/workspaces/public/former-members?limit=100", 200
        ),
        ("DELETE", f"{WORKSPACE_PATH}/members/{{member_id}}/personal-data"): planter.as_admin(
            "DELETE", "/api/workspaces/public/members/{canary}/personal-data", 404
        ),
        ("GET", f"{WORKSPACE_PATH}/invitations"): planter.as_admin(
            "GET", "/api/workspaces/public/invitations?limit=100", 200
        ),
        ("POST", f"{WORKSPACE_PATH}/invitations"): planter.as_admin(
            "POST", "/api/workspaces/public/invitations", 422, json={"email": planter.canary("email"), "role": "admin"}
        ),
        ("DELETE", f"{WORKSPACE_PATH}/invitations/{{member_id}}"): planter.as_admin(
            "DELETE", "/api/workspaces/public/invitations/{canary}", 404
        ),
        ("GET", "/health"): planter.as_admin("GET", "/health", 200),
        ("GET", "/health/live"): planter.as_admin("GET", "/health/live", 200),
        ("GET", "/health/ready"): planter.as_admin("GET", "/health/ready", 200),
        ("GET", "/problems"): planter.as_admin("GET", "/problems?{canary}", 200),
        ("GET", "/problems/{name}"): planter.as_admin("GET", "/problems/{canary}", 404),
        ("GET", "/openapi.json"): planter.as_admin("GET", "/openapi.json", 200),
        ("GET", "/"): planter.as_admin("GET", "/?{canary}", 200),
        ("GET", "/docs"): planter.as_admin("GET", "/docs?{canary}", 200),
        ("GET", "/docs/{name}"): planter.as_admin("GET", "/docs/createTicket?{canary}", 200),
        ("GET", "/static/{name}"): planter.as_admin("GET", "/static/{canary}", 404),
        ("GET", "/favicon.ico"): planter.as_admin("GET", "/favicon.ico", 200),
        ("GET", "/find"): planter.as_admin("GET", "/find?next=/{canary}", 200),
        ("POST", "/find"): planter.as_admin("POST", "/find?{canary}", 403, data={"contact": planter.canary("contact")}),
        ("GET", "/find/code"): planter.as_admin("GET", "/find/code?request={canary}", 303),
        ("POST", "/find/code"): planter.as_admin("POST", "/find/code", 403, data={"code": planter.canary("code")}),
        ("GET", "/sign-in/{token}"): planter.as_admin("GET", "/sign-in/{canary}", 404),
        ("POST", "/sign-in/{token}"): planter.as_admin("POST", "/sign-in/{canary}", 404),
        ("GET", "/recover/{token}"): planter.as_admin("GET", "/recover/{canary}", 404),
        ("POST", "/recover/{token}"): planter.as_admin("POST", "/recover/{canary}", 404),
        ("POST", "/sign-out"): planter.as_admin("POST", "/sign-out?{canary}", 303),
        ("GET", "/t/{ticket_id}/recordings"): planter.page("/recordings?done={canary}"),
        ("POST", "/t/{ticket_id}/recordings/{recording_id}/delete"): planter.as_admin(
            "POST", "/t/{ticket}/recordings/{canary}/delete", 403
        ),
        ("GET", "/t/{ticket_id}/manage"): planter.page("/manage?{canary}"),
        ("POST", "/t/{ticket_id}/manage/unpublish"): planter.as_admin("POST", "/t/{ticket}/manage/unpublish", 403),
        ("POST", "/t/{ticket_id}/thanks"): planter.page("/thanks", {"text": "{canary}"}),
        ("GET", "/t/{ticket_id}/recovery"): planter.page("/recovery?{canary}"),
        ("POST", "/t/{ticket_id}/recovery"): planter.page("/recovery?{canary}", {"button": "{canary}"}),
        ("GET", "/t/{ticket_id}/contact"): planter.page("/contact?{canary}"),
        ("POST", "/t/{ticket_id}/contact"): planter.page("/contact", {"contact": "{canary}@example.com"}),
        ("POST", "/t/{ticket_id}/contact/code"): planter.as_admin(
            "POST", "/t/{ticket}/contact/code", 403, data={"contact": planter.canary("contact")}
        ),
        ("GET", "/t/{ticket_id}/help"): planter.page("/help?{canary}"),
        ("POST", "/t/{ticket_id}/help"): planter.page("/help", {"text": "{canary}"}),
        ("GET", "/t/{ticket_id}/help/{support_id}"): planter.as_admin("GET", "/t/{ticket}/help/{canary}", 403),
        ("POST", "/t/{ticket_id}/help/{support_id}"): planter.talk_about_help,
        ("GET", "/t/{ticket_id}/news"): planter.page("/news?done={canary}"),
        ("POST", "/t/{ticket_id}/news"): planter.page("/news", {"{canary}": "{canary}"}),
        ("GET", "/t/{ticket_id}/erase"): planter.page("/erase?{canary}"),
        ("POST", "/t/{ticket_id}/erase"): planter.as_admin(
            "POST", "/t/{ticket}/erase", 403, data={"word": planter.canary("word")}
        ),
        ("GET", "/t/{ticket_id}/story"): planter.page("/story?{canary}"),
        ("POST", "/t/{ticket_id}/story"): planter.as_admin(
            "POST", "/t/{ticket}/story", 403, data={"title": planter.canary("title")}
        ),
        ("PUT", "/t/{ticket_id}/story"): planter.as_admin(
            "PUT", "/t/{ticket}/story", 403, data={"title": planter.canary("title")}
        ),
        ("POST", "/t/{ticket_id}/story/transcript"): planter.as_admin(
            "POST", "/t/{ticket}/story/transcript", 403, data={"text": planter.canary("text")}
        ),
        ("POST", "/t/{ticket_id}/story/restore"): planter.as_admin("POST", "/t/{ticket}/story/restore?{canary}", 403),
        ("GET", "/t/{ticket_id}/listen"): planter.page("/listen?at=1&lang={canary}"),
        ("POST", "/t/{ticket_id}/listen"): planter.page("/listen", {"at": "1", "text": "{canary}"}),
        ("GET", "/t/{ticket_id}/preview"): planter.page("/preview?session_id={canary}"),
        ("POST", "/t/{ticket_id}/story/document"): planter.page("/story/document", {"format": "{canary}"}),
        ("GET", "/t/{ticket_id}/publish"): planter.page("/publish?{canary}"),
        ("POST", "/t/{ticket_id}/publish"): planter.publish_by_page,
        ("GET", "/t/{ticket_id}/consent"): planter.page("/consent?done={canary}"),
        ("POST", "/t/{ticket_id}/consent"): planter.as_admin(
            "POST", "/t/{ticket}/consent", 403, data={"scope": planter.canary("scope")}
        ),
        ("GET", "/t/{ticket_id}/photo"): planter.page("/photo?done={canary}"),
        ("POST", "/t/{ticket_id}/photo"): planter.photo_by_page,
        ("POST", "/t/{ticket_id}/photo/change"): planter.as_admin(
            "POST", "/t/{ticket}/photo/change", 403, data={"description": planter.canary("description")}
        ),
        ("GET", "/t/{ticket_id}"): planter.page(""),
        ("POST", "/t/{ticket_id}/start"): planter.page("/start", {"button": "{canary}"}),
        ("POST", "/t/{ticket_id}/retry"): planter.page("/retry", {"button": "{canary}"}),
        ("GET", "/t/{ticket_id}/questions"): planter.page("/questions"),
        ("GET", "/t/{ticket_id}/questions/{question}"): planter.page("/questions/story"),
        ("POST", "/t/{ticket_id}/questions/{question}"): planter.page("/questions/title", {"title": "{canary}"}),
        ("GET", "/t/{ticket_id}/answers"): planter.page("/answers"),
        ("GET", "/t/{ticket_id}/findings"): planter.page("/findings?next=/{canary}"),
        ("POST", "/t/{ticket_id}/findings"): planter.page("/findings", {"id": "{canary}", "next": "/{canary}"}),
        ("DELETE", TICKET_PATH): lambda: planter.visitor.delete(planter.main.path, headers={"If-Match": "x"}) and None,
    }


@pytest.fixture
def service(server_url: str, migrated_template: str, tmp_path: Path) -> Iterator[ObservedService]:
    """Run a service to which a canary is spoken, and whose unreachable collector of traces must not affect it."""
    with (
        fresh_database(server_url, migrated_template) as url,
        speech_settings(text_reply(f"The roof fell in on {STEM}. We need 1500 dollars.", "en")) as speech,
        ObservedService(url, tmp_path, otel_exporter_otlp_endpoint="http://127.0.0.1:1", **speech) as running,
    ):
        yield running


def test_a_canary_is_found_in_every_encoding():
    canary = f"{STEM}ab"
    for before in ("", "x", "xy"):
        text = f"{before}{canary}, {before}".encode()
        wide = text.decode().encode("utf-16-le")
        hidden = [text, text.upper(), text.hex().encode(), wide, base64.b64encode(text), base64.b64encode(wide)]
        hidden += [base64.urlsafe_b64encode(text).hex().encode(), base64.b32encode(b"no canary")]
        assert [bool(found_in(b"some " + data + b" more")) for data in hidden] == [True] * 7 + [False]


def test_personal_data_is_stored_nowhere_in_clear_and_nowhere_at_all_after_the_erasure(service: ObservedService):
    with Watch(service.process.pid) as watch:
        planter = Planter(service)
        # What has happened is signed within a second or two.
        eventually(lambda: planter.visitor.get("/checkpoint").status_code == 200)
        planted = plantings(planter)
        missing = [f"{o.method} {o.path}" for o in OPERATIONS if (o.method, o.path) not in planted]
        assert missing == [], "plant a person through these: add each to `plantings`"
        for plant in planted.values():
            plant()
        service.wait_until_idle()
    assert planter.errors == []
    assert found_in(b"\n".join(watch.seen)) == []
    assert found_in(service.dump()) == []
    # Mails in the outbox folder are in clear until the person is erased.
    assert [hit for hit in found_under(service.data) if not hit.startswith("outbox/")] == []
    assert found_under(service.temporary) == []
    main = planter.main
    totals = planter.admin.get(f"{main.path}/donations/total").json()
    assert totals["breakdown"]["paid"] == 70

    # The person and an operator erase tickets, and Stripe delivers further events.
    assert main.http.delete(main.path).status_code == 202
    for other in planter.others:
        service.run_json("erase", other.id)
    planter.deliver_events(WEBHOOKS[0])
    service.wait_until_idle()

    assert found_in(service.dump()) == []
    for folder in (service.data, service.temporary):
        assert found_under(folder) == []
    assert list(service.outbox.iterdir()) == []
    remaining_files = [path for path in (service.data / "storage").rglob("*") if path.is_file()]
    assert [path for path in remaining_files if path.parent.name not in ("checkpoints", "checks")] == []
    after = planter.admin.get(f"{main.path}/donations/total").json()
    assert {name: after[name] for name in ("breakdown", "counts", "byCurrency")} == {
        name: totals[name] for name in ("breakdown", "counts", "byCurrency")
    }
    # The organisation's books keep the donors until these ask to be forgotten, too.
    assert STEM in after["lastDonation"]["donor"]
    assert found_in(json.dumps(service.run_json("history", main.id)).encode()) != []
    for donation in planter.admin.get(f"{main.path}/donations?limit=100").json()["donations"]:
        forgotten = planter.admin.post(f"/api/donations/{donation['id']}/forget-donor", json={})
        assert forgotten.status_code == 200, forgotten.text
    service.wait_until_idle()
    assert found_in(service.dump()) == []
    again = planter.admin.get(f"{main.path}/donations/total").json()
    assert again["lastDonation"].pop("donor") == "Anonymous"
    del after["lastDonation"]["donor"]
    assert again == after

    # The history is still valid and replays without personal data.
    assert service.run_json("audit", "verify")["ok"]
    rebuilt = service.run_json("rebuild-projections", "--verify")
    assert all(projection["differences"] == [] for projection in rebuilt["projections"])
    history = json.dumps(service.run_json("history", main.id))
    assert "[erased]" in history
    assert found_in(history.encode()) == []
    erased_ticket = planter.admin.get(f"{main.path}?include=draft,documents,attributions,transcriptions")
    assert found_in(erased_ticket.content) == []
    assert service.stop() == 0
    assert found_in(service.log.read_bytes()) == []
