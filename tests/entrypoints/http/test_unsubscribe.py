"""Unsubscribing: a GET changes nothing, one click does, and necessary mails are still sent."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from domain.ports import Mail
from tests.client import Client, LiveService
from tests.fakes.mailbox import files, text_of


@pytest.fixture
def address() -> str:
    """Return an address that no other test uses."""
    return f"{uuid4().hex}@example.com"


def mails_to(live: LiveService, address: str) -> list[Any]:
    live.service.mail.sender.run_all()
    return files(live.settings.outbox, address)


def is_unsubscribed(live: LiveService, address: str) -> bool:
    with live.service.database.connection() as connection:
        return live.service.mail.subscriptions.is_unsubscribed(connection, address)


def token_of(live: LiveService, address: str) -> str:
    return live.service.mail.subscriptions.link(address).rpartition("/")[2]


def test_a_holder_gets_one_mail_about_the_publication(live: LiveService, client: Client, address: str):
    ticket = client.open_ticket(contactValue=address)
    url = ticket.publish()
    ticket.post("/unpublish")
    ticket.publish()
    [mail] = mails_to(live, address)
    assert mail["Subject"] == "Your page is public"
    assert url in text_of(mail)
    assert "Help Ada" not in text_of(mail)


def test_a_holder_without_an_address_can_publish(live: LiveService, client: Client):
    before = live.row_count("outbox")
    client.open_ticket(contactType="SOCIAL", contactValue="@ada").publish()
    assert live.row_count("outbox") == before


@pytest.mark.parametrize(
    "send",
    [{"data": {"List-Unsubscribe": "One-Click"}}, {"files": {"List-Unsubscribe": (None, "One-Click")}}, {}],
)
def test_one_click_by_a_person_or_a_mail_program_is_enough(
    live: LiveService, client: Client, address: str, send: dict[str, Any]
):
    client.open_ticket(contactValue=address).publish()
    [mail] = mails_to(live, address)
    path = urlsplit(mail["List-Unsubscribe"].strip("<>")).path
    assert address.partition("@")[0] not in path

    # A GET does not unsubscribe, because mail filters open every link.
    page = client.get(path)
    assert (page.status_code, '<form method="post">' in page.text) == (200, True)
    assert not is_unsubscribed(live, address)

    for _ in range(2):
        answer = client.post(path, **send)
        assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)
    assert is_unsubscribed(live, address)

    client.open_ticket(contactValue=address.upper()).publish()
    client.open_ticket(contactValue=f"other-{address}").publish()
    assert len(mails_to(live, address)) == 1
    assert len(mails_to(live, f"other-{address}")) == 1


def test_necessary_mails_are_still_sent(live: LiveService, client: Client, address: str):
    client.post(f"/unsubscribe/{token_of(live, address)}")
    code = Mail(
        "access_code", address, {"code": "1", "expires": "soon", "link": "https://s.example/l"}, uuid4().hex, None
    )
    with live.service.database.connection() as connection:
        live.service.mail.outbox.queue(connection, code)
    assert [mail["Subject"] for mail in mails_to(live, address)] == ["1 is your Storyledger code"]


def test_a_waiting_mail_is_not_sent_after_unsubscribing(live: LiveService, address: str):
    with live.service.database.connection() as connection:
        mail = Mail("published", address, {"page": "https://here/d/x"}, uuid4().hex, None)
        live.service.mail.outbox.queue(connection, mail)
    live.service.mail.subscriptions.unsubscribe(token_of(live, address))
    assert mails_to(live, address) == []


def test_an_invalid_token_is_refused(live: LiveService, client: Client, address: str):
    before = live.row_count("unsubscribed")
    token, other = token_of(live, address), token_of(live, f"other-{address}")
    mixed = other.rpartition("-")[0] + token[-33:]
    turned = re.sub(r".$", lambda last: "0" if last[0] != "0" else "1", token)
    for wrong in (mixed, turned, token[:-1], token + "0", token.upper(), "x", "%00", "é" * 40):
        assert client.get(f"/unsubscribe/{wrong}").status_code == 404
        assert client.post(f"/unsubscribe/{wrong}").status_code == 404
    assert live.row_count("unsubscribed") == before
