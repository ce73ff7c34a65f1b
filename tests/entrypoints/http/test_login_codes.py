"""Passwordless sign-in: a login code opens a session, and the answers do not reveal which contacts are known."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import httpx2
import pytest

from adapters.contacts import normalize_contact
from adapters.identity import login_codes
from adapters.identity.login_codes import MAX_CODE_ATTEMPTS, MAX_MAILS_OF_ASKER
from adapters.identity.session_openings import SessionOpening
from adapters.identity.sessions import SESSION_HOURS
from adapters.identity.tokens import digest
from adapters.ids import uuid7
from adapters.mail.limits import MAX_OF_ASKER_TO_ADDRESS, MAX_TO_ADDRESS, PAUSE_HOURS
from domain.values import SYSTEM, Contact, ContactType, Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import pointers, problem
from tests.fakes.databases import recorded_statements
from tests.fakes.mailbox import files, text_of

REQUEST, VERIFY = "/api/access/request", "/api/access/verify"


def address() -> str:
    """Return an address that no other test uses."""
    return f"{uuid7().hex[-12:]}@example.com"


def request_code(client: Client, value: str, type: str = "EMAIL") -> str:
    answer = client.post(REQUEST, json={"contactType": type, "contactValue": value})
    assert answer.status_code == 202, answer.text
    assert list(answer.json()) == ["requestId"]
    request: str = answer.json()["requestId"]
    return request


def mails(live: LiveService, to: str) -> list[EmailMessage]:
    """Return all mails to this address after all requests for codes are processed."""
    live.service.access.login_codes.run_all()
    live.service.mail.sender.run_all()
    return files(live.settings.outbox, to)


def code_for(live: LiveService, to: str) -> str:
    """Return the code in the newest mail to this address that has one."""
    codes = [match[0] for mail in mails(live, to) if (match := re.search(r"\d{4} \d{4}", text_of(mail)))]
    return codes[-1]


def verify(client: Client, request: str, code: str, **more: Any) -> Any:
    return client.post(VERIFY, json={"requestId": request, "code": code}, **more)


def returned(live: LiveService, client: Client, contact: str) -> Client:
    """Return a client with a session of this contact."""
    request = request_code(client, contact)
    answer = verify(client, request, code_for(live, contact))
    assert answer.status_code == 200, answer.text
    return live.client(answer.json()["accessToken"])


def aged(live: LiveService, table: str, column: str, hours: float, id: str) -> None:
    with live.service.database.connection() as connection:
        connection.execute(
            f"UPDATE {table} SET {column} = {column} - make_interval(secs => %s) WHERE id = %s".encode(),
            (hours * 3600, id),
        )


# Verifying codes.


def test_a_login_code_opens_all_tickets_of_the_contact(live: LiveService, client: Client):
    contact = address()
    first_ticket, second_ticket = (client.open_ticket(contactValue=contact) for _ in range(2))
    request = request_code(client, f"  {contact.upper()} ")
    answer = verify(client, request, code_for(live, contact))
    assert answer.status_code == 200
    assert set(answer.json()) == {"accessToken", "expiresAt"}
    assert answer.json()["accessToken"].startswith("ses_")
    until = datetime.fromisoformat(answer.json()["expiresAt"])
    assert timedelta(0) < datetime.now(UTC) + timedelta(hours=SESSION_HOURS) - until < timedelta(minutes=5)
    with live.client(answer.json()["accessToken"]) as returning_client:
        for ticket in (first_ticket, second_ticket):
            assert returning_client.get(ticket.path).json()["contactValue"] == contact
        assert returning_client.patch(f"{first_ticket.path}/draft", json={"title": "I am back"}).status_code == 200
        assert returning_client.get(f"{first_ticket.path}/history").json()["events"][-1]["actor"] == "holder"


@pytest.mark.parametrize("typed", ["{}", "{}-{}", " {} {} ", "{}{}"])
def test_a_code_may_be_typed_with_spaces_and_dashes(live: LiveService, client: Client, typed: str):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = request_code(client, contact)
    code = code_for(live, contact)
    text = typed.format(code) if typed == "{}" else typed.format(*code.split())
    assert verify(client, request, text).status_code == 200


def test_a_code_works_once(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = request_code(client, contact)
    code = code_for(live, contact)
    assert verify(client, request, code).status_code == 200
    problem(verify(client, request, code), 401, "unauthenticated")


def test_requests_for_one_contact_share_the_code_that_is_valid(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    first = request_code(client, contact)
    code = code_for(live, contact)
    second, third = request_code(client, contact), request_code(client, contact)
    assert [code in text_of(mail) for mail in mails(live, contact)] == [True] * 3
    problem(verify(client, str(uuid7()), code), 401, "unauthenticated")
    assert verify(client, second, code).status_code == 200
    for request in (first, second, third):
        problem(verify(client, request, code), 401, "unauthenticated")
    newer = request_code(client, contact)
    assert code_for(live, contact) != code
    assert verify(client, newer, code_for(live, contact)).status_code == 200


def test_a_code_is_not_shared_after_ten_minutes(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    first = request_code(client, contact)
    code = code_for(live, contact)
    aged(live, "access_requests", "created_at", 11 / 60, first)
    second = request_code(client, contact)
    assert code_for(live, contact) != code
    problem(verify(client, second, code), 401, "unauthenticated")


def from_address(live: LiveService, number: int) -> Client:
    """Return a client with an address of its own in the loopback network."""
    transport = httpx2.HTTPTransport(local_address=f"127.0.1.{number}")
    return Client(base_url=live.base_url, transport=transport, event_hooks={"response": live.watchers})


def test_strangers_neither_replace_nor_use_up_the_code_of_the_holder(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    with from_address(live, 1) as stranger, from_address(live, 2) as holder:
        by_holder = request_code(holder, contact)
        code = code_for(live, contact)
        for _ in range(6):
            by_stranger = request_code(stranger, contact)
            live.service.access.login_codes.run_all()
            for _ in range(MAX_CODE_ATTEMPTS):
                problem(verify(stranger, by_stranger, "0000 000x"), 401, "unauthenticated")
        assert verify(holder, by_holder, code).status_code == 200


@pytest.mark.parametrize("is_verified", [False, True])
def test_strangers_do_not_use_up_the_mails_of_the_holder(live: LiveService, client: Client, is_verified: bool):
    contact = address()
    client.open_ticket(contactValue=contact)
    if is_verified:
        returned(live, client, contact).close()
    sent = len(mails(live, contact))
    with from_address(live, 3) as stranger, from_address(live, 4) as holder:
        for _ in range(8):
            request_code(stranger, contact)
        assert len(mails(live, contact)) == sent + MAX_MAILS_OF_ASKER
        age_all(live, contact, minutes=11)
        request = request_code(holder, contact)
        assert len(mails(live, contact)) == sent + MAX_MAILS_OF_ASKER + 1
        assert verify(holder, request, code_for(live, contact)).status_code == 200


def age_all(live: LiveService, contact: str, minutes: float) -> None:
    hashes = live.service.access.contact_index.all_of(Contact(ContactType.EMAIL, contact))
    with live.service.database.connection() as connection:
        for statement in (
            "UPDATE access_requests SET created_at = created_at - make_interval(secs => %s)"
            " WHERE contact_indexes[1] = ANY(%s)",
            "UPDATE unverified_mails SET created_at = created_at - make_interval(secs => %s)"
            " WHERE address_hash = ANY(%s)",
        ):
            connection.execute(statement.encode(), (minutes * 60, hashes))


def test_an_address_that_nobody_verified_gets_few_mails_a_day(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    for number in range(1, 4):
        with from_address(live, number) as stranger:
            for _ in range(MAX_OF_ASKER_TO_ADDRESS + 1):
                request_code(stranger, contact)
                live.service.access.login_codes.run_all()
                age_all(live, contact, minutes=11)
    assert len(mails(live, contact)) == MAX_TO_ADDRESS
    age_all(live, contact, minutes=60 * PAUSE_HOURS)
    request = request_code(client, contact)
    assert len(mails(live, contact)) == MAX_TO_ADDRESS + 1
    assert verify(client, request, code_for(live, contact)).status_code == 200
    for _ in range(3):
        request_code(client, contact)
        live.service.access.login_codes.run_all()
        age_all(live, contact, minutes=11)
    assert len(mails(live, contact)) == MAX_TO_ADDRESS + 4


def test_mails_about_publications_to_an_unverified_address_are_limited(live: LiveService, client: Client):
    contact = address()
    for _ in range(MAX_OF_ASKER_TO_ADDRESS + 2):
        client.open_ticket(contactValue=contact).publish()
    assert len(mails(live, contact)) == MAX_OF_ASKER_TO_ADDRESS


def test_after_many_wrong_codes_a_contact_gets_longer_codes(
    live: LiveService, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(login_codes, "MAX_WRONG_CODES", 3)
    contact = address()
    client.open_ticket(contactValue=contact)
    request, guessed = request_code(client, contact), request_code(client, contact)
    short = code_for(live, contact)
    for _ in range(3):
        problem(verify(client, guessed, "1234 567x"), 401, "unauthenticated")
    problem(verify(client, request, short), 401, "unauthenticated")
    request, guessed = request_code(client, contact), request_code(client, contact)
    long = re.search(r"(?:\d{4} ){3}\d{4}", text_of(mails(live, contact)[-1]))
    assert long is not None
    problem(verify(client, guessed, long[0][:9]), 401, "unauthenticated")
    assert verify(client, request, long[0]).status_code == 200


def test_after_five_wrong_tries_of_a_request_the_right_code_is_refused_for_it(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    first, second = request_code(client, contact), request_code(client, contact)
    code = code_for(live, contact)
    for request, wrong in ((first, MAX_CODE_ATTEMPTS), (second, MAX_CODE_ATTEMPTS - 1)):
        for _ in range(wrong):
            problem(verify(client, request, "0000 000x"), 401, "unauthenticated")
        assert verify(client, request, code).status_code == (200 if wrong < MAX_CODE_ATTEMPTS else 401)


def test_at_most_five_concurrent_guesses_count(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = request_code(client, contact)
    code = code_for(live, contact)
    with ThreadPoolExecutor(8) as pool:
        wrong = list(pool.map(lambda n: verify(client, request, f"{n:08}x").status_code, range(12)))
    assert wrong == [401] * 12
    with live.service.database.connection() as connection:
        tries = connection.execute("SELECT code_attempts FROM access_requests WHERE id = %s", (request,)).fetchone()
    assert tries == (MAX_CODE_ATTEMPTS,)
    problem(verify(client, request, code), 401, "unauthenticated")


def test_one_of_several_concurrent_requests_with_a_code_gets_a_session(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = request_code(client, contact)
    code = code_for(live, contact)
    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: verify(client, request, code).status_code, range(5)))
    assert sorted(results) == [200, 401, 401, 401, 401]


def test_a_code_expires_after_ten_minutes(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    for minutes, status in ((8, 200), (11, 401)):
        request = request_code(client, contact)
        code = code_for(live, contact)
        aged(live, "access_requests", "created_at", minutes / 60, request)
        assert verify(client, request, code).status_code == status


def test_a_request_that_waited_too_long_sends_no_mail(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    aged(live, "access_requests", "created_at", 0.2, request_code(client, contact))
    assert mails(live, contact) == []


def test_a_session_expires(live: LiveService, client: Client):
    contact = address()
    ticket = client.open_ticket(contactValue=contact)
    with returned(live, client, contact) as returning_client:
        assert returning_client.get(ticket.path).status_code == 200
        token = returning_client.headers["authorization"].removeprefix("Bearer ")
        with live.service.database.connection() as connection:
            connection.execute("UPDATE access_sessions SET expires_at = now() WHERE digest = %s", (digest(token),))
        problem(returning_client.get(ticket.path), 401, "unauthenticated")
        problem(returning_client.get("/openapi.json/x"), 404, "not-found")


def test_a_repeated_verification_with_its_idempotency_key_returns_the_same_session(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = request_code(client, contact)
    code = code_for(live, contact)
    key = {"Idempotency-Key": uuid7().hex}
    first = verify(client, request, code, headers=key)
    repeated = verify(client, request, code, headers=key)
    assert (first.status_code, first.json()) == (repeated.status_code, repeated.json())
    assert repeated.headers["idempotency-replayed"] == "true"
    problem(verify(client, request, code), 401, "unauthenticated")


def test_a_verification_is_resumed_after_a_crash(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = UUID(request_code(client, contact))
    code, session = code_for(live, contact), uuid7()
    opened = live.service.access.login_codes.verify(request, code, SessionOpening(session, b"s" * 32))
    assert opened is not None
    assert live.service.access.login_codes.verify(request, code, SessionOpening(session, b"s" * 32)) == opened
    assert live.service.access.login_codes.verify(request, code, SessionOpening(session, b"t" * 32)) is None


# Rights of a session.


def test_a_session_searches_by_its_own_contact_only(live: LiveService, client: Client):
    contact, other = address(), address()
    own_ids = {client.open_ticket(contactValue=contact).id for _ in range(2)}
    client.open_ticket(contactValue=other)
    with returned(live, client, contact) as returning_client:
        for path in ("/api/tickets/search", "/api/profiles/search"):
            matches = returning_client.get(path, params={"contact": contact}).json()["tickets"]
            assert {ticket["id"] for ticket in matches} == own_ids
            assert returning_client.get(path, params={"contact": other}).json()["tickets"] == []


def test_a_session_opens_no_ticket_of_another_contact(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    stranger = client.open_ticket(contactValue=address())
    with returned(live, client, contact) as returning_client:
        answers = [returning_client.get(f"/api/tickets/{id}") for id in (stranger.id, str(uuid7()), "none")]
        for answer in answers:
            problem(answer, 404, "not-found")


def test_a_number_as_a_social_handle_is_another_contact(live: LiveService, client: Client):
    """Contacts of different types are different contacts, even with the same value."""
    contact = address()
    client.open_ticket(contactValue=contact)
    handle = client.open_ticket(contactType="SOCIAL", contactValue=contact.partition("@")[0])
    with returned(live, client, contact) as returning_client:
        problem(returning_client.get(handle.path), 404, "not-found")


def test_a_session_does_not_open_erased_tickets_or_tickets_of_a_new_contact(live: LiveService, client: Client):
    contact, newer = address(), address()
    erased, reset, unchanged = (client.open_ticket(contactValue=contact) for _ in range(3))
    with returned(live, client, contact) as returning_client:
        assert [returning_client.get(ticket.path).status_code for ticket in (erased, reset, unchanged)] == [200] * 3
        assert returning_client.delete(erased.path).status_code == 202
        give_to(live, reset, newer)
        assert [returning_client.get(ticket.path).status_code for ticket in (erased, reset, unchanged)] == [
            404,
            404,
            200,
        ]
        matches = returning_client.get("/api/tickets/search", params={"contact": contact}).json()["tickets"]
        assert [ticket["id"] for ticket in matches] == [unchanged.id]
    with returned(live, client, newer) as returning_client:
        assert [returning_client.get(ticket.path).status_code for ticket in (erased, reset, unchanged)] == [
            404,
            200,
            404,
        ]


def give_to(live: LiveService, ticket: Ticket, contact: str) -> None:
    new = Contact(ContactType.EMAIL, contact)
    index = live.service.access.contact_index.of(normalize_contact(new.type, new.value))
    live.service.aggregates.tickets.change(
        UUID(ticket.id), lambda t: t.change_contact(SYSTEM, new, index, digest("tkt_another"))
    )


def test_an_erased_ticket_gets_no_login_code(live: LiveService, client: Client):
    contact = address()
    ticket = client.open_ticket(contactValue=contact)
    ticket.http.delete(ticket.path)
    request_code(client, contact)
    assert mails(live, contact) == []


def test_a_session_cannot_act_as_an_administrator(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    with returned(live, client, contact) as returning_client:
        problem(returning_client.get("/admin/projections"), 403, "forbidden")
        problem(returning_client.get("/api/exports/donations"), 403, "forbidden")


# Answers that reveal nothing.


@pytest.mark.parametrize(
    ("type", "value"),
    [("PHONE", None), ("SOCIAL", "@ada"), ("SOCIAL", "https://social.example/ada"), ("EMAIL", None)],
)
def test_nothing_is_sent_to_unknown_contacts_or_contacts_without_mail_or_phone(
    live: LiveService, client: Client, type: str, value: str | None
):
    if value is not None:
        client.open_ticket(contactType=type, contactValue=value)
    live.service.access.login_codes.run_all()
    before = live.row_count("outbox")
    unknown = "+1 415 555 0100" if type == "PHONE" else address()
    request_code(client, value or unknown, type)
    live.service.access.login_codes.run_all()
    assert live.row_count("outbox") == before


def test_known_and_unknown_contacts_cause_the_same_work_and_answer(live: LiveService, client: Client):
    """The statements are the same, with parameters of the same size, so response times reveal nothing."""
    contact = address()
    client.open_ticket(contactValue=contact)
    client.open_ticket(contactType="PHONE", contactValue="+14155550123")
    answers, statements_by_request = [], []
    for type, value in (("EMAIL", contact), ("EMAIL", address()), ("PHONE", "+14155550123"), ("PHONE", "+14155550124")):
        with recorded_statements(live.service.database) as statements:
            answer = client.post(REQUEST, json={"contactType": type, "contactValue": value})
        answers.append((answer.status_code, re.sub(r"[0-9a-f-]{36}", "ID", answer.text), sorted(answer.headers)))
        statements_by_request.append(list(statements))
    assert statements_by_request[0] == statements_by_request[1] == statements_by_request[2] == statements_by_request[3]
    assert len(statements_by_request[0]) == 1
    assert answers[0] == answers[1] == answers[2] == answers[3]


def test_a_wrong_code_gets_the_same_answer_whether_a_code_was_sent_or_not(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    requests = [request_code(client, contact), request_code(client, address()), str(uuid7())]
    live.service.access.login_codes.run_all()
    answers, statements_by_request = [], []
    for request in requests:
        with recorded_statements(live.service.database) as statements:
            answer = verify(client, request, "1234 567x")
        problem(answer, 401, "unauthenticated")
        answers.append(answer.text.replace(answer.headers["x-request-id"], "REQUEST"))
        statements_by_request.append(list(statements))
    assert answers[0] == answers[1] == answers[2]
    assert statements_by_request[0] == statements_by_request[1] == statements_by_request[2]


def test_mails_to_one_contact_are_limited_and_the_answer_does_not_show_it(live: LiveService, client: Client):
    contact, other = address(), address()
    for known_contact in (contact, other):
        client.open_ticket(contactValue=known_contact)
    requests = [request_code(client, contact) for _ in range(MAX_MAILS_OF_ASKER + 3)]
    assert len(mails(live, contact)) == MAX_MAILS_OF_ASKER
    request_code(client, other)
    assert len(mails(live, other)) == 1
    # The code is good for the requests without a mail, too.
    assert verify(client, requests[-1], code_for(live, contact)).status_code == 200


def test_code_session_and_contact_are_not_stored_in_clear(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    request = request_code(client, contact)

    def is_in(table: str, value: str) -> bool:
        """Return True if the value is somewhere in the table, as text or as bytes, and not by chance within a hash."""
        with live.service.database.connection() as connection:
            rows = str(connection.execute(f"SELECT {table}::text FROM {table}".encode()).fetchall())
        return value.encode().hex() in rows or re.search(rf"\b{re.escape(value)}\b", rows) is not None

    assert not is_in("access_requests", contact)
    code = code_for(live, contact)
    for table in ("access_requests", "outbox"):
        assert not is_in(table, code)
        assert not is_in(table, code.replace(" ", ""))
    token = verify(client, request, code).json()["accessToken"]
    assert not is_in("access_sessions", token.removeprefix("ses_"))
    assert is_in("access_sessions", digest(token))
    with live.service.database.connection() as connection:
        row = connection.execute(
            "SELECT octet_length(sealed) FROM access_requests WHERE id = %s", (request,)
        ).fetchone()
    assert row == (0,)


def test_old_requests_and_sessions_are_deleted(live: LiveService, client: Client):
    contact = address()
    client.open_ticket(contactValue=contact)
    old = request_code(client, contact)
    assert mails(live, contact)
    aged(live, "access_requests", "created_at", 25, old)
    request_code(client, contact)
    live.service.access.login_codes.run_all()
    with live.service.database.connection() as connection:
        assert connection.execute("SELECT 1 FROM access_requests WHERE id = %s", (old,)).fetchone() is None


# Invalid requests.


def test_an_invalid_contact_is_refused(client: Client):
    for type, value in (("EMAIL", "ada"), ("PHONE", "12"), ("SOCIAL", "two words")):
        answer = client.post(REQUEST, json={"contactType": type, "contactValue": value})
        assert pointers(answer) == ["/contactValue"]
    assert pointers(client.post(REQUEST, json={"contactType": "POST", "contactValue": "x"})) == ["/contactType"]
    assert pointers(client.post(VERIFY, json={"requestId": "x", "code": "1"})) == ["/requestId"]
    assert pointers(client.post(VERIFY, json={"requestId": str(uuid7()), "code": "1" * 33})) == ["/code"]


def test_an_auditor_cannot_request_a_login_code(live: LiveService):
    with live.client_with_key(Role.AUDITOR) as auditor:
        answer = auditor.post(REQUEST, json={"contactType": "EMAIL", "contactValue": address()})
        problem(answer, 403, "forbidden")
