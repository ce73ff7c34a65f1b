"""The mails to donors and holders are readable with any input, and input is never markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail import messages
from adapters.mail.letterhead import Letterhead
from domain.ports import Mail
from tests.fakes.mailbox import read, text_of

LETTERHEAD = Letterhead("Storyledger <hello@storyledger.example>", "help@aid.example", "Aid")
LINK = "https://storyledger.example/unsubscribe/" + "0123456789abcdef" * 7
COMMON = {
    "name": "Grace Hopper",
    "issuer": "Aid",
    "test": "",
    "paid": "$50.00\xa0USD",
    "title": "A roof",
    "donation": "d-1",
    "page": "",
    "day": "1 May 2026",
}
GIFTS = {"name": "Ada", "page": "https://s.example/t/1/manage", "unsubscribe": LINK, "test": ""}
VALUES = {
    "access_code": {"name": "Ada Lovelace", "code": "1234 5678", "expires": "12:10 UTC", "link": "https://s.example/l"},
    "contact_changed": {"name": "Ada", "changed": "2026-05-01T12:00:00+00:00", "home": "https://s.example"},
    "invitation": {"workspace": "Shelter", "role": "caseworker", "link": "https://s.example/desk"},
    "dispute_due": {
        "name": "Grace",
        "amount": "50.00 USD",
        "due": "2026-05-01T12:00:00+00:00",
        "page": "https://s.example/desk/disputes",
        "unsubscribe": LINK,
    },
    "ticket_due": {"name": "Grace", "due": "2026-05-01T12:00:00+00:00", "page": "https://s.example/desk/tickets/1"},
    "member_code": {"code": "1234 5678", "expires": "12:10 UTC", "link": "https://s.example/l"},
    "support_reply": {"message": "We have mended it."},
    "contact_code": {"code": "1234 5678", "expires": "12:10 UTC"},
    "new_access": {"name": "Ada", "token": "tkt_1", "home": "https://s.example"},
    "retention_notice": {"name": "Ada", "day": "2026-05-28", "title": "A roof", "page": "https://s.example/t/1"},
    "suspended": {"name": "Ada", "reason": "A question.", "page": "https://s.example/t/1/manage"},
    "reinstated": {"name": "Ada", "page": "https://s.example/t/1/manage"},
    "draft_ready": {"name": "Ada", "page": "https://s.example/t/1", "unsubscribe": LINK},
    "draft_questions": {"name": "Ada", "page": "https://s.example/t/1", "unsubscribe": LINK},
    "recording_failed": {"name": "Ada", "page": "https://s.example/t/1", "unsubscribe": LINK},
    "changes_requested": {"name": "Ada", "note": "The street.", "page": "https://s.example/t/1/manage"},
    "approved": {"name": "Ada", "page": "https://s.example/t/1/manage", "unsubscribe": LINK},
    "first_gift": GIFTS | {"amount": "$50.00\xa0USD"},
    "weekly_gifts": GIFTS | {"gifts": "3", "amount": "$50.00\xa0USD", "total": "$70.00\xa0USD"},
    "goal_reached": GIFTS | {"total": "$70.00\xa0USD", "goal": "$50.00\xa0USD"},
    "thanks": COMMON | {"message": "You mended our roof.", "holder": "Ada", "unsubscribe": LINK},
    "receipt": COMMON | {"receipt": "https://storyledger.example/r", "donor": "Hopper", "beneficiary": "Ada"},
    "refund": COMMON | {"refunded": "$20.00\xa0USD", "refund": "re_1"},
    "published": {"name": "Ada", "page": "https://storyledger.example/d/roof", "unsubscribe": LINK},
}
HOSTILE = "</td><b>bold</b>\r\nBcc: all@example.com\r\n\r\n{{ paid }}"


def composed(kind: str, **values: str):
    mail = messages.checked(Mail(kind, "grace@example.com", VALUES[kind] | values, f"{kind}:1", None))
    return read(messages.compose(mail, LETTERHEAD, datetime(2026, 5, 1, tzinfo=UTC)).as_bytes())


def html_of(message) -> str:
    part = message.get_body(("html",))
    assert part is not None
    html: str = part.get_content()
    return html


def texts_of(message) -> list[str]:
    return [text_of(message), html_of(message)]


def test_every_kind_of_mail_is_looked_at_here():
    assert {file.stem for file in messages.TEMPLATES.glob("[a-z]*.txt")} == set(VALUES)


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_every_mail_is_whole_in_spanish(kind: str):
    english, spanish = composed(kind, language="en"), composed(kind, language="es")
    assert english["Subject"] != spanish["Subject"]
    for text in texts_of(spanish):
        assert "Hola" in text
        assert "preguntas" in text
    same = set(text_of(english).splitlines()) & set(text_of(spanish).splitlines())
    # Only links and the values are the same in both.
    values = set(VALUES[kind].values())
    assert {line for line in same if line and line not in values and "https://" not in line} == set()


@pytest.mark.parametrize("kind", sorted(kind for kind, values in VALUES.items() if "name" in values))
def test_a_mail_greets_its_reader_by_name(kind: str):
    name = VALUES[kind]["name"]
    assert all(f"Hello {name}," in text for text in texts_of(composed(kind)))
    assert all("Hello," in text for text in texts_of(composed(kind, name="")))


@pytest.mark.parametrize("kind", sorted(VALUES))
def test_a_mail_says_who_runs_the_service_and_answers_reach_a_person(kind: str):
    message = composed(kind)
    assert message["Reply-To"] == "help@aid.example"
    assert all("run by Aid" in text and "A person reads it." in text for text in texts_of(message))


@pytest.mark.parametrize("name", ["Ada", "María José de la Cruz", "Jo O’Neill-Ríos", "J. R. Ama", "آدا", "अदिति राव"])
def test_a_name_in_any_script_is_greeted(name: str):
    assert f"Hello {name}," in text_of(composed("published", name=name))


@pytest.mark.parametrize(
    "name",
    [
        "Win at evil.example",
        "http://evil.example",
        "Call 0900 123",
        "a@b.co",
        "W" * 61,
        "You won a prize so call us",
        "<b>",
    ],
)
def test_nobody_sends_a_message_in_a_name(name: str):
    assert all("Hello," in text and name not in text for text in texts_of(composed("published", name=name)))


def test_a_mail_is_not_half_in_a_language_into_which_not_all_of_it_is_translated():
    mail = composed("published", language="ar")
    assert '<html lang="en" dir="ltr">' in html_of(mail)
    assert "Questions? Answer this mail." in text_of(mail)


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize(("kind", "name"), [("receipt", "donor"), ("receipt", "title"), ("refund", "title")])
def test_values_become_neither_markup_nor_headers(kind: str, name: str):
    plain, hostile = composed(kind), composed(kind, **{name: HOSTILE})
    assert hostile.keys() == plain.keys()
    assert Tags(html_of(hostile)).tags == Tags(html_of(plain)).tags
    assert text_of(hostile).count("\n") == text_of(plain).count("\n")
    assert "{{ paid }}" in text_of(hostile)


def test_no_title_changes_the_structure_of_a_mail():
    plain = composed("receipt")
    tags, lines = Tags(html_of(plain)).tags, text_of(plain).count("\n")

    @given(st.text(max_size=400))
    def keeps_its_shape(title: str) -> None:
        message = composed("receipt", title="x" + title)
        assert Tags(html_of(message)).tags == tags
        assert text_of(message).count("\n") == lines

    keeps_its_shape()


def test_a_right_to_left_title_does_not_change_the_direction_of_other_text():
    title = "سقف لبيت آدا"
    html = html_of(composed("receipt", title=title))
    assert re.search(rf'<td [^>]*dir="auto">{title}</td>', html)
    assert f"Campaign: {title}\r\n" in text_of(composed("receipt", title=title))


def test_a_long_title_is_not_cut_and_may_wrap_anywhere():
    title = "W" * 200
    message = composed("receipt", title=title)
    assert title in text_of(message)
    assert "overflow-wrap:anywhere" in html_of(message)


@pytest.mark.parametrize("kind", ["receipt", "refund"])
def test_a_test_mail_starts_with_a_notice_and_a_live_mail_has_none(kind: str):
    assert composed(kind, test="TEST")["Subject"].startswith("TEST: ")
    assert text_of(composed(kind, test="TEST")).startswith("TEST: no money was paid")
    assert "TEST: no money" in html_of(composed(kind, test="TEST"))
    assert "TEST" not in text_of(composed(kind)) + html_of(composed(kind)) + composed(kind)["Subject"]


def test_an_optional_mail_has_an_unsubscribe_link_and_header():
    message = composed("published")
    assert message["List-Unsubscribe"] == f"<{LINK}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert LINK in text_of(message)
    assert LINK in html_of(message)


def test_the_unsubscribe_header_has_the_encoded_link():
    mail = messages.checked(Mail("published", "grace@example.com", VALUES["published"], "p", None))
    raw = messages.compose(mail, LETTERHEAD, datetime(2026, 5, 1, tzinfo=UTC)).as_bytes()
    assert re.search(rb"List-Unsubscribe:(\r\n)? <" + LINK.encode() + rb">\r\n", raw)


def test_an_answer_to_a_request_for_help_keeps_its_paragraphs_and_is_no_markup():
    message = composed(
        "support_reply", message="First.\r\nSecond.\n\n\n\n<b>Third</b>.\x00", page="https://s.example/t/1"
    )
    assert "First.\r\nSecond.\r\n\r\n<b>Third</b>.\r\n" in text_of(message)
    assert "First.<br>Second.<br><br>&lt;b&gt;Third&lt;/b&gt;.</blockquote>" in html_of(message)
    assert all("https://s.example/t/1" in text for text in texts_of(message))


def test_an_answer_that_an_earlier_version_queued_is_sent_without_a_link():
    assert all("Read the conversation" not in text for text in texts_of(composed("support_reply")))
