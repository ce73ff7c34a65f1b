"""No more mails: a look changes nothing, one press does, and what must reach somebody still does."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from domain.ports import Mail
from tests.client import Client, LiveService, eventually
from tests.fakes.mailbox import files, text_of


def published(live: LiveService) -> list[Any]:
    return [mail for mail in files(live.settings.outbox) if mail["Subject"] == "Your campaign is published"]


def link_in(mail: Any) -> str:
    return urlsplit(mail["List-Unsubscribe"].strip("<>")).path


def test_a_holder_hears_that_their_campaign_is_published_once(live: LiveService, client: Client):
    ticket = client.open_ticket()
    url = ticket.publish()
    ticket.post("/unpublish")
    ticket.publish()
    [mail] = eventually(lambda: published(live))
    assert mail["To"] == "ada@example.com"
    assert url in text_of(mail)
    assert "Help Ada" not in text_of(mail)
    live.service.mail_sender.send_all()
    assert len(published(live)) == 1


def test_a_holder_without_an_address_publishes_all_the_same(live: LiveService, client: Client):
    client.open_ticket(contactType="SOCIAL", contactValue="@ada").publish()
    assert live.row_count("outbox") == 0


@pytest.mark.parametrize(
    "send",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
    ],
)
def test_one_press_or_one_click_of_a_program_is_enough(live: LiveService, client: Client, send: dict[str, Any]):
    client.open_ticket().publish()
    [mail] = eventually(lambda: published(live))
    path = link_in(mail)
    assert "ada" not in path

    # To look is not to press: filters open every link.
    page = client.get(path)
    assert (page.status_code, '<form method="post">' in page.text) == (200, True)
    assert live.row_count("unsubscribed") == 0

    for _ in range(2):
        done = client.post(path, **send)
        assert (done.status_code, "It is noted" in done.text) == (200, True)
    assert live.row_count("unsubscribed") == 1

    client.open_ticket(contactValue="ADA@Example.com").publish()
    client.open_ticket(contactValue="grace@example.com").publish()
    eventually(lambda: len(published(live)) == 2)
    assert [one["To"] for one in published(live)] == ["ada@example.com", "grace@example.com"]


def test_what_must_reach_somebody_still_does(live: LiveService, client: Client):
    client.post(urlsplit(live.service.subscriptions.link("ada@example.com")).path)
    code = Mail("access_code", "ada@example.com", {"code": "1", "expires": "soon"}, "k", None)
    with live.service.database.connection() as connection:
        live.service.outbox.queue(connection, code)
    assert eventually(lambda: files(live.settings.outbox))[0]["Subject"] == "1 is your Storyledger code"


def test_a_mail_that_waits_when_somebody_leaves_is_not_sent(service):
    with service.database.connection() as connection:
        mail = Mail("published", "ada@example.com", {"page": "https://here/d/x"}, "k", None)
        service.outbox.queue(connection, mail)
    service.subscriptions.leave(service.subscriptions.link("ada@example.com").rpartition("/")[2])
    service.mail_sender.send_all()
    assert files(service.settings.outbox) == []


def test_no_other_token_is_one(live: LiveService, client: Client):
    token = live.service.subscriptions.link("ada@example.com").rpartition("/")[2]
    other = live.service.subscriptions.link("grace@example.com").rpartition("/")[2]
    mixed = other.rpartition("-")[0] + token[-33:]
    turned = re.sub(r".$", lambda m: "0" if m[0] != "0" else "1", token)
    for wrong in (mixed, turned, token[:-1], token + "0", token.upper(), "x", "%00", "é" * 40):
        assert client.get(f"/unsubscribe/{wrong}").status_code == 404
        assert client.post(f"/unsubscribe/{wrong}").status_code == 404
    assert live.row_count("unsubscribed") == 0
