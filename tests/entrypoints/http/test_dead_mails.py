"""An administrator sees dead mails without their recipients, and can retry them."""

from __future__ import annotations

from uuid import uuid4

from adapters.ids import uuid7
from domain.ports import Mail
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.mailbox import files

PAGE = "https://here/d/x"


def died(live: LiveService, kind: str, **values: str) -> str:
    """Return the address of a mail that is dead."""
    address = f"{uuid4().hex}@example.com"
    with live.service.database.connection() as connection:
        live.service.mail.outbox.queue(connection, Mail(kind, address, values, uuid4().hex, None))
        connection.execute("UPDATE outbox SET state = 'dead', error = 'SMTP recipient: 550' WHERE state = 'waiting'")
    return address


def test_a_dead_mail_is_listed_and_sent_again(live: LiveService, admin: Client):
    live.service.mail.sender.run_all()
    address = died(live, "published", page=PAGE)
    [mail] = [row for row in admin.get("/admin/dead-mails").json()["deadMails"] if row["kind"] == "published"]
    assert (mail["error"], mail["retryable"], mail["ticketId"]) == ("SMTP recipient: 550", True, None)
    assert address.partition("@")[0] not in str(mail)
    answer = admin.post(f"/admin/dead-mails/{mail['id']}/retry", json={})
    assert (answer.status_code, answer.json()) == (202, {"id": mail["id"], "state": "waiting"})
    live.service.mail.sender.run_all()
    assert len(files(live.settings.outbox, address)) == 1
    problem(admin.post(f"/admin/dead-mails/{mail['id']}/retry", json={}), 404, "not-found")


def test_a_mail_that_cannot_be_retried_says_so(live: LiveService, admin: Client):
    live.service.mail.sender.run_all()
    died(live, "access_code", code="1", expires="soon", link="https://s.example/l")
    with live.service.database.connection() as connection:
        connection.execute("UPDATE outbox SET sealed = '' WHERE state = 'dead'")
    [mail] = [row for row in admin.get("/admin/dead-mails").json()["deadMails"] if row["kind"] == "access_code"]
    assert mail["retryable"] is False
    problem(admin.post(f"/admin/dead-mails/{mail['id']}/retry", json={}), 409, "conflict")


def test_only_dead_mails_can_be_retried(admin: Client):
    for id in (uuid7(), "nothing"):
        problem(admin.post(f"/admin/dead-mails/{id}/retry", json={}), 404, "not-found")
    assert pointers(admin.get("/admin/dead-mails", params={"cursor": "x"})) == ["/cursor"]
