"""A mail has the text of its template, and values are inserted as plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail import messages
from adapters.mail.letterhead import Letterhead
from domain.errors import InvalidError
from domain.ports import Mail
from tests.fakes.mailbox import read, text_of

SENDER = "Storyledger <hello@storyledger.example>"
DATED = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CODE: Mapping[str, str] = {"code": "123456", "expires": "12:10 UTC", "link": "https://s.example/l"}


def mail(to: str = "ada@example.com", key: str = "k-1", kind: str = "access_code", **values: str) -> Mail:
    return Mail(kind, to, {**CODE, **values}, key, None)


def composed(mail_to_send: Mail) -> bytes:
    return messages.compose(messages.checked(mail_to_send), Letterhead(SENDER), DATED).as_bytes()


def test_a_mail_has_the_usual_headers_and_its_text_in_plain_and_in_html():
    message = read(composed(mail()))
    assert message["To"] == "ada@example.com"
    assert message["From"] == SENDER
    assert message["Subject"] == "123456 is your Storyledger code"
    assert message["Date"].datetime == DATED
    assert message["Auto-Submitted"] == "auto-generated"
    html = message.get_body(("html",))
    assert html is not None
    for words in (text_of(message), html.get_content()):
        assert "123456" in words
        assert "12:10 UTC" in words
    assert "Subject" not in text_of(message)


def test_the_same_mail_is_the_same_bytes_and_another_key_another_message_id():
    assert composed(mail()) == composed(mail())
    ids = {read(composed(mail(key=key)))["Message-ID"] for key in ("k-1", "k-2")}
    assert len(ids) == 2
    assert all(id.endswith("@storyledger.example>") for id in ids)


def test_no_value_is_markup():
    html = read(composed(mail(code="<script>&")))
    part = html.get_body(("html",))
    assert part is not None
    assert "<script>" not in part.get_content()
    assert "&lt;script&gt;&amp;" in part.get_content()
    assert "<script>&" in text_of(html)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\x00"])
def test_a_line_end_in_a_value_ends_no_header_and_no_line(end: str):
    message = read(composed(mail(code=f"1{end}Bcc: all@example.com{end}{end}<b>Hello")))
    assert message["Bcc"] is None
    assert message.keys() == read(composed(mail())).keys()
    assert text_of(message).count("\n") == text_of(read(composed(mail()))).count("\n")


def test_no_value_changes_the_structure_of_a_mail():
    plain = read(composed(mail(code="x")))
    headers, lines = plain.keys(), text_of(plain).count("\n")
    types = ["multipart/alternative", "text/plain", "text/html"]

    @given(st.text(max_size=300))
    def keeps_its_shape(value: str) -> None:
        message = read(composed(mail(code=value)))
        assert message.keys() == headers
        assert [part.get_content_type() for part in message.walk()] == types
        assert text_of(message).count("\n") == lines

    keeps_its_shape()


def test_no_value_ends_a_part():
    boundary = read(composed(mail())).get_boundary()
    message = read(composed(mail(code=f"--{boundary}--", expires=f"--{boundary}")))
    assert len(list(message.walk())) == 3
    assert f"--{boundary}--" in text_of(message)


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: all@example.com",
        "ada@example.com, grace@example.com",
        "Ada <ada@example.com>",
        "ada",
        "",
        "@example.com",
        "a" * 400 + "@example.com",
    ],
)
def test_anything_but_exactly_one_address_is_refused(to: str):
    with pytest.raises(InvalidError):
        messages.checked(mail(to))


@pytest.mark.parametrize(
    "to", ["дара@пример.example", "o'neil+tag@example.com", "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + ".example"]
)
def test_an_address_stays_as_it_is_in_any_script_and_length(to: str):
    assert read(composed(mail(to)))["To"].addresses[0].addr_spec == to


@pytest.mark.parametrize("kind", ["", "no_such_mail", "../messages", "Access_code", "layout.html", "access_code\n"])
def test_a_mail_of_an_unknown_kind_is_refused(kind: str):
    with pytest.raises(InvalidError):
        messages.checked(mail(kind=kind))


def test_a_missing_or_too_long_value_is_refused():
    with pytest.raises(InvalidError):
        messages.checked(Mail("access_code", "ada@example.com", {"code": "1"}, "k", None))
    with pytest.raises(InvalidError):
        messages.checked(mail(code="x" * (messages.LONGEST_VALUE + 1)))


def test_every_kind_of_mail_has_a_subject_a_text_and_an_html_template():
    kinds = {file.stem for file in messages.TEMPLATES.iterdir() if not file.stem.startswith("_")} - {"layout"}
    assert "access_code" in kinds
    for kind in kinds:
        assert (messages.TEMPLATES / f"{kind}.html").is_file()
        lines = (messages.TEMPLATES / f"{kind}.txt").read_text().split("\n")
        if extended := re.match('{% extends "(.+)" %}', lines[0]):
            lines = (messages.TEMPLATES / extended[1]).read_text().split("\n")
        first, blank, *_ = lines
        assert first.startswith(messages.SUBJECT)
        assert blank == ""


def test_no_mail_loads_external_content():
    for file in messages.TEMPLATES.glob("*.html"):
        assert [sign for sign in ("src=", "<link", "url(", "@import") if sign in file.read_text()] == []


def test_the_representation_of_a_mail_shows_no_personal_data():
    assert "ada" not in repr(mail())
    assert "123456" not in repr(mail())
