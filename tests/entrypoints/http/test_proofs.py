"""The event log's public proofs and a ticket's audit export are served and valid."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import httpx2

from adapters.proof import checker
from adapters.proof.checker import Key, check, check_paper, checkpoint_of
from domain.values import Role
from tests.adapters.documents.sheets import docx_codes, pdf_pictures, pdf_text, read_codes
from tests.client import Client, LiveService, Ticket, eventually
from tests.entrypoints.http.contract import pointers, problem


def keys_of(client: Client) -> list[Key]:
    answer = client.get("/checkpoint/key")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return [Key.parse(line) for line in answer.text.splitlines()]


def newest(client: Client) -> str:
    """Wait for a checkpoint and return the newest one."""
    answer = eventually(lambda: _ok(client.get("/checkpoint")))
    assert answer.headers["cache-control"] == "public, max-age=10"
    note: str = answer.text
    return note


def _ok(answer: httpx2.Response) -> httpx2.Response | None:
    return answer if answer.status_code == 200 else None


def test_the_newest_checkpoint_is_signed_by_the_key_that_is_served(client: Client, ticket: Ticket):
    checkpoint, key = checkpoint_of(newest(client), keys_of(client))
    assert checkpoint.size > 0
    assert checkpoint.origin == key.name == str(client.base_url).removeprefix("http://").rstrip("/")


def test_the_newest_checkpoint_continues_an_older_one(client: Client, ticket: Ticket):
    paper = newest(client)
    size = checkpoint_of(paper, keys_of(client))[0].size
    client.open_ticket()
    answer = client.get("/checkpoint/consistency", params={"from": size})
    old, new, _ = check_paper(paper, answer.text, keys_of(client))
    assert old.size == size <= new.size


def test_a_checkpoint_that_was_never_signed_has_no_consistency_proof(client: Client, ticket: Ticket):
    newest(client)
    problem(client.get("/checkpoint/consistency", params={"from": "99999999"}), 404, "not-found")
    for wrong in ("", "-1", "1.5", "one", "9" * 30, "٣"):
        assert pointers(client.get("/checkpoint/consistency", params={"from": wrong})) == ["/from"]
    assert pointers(client.get("/checkpoint/consistency")) == ["/from"]


def test_the_checker_is_served_as_it_is(client: Client):
    answer = client.get("/checkpoint/checker")
    assert answer.content == Path(checker.__file__).read_bytes()
    assert "checker.py" in answer.headers["content-disposition"]


def test_a_holder_downloads_the_proof_of_the_tickets_history(live: LiveService, client: Client, ticket: Ticket):
    ticket.publish()
    ticket.pay()
    answer = ticket.get("/audit")
    proof = check(StringIO(answer.text, newline="\n"), keys_of(client))
    events = ticket.get("/history", params={"limit": 100}).json()["events"]
    assert (proof.ticket, proof.events) == (ticket.id, len(events))
    assert ticket.id in answer.headers["content-disposition"]
    # A first name alone is short enough to occur in a hash by chance.
    assert "Lovelace" not in answer.text
    with live.client_with_key(Role.AUDITOR) as auditor:
        assert check(StringIO(auditor.get(f"{ticket.path}/audit").text, newline="\n")).events == len(events)


def test_an_erased_tickets_proof_stays_as_it_was(client: Client, admin: Client, ticket: Ticket):
    ticket.write_draft()
    before = check(StringIO(ticket.get("/audit").text, newline="\n")).events
    assert ticket.http.delete(ticket.path).status_code == 202
    after = check(StringIO(admin.get(f"{ticket.path}/audit").text, newline="\n"), keys_of(client))
    assert after.events == before + 1


def test_a_pdf_contains_the_newest_checkpoint(client: Client, ticket: Ticket):
    ticket.publish()
    note = newest(client)
    generated = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT", "format": "pdf"}).json()
    document = ticket.http.get(generated["filePath"]).content
    codes = [code for page in pdf_pictures(document, 4) for code in read_codes(page)]
    [paper] = [code for code in codes if not code.startswith("http")]
    signed, _ = checkpoint_of(paper, keys_of(client))
    assert signed.size >= checkpoint_of(note, keys_of(client))[0].size
    assert f"{signed.size} events in the log {signed.origin}" in pdf_text(document)


def test_a_word_file_contains_the_newest_checkpoint(client: Client, ticket: Ticket):
    ticket.write_draft()
    newest(client)
    generated = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT", "format": "docx"}).json()
    document = ticket.http.get(generated["filePath"]).content
    assert any(checkpoint_of(code, keys_of(client)) for code in docx_codes(document) if not code.startswith("http"))
