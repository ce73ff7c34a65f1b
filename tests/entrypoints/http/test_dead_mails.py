"""An administrator sees dead mails without their recipients, and can retry them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from adapters.ids import uuid7
from domain.ports import Mail
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.mailbox import files

PAGE = "https://here/d/x"


def died(live: LiveService, kind: str, **values: str) -> tuple[str, str]:
    """Return the id and the address of a mail that is dead."""
    address, key = f"{uuid4().hex}@example.com", uuid4().hex
    with live.service.database.connection() as connection:
        live.service.mail.outbox.queue(connection, Mail(kind, address, values, key, None))
        [[id]] = connection.execute(
            "UPDATE outbox SET state = 'dead', error = 'SMTP recipient: 550' WHERE key = %s RETURNING id", (key,)
        ).fetchall()
    return str(id), address


def listed(admin: Client, id: str) -> dict[str, Any]:
    """Return this dead mail as the list shows it. Other tests leave dead mails behind."""
    [mail] = [row for row in admin.get("/admin/dead-mails?limit=100").json()["deadMails"] if row["id"] == id]
    dead_mail: dict[str, Any] = mail
    return dead_mail


def test_a_dead_mail_is_listed_and_sent_again(live: LiveService, admin: Client):
    id, address = died(live, "published", page=PAGE)
    mail = listed(admin, id)
    assert (mail["kind"], mail["error"], mail["retryable"], mail["ticketId"]) == (
        "published",
        "SMTP recipient: 550",
        True,
        None,
    )
    assert address.partition("@")[0] not in str(mail)
    answer = admin.post(f"/admin/dead-mails/{mail['id']}/retry", json={})
    assert (answer.status_code, answer.json()) == (202, {"id": mail["id"], "state": "waiting"})
    live.service.mail.sender.run_all()
    assert len(files(live.settings.outbox, address)) == 1
    problem(admin.post(f"/admin/dead-mails/{mail['id']}/retry", json={}), 404, "not-found")


def test_a_mail_that_cannot_be_retried_says_so(live: LiveService, admin: Client):
    id, _ = died(live, "access_code", code="1", expires="soon", link="https://s.example/l")
    live.service.database.execute("UPDATE outbox SET sealed = '' WHERE id = %s", (id,))
    mail = listed(admin, id)
    assert (mail["kind"], mail["retryable"]) == ("access_code", False)
    problem(admin.post(f"/admin/dead-mails/{mail['id']}/retry", json={}), 409, "conflict")


def test_only_dead_mails_can_be_retried(admin: Client):
    for id in (uuid7(), "nothing"):
        problem(admin.post(f"/admin/dead-mails/{id}/retry", json={}), 404, "not-found")
    assert pointers(admin.get("/admin/dead-mails", params={"cursor": "x"})) == ["/cursor"]
