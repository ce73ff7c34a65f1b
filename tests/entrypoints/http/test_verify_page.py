"""Anybody checks the code of a printed page or an export on `/verify`, and gets a plain answer."""

from __future__ import annotations

import pytest

from tests.client import Client, Ticket
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_audit_pages import text_of
from tests.entrypoints.http.test_proofs import newest


def verify(client: Client, text: str, *, as_file: bool = False) -> str:
    form = (
        {"files": {"file": ("audit.json", text.encode()), "text": (None, "")}} if as_file else {"data": {"text": text}}
    )
    answer = client.post("/verify", **form)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


def test_the_code_of_a_page_fits_the_books(client: Client, ticket: Ticket):
    paper = newest(client)
    size = paper.split("\n")[1]
    ticket.write_draft()
    # A scanner may change the line ends.
    for text in (paper, paper.replace("\n", "\r\n"), f"  {paper}\n\n"):
        assert f"When the page was printed, the books had {size} lines." in verify(client, text)


def test_an_export_is_genuine(client: Client, ticket: Ticket):
    ticket.write_draft()
    export = ticket.get("/audit").text
    for as_file in (False, True):
        text = verify(client, export, as_file=as_file)
        assert "It has 2 lines of one story, unchanged and in their order." in text
        assert ticket.id in text


@pytest.mark.parametrize("as_file", [False, True])
def test_a_changed_export_is_not_proved(client: Client, ticket: Ticket, as_file: bool):
    ticket.write_draft()
    export, paper = ticket.get("/audit").text, newest(client)
    for text in (
        export.replace('\\"kind\\":', '\\"Kind\\":'),
        export[:-4],
        paper.replace("\n", "\n1", 1),
        "{",
        "hello",
    ):
        answer = verify(client, text, as_file=as_file)
        assert "This is not proved." in answer
        assert "genuine" not in answer


def test_an_empty_form_says_what_to_do(client: Client):
    for form in ({"data": {"text": " "}}, {"data": {}}, {"files": {"file": ("a", b"")}}):
        answer = client.post(
            "/verify",
            **form,
            headers={"Content-Type": "application/x-www-form-urlencoded"} if not form.get("files") else {},
        )
        assert answer.status_code == 422
        assert "Paste the code of the page, or choose a file." in answer.text


def test_a_proof_over_the_limit_or_of_another_kind_is_refused(client: Client):
    problem(client.post("/verify", data={"text": "x" * (5 * 1024 * 1024)}), 413, "too-large")
    problem(client.post("/verify", json={"text": "x"}), 415, "unsupported-media-type")
