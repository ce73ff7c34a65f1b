"""Support tickets: visitors may open them, the answer reveals no other ticket, and an erasure erases the message."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from adapters.event_store.history import ERASED
from domain.values import SupportCategory
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_resets import returned

SUPPORT_PATH = "/api/support/ticket"
RECENT = "/api/support/recent"


def open_support_ticket(client: Client, **more: Any) -> dict[str, Any]:
    """Open a support ticket and return the answer's body."""
    answer = client.post(SUPPORT_PATH, json={"category": "OTHER", "message": "I cannot hear myself."} | more)
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def seen_by_admin(admin: Client, opened: dict[str, Any]) -> dict[str, Any]:
    """Return the support ticket as an admin sees it."""
    answer = admin.get(f"/admin/support/{opened['id']}")
    assert answer.status_code == 200, answer.text
    for_admin: dict[str, Any] = answer.json()
    return for_admin


def listed(reader: Client, opened: dict[str, Any]) -> dict[str, Any]:
    """Return the support ticket's entry in the list."""
    [row] = [row for row in reader.get(RECENT).json()["supportTickets"] if row["id"] == opened["id"]]
    support_ticket: dict[str, Any] = row
    return support_ticket


# Opening.


@pytest.mark.parametrize("category", SupportCategory)
def test_a_visitor_may_open_a_support_ticket_of_every_category(client: Client, admin: Client, category: str):
    opened = open_support_ticket(client, category=category, contact="ada@example.com")
    assert set(opened) == {"id", "status", "createdAt"}
    assert opened["status"] == "OPEN"
    for_admin = seen_by_admin(admin, opened)
    assert (for_admin["category"], for_admin["message"], for_admin["contact"]) == (
        category,
        "I cannot hear myself.",
        "ada@example.com",
    )
    assert (for_admin["status"], for_admin["createdAt"], for_admin["ticketId"]) == ("OPEN", opened["createdAt"], None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"message": "Help"}, "/category"),
        ({"category": "OTHER"}, "/message"),
        ({"category": "SPAM", "message": "Help"}, "/category"),
        ({"category": "OTHER", "message": " \n "}, "/message"),
        ({"category": "OTHER", "message": "x" * 5_001}, "/message"),
        ({"category": "OTHER", "message": "nul \x00"}, "/message"),
        ({"category": "OTHER", "message": 1}, "/message"),
        ({"category": "OTHER", "message": "Help", "ticketId": "not an id"}, "/ticketId"),
        ({"category": "OTHER", "message": "Help", "contact": "two words here"}, "/contact"),
        ({"category": "OTHER", "message": "Help", "contact": "x" * 321}, "/contact"),
        ({"category": "OTHER", "message": "Help", "contact": ""}, "/contact"),
        ({"category": "OTHER", "message": "Help", "status": "RESOLVED"}, "/status"),
    ],
)
def test_an_invalid_body_is_refused_with_a_pointer_to_the_field(client: Client, body: dict[str, Any], pointer: str):
    assert pointers(client.post(SUPPORT_PATH, json=body)) == [pointer]


def test_the_longest_message_is_stored_in_full(client: Client, admin: Client):
    message = "😀" * 5_000
    assert seen_by_admin(admin, open_support_ticket(client, message=message))["message"] == message


def test_the_same_idempotency_key_opens_one_support_ticket(client: Client, admin: Client):
    body = {"category": "PAYMENT", "message": f"Twice: {uuid4()}"}
    answers = [client.post(SUPPORT_PATH, json=body, headers={"Idempotency-Key": body["message"]}) for _ in range(2)]
    assert [row.status_code for row in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    messages = [row["message"] for row in admin.get(RECENT).json()["supportTickets"]]
    assert messages.count(body["message"]) == 1


def test_support_tickets_are_rate_limited_for_each_client(make_limited: LiveService):
    with make_limited.client() as client:
        statuses = [
            client.post(SUPPORT_PATH, json={"category": "OTHER", "message": "Help"}).status_code for _ in range(4)
        ]
        assert statuses == [201, 201, 429, 429]
        refused = client.post(SUPPORT_PATH, json={"category": "OTHER", "message": "Help"})
        assert int(refused.headers["retry-after"]) > 0


@pytest.fixture
def make_limited(migrated_url: str, tmp_path: Any) -> Any:
    """Return a function that runs a service where a client may create two objects an hour."""
    with LiveService(
        migrated_url, tmp_path / "var", frozenset({"web", "projections"}), rate_limit_create="2/hour"
    ) as live:
        yield live


# About a ticket.


def test_the_answer_does_not_reveal_whether_a_ticket_exists(live: LiveService, client: Client, ticket: Ticket):
    erased = client.open_ticket()
    erased.http.delete(erased.path)
    other_ticket = client.open_ticket()
    for asker in (client, other_ticket.http):
        answers = []
        for about in (ticket.id, erased.id, str(uuid4())):
            answer = asker.post(SUPPORT_PATH, json={"ticketId": about, "category": "OTHER", "message": "Help"})
            id = answer.json()["id"]
            headers = {k for k in answer.headers if k != "x-request-id"}
            answers.append((answer.status_code, set(answer.json()), id != about, headers))
        assert answers[0] == answers[1] == answers[2]


def test_a_ticket_shows_its_support_tickets_without_their_messages(client: Client, ticket: Ticket):
    by_holder = open_support_ticket(ticket.http, ticketId=ticket.id, category="DOCUMENT")
    by_visitor = open_support_ticket(client, ticketId=ticket.id, category="PROFILE_RESET")
    open_support_ticket(client, category="PAYMENT")
    rows = ticket.get(params={"include": "support"}).json()["supportTickets"]
    assert [(row["id"], row["category"], row["status"]) for row in rows] == [
        (by_visitor["id"], "PROFILE_RESET", "OPEN"),
        (by_holder["id"], "DOCUMENT", "OPEN"),
    ]
    assert set(rows[0]) == {"id", "category", "status", "createdAt"}


def test_without_a_ticket_id_a_holders_support_ticket_is_about_their_own_ticket(admin: Client, ticket: Ticket):
    assert seen_by_admin(admin, open_support_ticket(ticket.http))["ticketId"] == ticket.id


def test_only_the_holders_support_tickets_are_part_of_the_tickets_history(
    client: Client, ticket: Ticket, auditor: Client
):
    open_support_ticket(client, ticketId=ticket.id, message="I am not the holder.")
    open_support_ticket(ticket.http, message="I am the holder.", contact="ada@example.com")
    events = ticket.get("/history").json()["events"]
    assert [event["type"] for event in events] == ["TicketOpened", "SupportTicketOpened"]
    assert events[1]["data"]["message"] == "I am the holder."
    masked = auditor.get(ticket.path + "/history").text
    assert "I am the holder." not in masked


def test_a_session_opens_support_tickets_as_the_holder_of_its_tickets(live: LiveService, client: Client, admin: Client):
    address = f"back-{uuid4().hex[:8]}@example.com"
    ticket, other = client.open_ticket(contactValue=address), client.open_ticket()
    with returned(live, client, address) as holder:
        open_support_ticket(holder, ticketId=ticket.id)
        open_support_ticket(holder, ticketId=other.id)
    event_types = [[event["type"] for event in row.get("/history").json()["events"]] for row in (ticket, other)]
    assert event_types == [["TicketOpened", "SupportTicketOpened"], ["TicketOpened"]]


def test_a_support_ticket_does_not_change_the_tickets_version(ticket: Ticket):
    before = ticket.get().headers["etag"]
    open_support_ticket(ticket.http)
    assert ticket.get().headers["etag"] == before
    assert ticket.patch("", {"displayName": "Grace"}, headers={"If-Match": before}).status_code == 200


# Resolving.


@pytest.mark.parametrize(
    ("contact", "masked"),
    [
        ("tilda@example.com", "t***@example.com"),
        ("Tilda@Example.com", "t***@example.com"),
        ("+1 (212) 555-0123", "+1***23"),
        ("@tilda_writes", "@t***"),
        ("tilda2125550123", "@t***"),
        ("https://social.example/tilda", "ht***"),
        (None, None),
    ],
)
def test_the_list_shortens_contacts_for_every_reader(
    client: Client, admin: Client, auditor: Client, contact: str | None, masked: str | None
):
    opened = open_support_ticket(client, contact=contact)
    assert [listed(reader, opened)["contact"] for reader in (admin, auditor)] == [masked, masked]
    answer = admin.get(RECENT)
    assert contact is None or contact not in answer.text


def test_an_auditor_sees_support_tickets_without_their_messages(client: Client, admin: Client, auditor: Client):
    opened = open_support_ticket(client, message="My name is Ada Lovelace.")
    assert listed(admin, opened)["message"] == "My name is Ada Lovelace."
    assert listed(auditor, opened)["message"] == "[masked]"
    assert "Lovelace" not in auditor.get(RECENT).text


def test_the_list_is_newest_first_and_its_pages_are_stable(client: Client, admin: Client):
    opened = [open_support_ticket(client)["id"] for _ in range(5)]
    first = admin.get(RECENT, params={"limit": 2}).json()
    assert [row["id"] for row in first["supportTickets"]] == opened[:2:-1]
    open_support_ticket(client)
    second = admin.get(RECENT, params={"limit": 2, "cursor": first["nextCursor"]})
    assert [row["id"] for row in second.json()["supportTickets"]] == opened[2:0:-1]
    assert 'rel="next"' in second.headers["link"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", ""])
def test_an_invalid_limit_is_refused(admin: Client, limit: str):
    assert pointers(admin.get(RECENT, params={"limit": limit})) == ["/limit"]


def test_resolving_is_recorded_once_and_shown_everywhere(live: LiveService, client: Client, admin: Client):
    opened = open_support_ticket(client)
    path = f"/admin/support/{opened['id']}/resolve"
    first, repeated = admin.post(path, json={}), admin.post(path, json={})
    assert (first.status_code, first.json()["status"]) == (200, "RESOLVED")
    assert first.json()["resolvedAt"] is not None
    assert repeated.json() == first.json()
    assert listed(admin, opened)["status"] == "RESOLVED"
    assert len(live.service.history.log.stream(UUID(opened["id"]))) == 2


@pytest.mark.parametrize("id", ["none", "018f0000-0000-7000-8000-00000000dead", "TICKET"])
def test_an_unknown_support_ticket_cannot_be_resolved(admin: Client, ticket: Ticket, id: str):
    path = f"/admin/support/{ticket.id if id == 'TICKET' else id}"
    problem(admin.get(path), 404, "not-found")
    problem(admin.post(f"{path}/resolve", json={}), 404, "not-found")


# Erasing.


def unreadable(live: LiveService, admin: Client, opened: dict[str, Any]) -> bool:
    """Return True if the message is unreadable: in the answers, and in the history with all keys of the service."""
    for_admin = seen_by_admin(admin, opened)
    is_erased = (for_admin["message"], for_admin["contact"], for_admin["erased"]) == (None, None, True)
    event = live.service.history.application.mapper.to_domain_event(
        live.service.history.log.stream(UUID(opened["id"]))[0]
    )
    return is_erased and event.message == ERASED  # type: ignore[attr-defined]


def test_erasing_a_ticket_makes_its_support_messages_unreadable(
    live: LiveService, client: Client, admin: Client, ticket: Ticket
):
    by_holder = open_support_ticket(ticket.http, contact="somebody@example.com")
    named = open_support_ticket(client, ticketId=ticket.id, contact="other@example.com")
    stays = open_support_ticket(client, contact="nobody@example.com")
    assert ticket.http.delete(ticket.path).status_code == 202
    assert [unreadable(live, admin, row) for row in (by_holder, named, stays)] == [True, True, False]


def test_erasing_a_ticket_erases_the_support_messages_of_its_contact(live: LiveService, client: Client, admin: Client):
    address = f"erika-{uuid4().hex[:8]}@example.com"
    ticket = client.open_ticket(contactValue=address)
    from_contact = open_support_ticket(client, contact=address.upper())
    other = open_support_ticket(client, contact=f"x{address}")
    about_none, other_ticket = open_support_ticket(client, contact=address, ticketId=str(uuid4())), client.open_ticket()
    about_other_ticket = open_support_ticket(other_ticket.http, contact=address)
    ticket.http.delete(ticket.path)
    are_unreadable = [unreadable(live, admin, row) for row in (from_contact, about_none, other, about_other_ticket)]
    assert are_unreadable == [True, True, False, False], "what belongs to another ticket goes with that"


def test_an_erased_support_ticket_is_still_counted_and_can_be_resolved(client: Client, admin: Client, ticket: Ticket):
    opened = open_support_ticket(ticket.http, category="PAYMENT")
    ticket.http.delete(ticket.path)
    assert admin.post(f"/admin/support/{opened['id']}/resolve", json={}).json()["status"] == "RESOLVED"
    assert seen_by_admin(admin, opened)["category"] == "PAYMENT"


def test_no_table_has_the_messages_in_clear(live: LiveService, client: Client, ticket: Ticket):
    canary = f"canary{uuid4().hex}"
    open_support_ticket(client, message=f"I am {canary}.", contact=f"{canary}@example.com")
    open_support_ticket(ticket.http, message=f"I am {canary}.", contact=f"@{canary}")
    with live.service.database.connection() as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert ("public.events",) in tables
        for (table,) in tables:
            # The dump shows bytes in hexadecimal.
            rows = connection.execute(
                f"SELECT count(*) FROM {table} t WHERE t::text ~* %s OR t::text ~* %s".encode(),
                (canary, canary.encode().hex()),
            ).fetchone()
            assert rows == (0,), table


def test_an_answer_repeats_nothing_of_the_message(client: Client):
    answer: httpx2.Response = client.post(
        SUPPORT_PATH, json={"category": "OTHER", "message": "secret words", "contact": "a b c"}
    )
    assert "secret words" not in answer.text
    assert "a b c" not in answer.text
