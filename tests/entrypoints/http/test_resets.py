"""An admin resets a ticket to a new address. Neither the old token nor the answer gives access to it."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest

from domain.values import Role
from entrypoints.composition.service import Parts
from tests.client import Client, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.mailbox import files, text_of


def address(name: str = "grace") -> str:
    return f"{name}-{uuid4().hex[:12]}@example.com"


def approve(admin: Client, ticket: Ticket, value: str, /, headers: dict[str, str] | None = None, **more: Any) -> Any:
    body = {"newContactValue": value} | more
    return admin.post(f"/admin/profiles/{ticket.id}/approve-reset", json=body, headers=headers or {})


def mail_to(live: LiveService, to: str) -> EmailMessage:
    """Return the only mail to this address."""
    live.service.mail.sender.run_all()
    [message] = files(live.settings.outbox, to)
    return message


def token_in(message: EmailMessage) -> str:
    [token] = re.findall(r"tkt_[\w-]+", text_of(message))
    return str(token)


def test_the_ticket_is_shown_with_its_new_contact_and_without_a_token(admin: Client, ticket: Ticket):
    new = address()
    answer = approve(admin, ticket, new.upper())
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["id"], body["contactType"], body["contactValue"]) == (ticket.id, "EMAIL", new)
    assert "tkt_" not in answer.text
    assert answer.headers["etag"] == f'"{body["version"]}"'


def test_the_new_token_replaces_the_old_one(live: LiveService, admin: Client, ticket: Ticket):
    ticket.write_draft()
    before = ticket.get(params={"include": "draft"}).json()
    new = address()
    approve(admin, ticket, new)
    problem(ticket.get(), 401, "unauthenticated")
    with live.client(token_in(mail_to(live, new))) as with_new_token:
        after = with_new_token.get(ticket.path, params={"include": "draft"}).json()
    assert after["donationDraft"] == before["donationDraft"]
    assert {name for name in after if after[name] != before[name]} == {"contactValue", "updatedAt", "version"}


def test_the_old_address_gets_a_notice_without_token_and_new_address(live: LiveService, client: Client, admin: Client):
    old, new = address("ada"), address()
    ticket = client.open_ticket(contactValue=old)
    approve(admin, ticket, new)
    notice = mail_to(live, old)
    assert "was changed" in notice["Subject"]
    assert "tkt_" not in notice.as_string()
    assert new not in notice.as_string()


def returned(live: LiveService, visitor: Client, contact: str) -> Client:
    """Return a client with the session that a login code for this contact opens."""
    requested = visitor.post("/api/access/request", json={"contactType": "EMAIL", "contactValue": contact}).json()
    live.service.access.login_codes.run_all()
    code = mail_to(live, contact)["Subject"].partition(" is ")[0]
    session = visitor.post("/api/access/verify", json={"requestId": requested["requestId"], "code": code}).json()
    return live.client(session["accessToken"])


def test_a_session_of_the_old_contact_loses_access_to_the_ticket(live: LiveService, client: Client, admin: Client):
    old = address("ada")
    ticket = client.open_ticket(contactValue=old)
    with returned(live, client, old) as holder:
        assert holder.get(ticket.path).status_code == 200
        approve(admin, ticket, address())
        problem(holder.get(ticket.path), 404, "not-found")
        assert holder.get("/api/tickets/search", params={"contact": old}).json()["tickets"] == []


def test_the_old_token_stops_working_in_other_processes(migrated_url: str, tmp_path: Any):
    folder = tmp_path / "var"
    with (
        LiveService(migrated_url, folder, Parts.ALL) as live_service,
        LiveService(migrated_url, folder, frozenset({Parts.WEB})) as two,
        live_service.client() as visitor,
        live_service.client_with_key(Role.ADMIN) as admin,
    ):
        ticket = visitor.open_ticket()
        with two.client(ticket.token) as elsewhere:
            assert elsewhere.get(ticket.path).status_code == 200
            approve(admin, ticket, address())
            eventually(lambda: elsewhere.get(ticket.path).status_code == 401)


def test_the_ticket_is_found_by_its_new_contact_only(client: Client, admin: Client):
    old, new = address("ada"), address()
    ticket = client.open_ticket(contactValue=old)
    approve(admin, ticket, new)
    results = [
        admin.get("/api/tickets/search", params={"contact": searched_contact}).json()["tickets"]
        for searched_contact in (old, new)
    ]
    assert [[row["id"] for row in tickets] for tickets in results] == [[], [ticket.id]]


def test_the_same_idempotency_key_resets_once(live: LiveService, admin: Client, ticket: Ticket):
    new, headers = address(), {"Idempotency-Key": str(uuid4())}
    first, repeated = (approve(admin, ticket, new, headers) for _ in range(2))
    assert first.json() == repeated.json()
    assert repeated.headers["idempotency-replayed"] == "true"
    token_in(mail_to(live, new))


def test_a_stale_version_changes_nothing_and_sends_nothing(live: LiveService, admin: Client, ticket: Ticket):
    ticket.write_draft()
    before = live.row_count("outbox")
    problem(approve(admin, ticket, address(), {"If-Match": '"1"'}), 412, "stale-version")
    assert live.row_count("outbox") == before
    assert ticket.get().status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/newContactValue"),
        ({"newContactValue": "no address"}, "/newContactValue"),
        ({"newContactValue": "a@b.co\r\nBcc: c@d.co"}, "/newContactValue"),
        ({"newContactValue": "x" * 321}, "/newContactValue"),
        ({"newContactValue": "+12125550123", "newContactType": "PHONE"}, "/newContactType"),
        ({"newContactValue": "@grace", "newContactType": "SOCIAL"}, "/newContactType"),
        ({"newContactValue": "a@b.co", "newContactType": "PIGEON"}, "/newContactType"),
        ({"newContactValue": "a@b.co", "contactValue": "a@b.co"}, "/contactValue"),
    ],
)
def test_a_contact_without_mail_is_refused_and_the_old_token_still_works(
    admin: Client, ticket: Ticket, body: dict[str, Any], pointer: str
):
    assert pointers(admin.post(f"/admin/profiles/{ticket.id}/approve-reset", json=body)) == [pointer]
    assert ticket.get().status_code == 200


def test_an_erased_ticket_cannot_be_reset(live: LiveService, admin: Client, ticket: Ticket):
    ticket.http.delete(ticket.path)
    before = live.row_count("outbox")
    problem(approve(admin, ticket, address()), 404, "not-found")
    assert live.row_count("outbox") == before


def test_after_two_resets_only_the_last_token_works(live: LiveService, admin: Client, ticket: Ticket):
    first, second = address(), address("hopper")
    approve(admin, ticket, first)
    approve(admin, ticket, second)
    live.service.mail.sender.run_all()
    mails = [mail for mail in files(live.settings.outbox) if mail["To"] in (first, second) and "tkt_" in text_of(mail)]
    tokens = {mail["To"]: token_in(mail) for mail in mails}
    with live.client(tokens[first]) as early, live.client(tokens[second]) as late:
        assert [mail.get(ticket.path).status_code for mail in (early, late)] == [401, 200]


def test_the_history_shows_who_changed_the_contact(admin: Client, ticket: Ticket):
    approve(admin, ticket, address())
    events = admin.get(ticket.path + "/history").json()["events"]
    assert [event["type"] for event in events] == ["TicketOpened", "ContactChanged"]
    assert events[1]["actor"].startswith("admin:")
    assert "digest" not in str(events[1]["data"]).lower()
