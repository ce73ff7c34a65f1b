"""Administrators and managers see dead mails without the addresses of their recipients, and can retry them."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.identity.session_openings import Audience
from adapters.ids import uuid7
from adapters.mail.reminders import remind_of_disputes
from domain.members import MemberRole
from domain.organisations import PUBLIC_WORKSPACE
from domain.ports import Mail
from domain.values import Role
from entrypoints.http.handlers.desk_mails import fault_of
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import pointers, problem
from tests.entrypoints.http.test_desk_operators import browser_with_key
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_disputes import disputed
from tests.entrypoints.http.test_support import open_support_ticket
from tests.fakes.mailbox import files
from tests.members import joined_member, new_address

PAGE = "https://here/d/x"


def died(live: LiveService, kind: str, ticket_id: str | None = None, **values: str) -> tuple[str, str]:
    """Return the id and the address of a mail that is dead."""
    address, key = f"{uuid4().hex}@example.com", uuid4().hex
    mail = Mail(kind, address, values, key, UUID(ticket_id) if ticket_id else None)
    with live.service.database.connection() as connection:
        live.service.mail.outbox.queue(connection, mail)
    return die(live, key), address


def die(live: LiveService, key: str, *, sealed: bool = True) -> str:
    """Let the message with this key be dead, and return its id."""
    with live.service.database.connection() as connection:
        [[id]] = connection.execute(
            "UPDATE outbox SET state = 'dead', error = 'SMTP recipient: 550',"
            " sealed = CASE WHEN %s THEN sealed ELSE '' END WHERE key = %s RETURNING id",
            (sealed, key),
        ).fetchall()
    return str(id)


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


def test_a_workspace_sees_and_retries_only_the_dead_mails_of_its_own_tickets_and_members(live: LiveService):
    ours, theirs = (f"w-{uuid7().hex[-12:]}" for _ in range(2))
    with (
        closing(joined_member(live, ours, MemberRole.ADMIN)) as manager,
        closing(joined_member(live, theirs, MemberRole.OWNER)) as stranger,
    ):
        ticket = manager.open_ticket(contactValue="ada@example.com")
        of_ticket, _ = died(live, "published", ticket.id, page=PAGE)
        without_workspace, _ = died(live, "published", page=PAGE)
        invited = manager.post(f"/api/workspaces/{ours}/invitations", json={"email": "bo@a.example", "role": "auditor"})
        invitation = die(live, f"invitation:{invited.json()['id']}")
        own = {mail["id"]: mail for mail in manager.get("/admin/dead-mails").json()["deadMails"]}
        assert own.keys() == {of_ticket, invitation}
        assert (own[invitation]["recipient"], own[invitation]["channel"]) == ("b***@a.example", "mail")
        assert stranger.get("/admin/dead-mails").json()["deadMails"] == []
        for id in (of_ticket, without_workspace, invitation):
            problem(stranger.post(f"/admin/dead-mails/{id}/retry", json={}), 404, "not-found")
        problem(manager.post(f"/admin/dead-mails/{without_workspace}/retry", json={}), 404, "not-found")
        for id in (of_ticket, invitation):
            assert manager.post(f"/admin/dead-mails/{id}/retry", json={}).status_code == 202


def test_a_workspace_learns_that_an_operator_sent_a_mail_of_its_tickets_again(live: LiveService, admin: Client):
    workspace, email = f"w-{uuid7().hex[-12:]}", new_address()
    joined_member(live, workspace, MemberRole.OWNER, email).close()
    with (
        closing(joined_member(live, workspace, MemberRole.OWNER)) as owner,
        closing(browser_with_key(live, Role.ADMIN)) as browser,
    ):
        ticket = owner.open_ticket()
        ids = [died(live, kind, ticket.id, page=PAGE)[0] for kind in ("published", "reinstated")]
        assert admin.post(f"/admin/dead-mails/{ids[0]}/retry", json={}).status_code == 202
        assert browser.post(f"/desk/mails/{ids[1]}/retry").status_code == 303
        log = owner.get(f"/api/workspaces/{workspace}/audit-log").json()["auditLog"]
        retries = {(entry["operation"], entry["object"]) for entry in log if "retry" in entry["operation"]}
        assert retries == {
            ("POST /admin/dead-mails/{id}/retry", ids[0]),
            ("POST /desk/mails/{id}/retry", ids[1]),
        }


def test_a_workspace_sees_that_the_sign_in_code_of_a_member_did_not_arrive(live: LiveService):
    workspace, email = f"w-{uuid7().hex[-12:]}", new_address()
    with (
        closing(joined_member(live, workspace, MemberRole.OWNER)) as owner,
        closing(joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER)) as stranger,
    ):
        joined_member(live, workspace, MemberRole.CASEWORKER, email).close()
        request = uuid7()
        live.service.access.login_codes.request(request, email, audience=Audience.MEMBER)
        live.service.access.login_codes.run_all()
        id = die(live, f"access-code:{request}", sealed=False)
        [mail] = owner.get("/admin/dead-mails").json()["deadMails"]
        assert (mail["id"], mail["kind"], mail["recipient"], mail["retryable"]) == (id, "member_code", None, False)
        problem(owner.post(f"/admin/dead-mails/{id}/retry", json={}), 409, "conflict")
        problem(stranger.post(f"/admin/dead-mails/{id}/retry", json={}), 404, "not-found")


def assert_seen_and_retried_only_by(manager: Client, others: list[Client], id: str) -> None:
    for other in others:
        assert id not in {mail["id"] for mail in other.get("/admin/dead-mails?limit=100").json()["deadMails"]}
        problem(other.post(f"/admin/dead-mails/{id}/retry", json={}), 404, "not-found")
    assert id in {mail["id"] for mail in manager.get("/admin/dead-mails?limit=100").json()["deadMails"]}
    assert manager.post(f"/admin/dead-mails/{id}/retry", json={}).status_code == 202


def test_a_workspace_sees_that_the_reminder_of_a_dispute_did_not_arrive(live: LiveService):
    ours, theirs = (f"w-{uuid7().hex[-12:]}" for _ in range(2))
    with (
        closing(joined_member(live, ours, MemberRole.ADMIN)) as manager,
        closing(joined_member(live, theirs, MemberRole.OWNER)) as stranger,
    ):
        ticket = manager.open_ticket()
        ticket.write_draft()
        ticket.publish()
        dispute = disputed(live, ticket, "needs_response", 1)
        remind_of_disputes(live.service.database, live.service.commands.disputes)
        id = die(live, f"dispute_due:{dispute}:{manager.get('/api/me').json()['member']['id']}")
        assert_seen_and_retried_only_by(manager, [stranger], id)


@pytest.mark.parametrize("names_ticket", [True, False])
def test_a_workspace_sees_that_an_answer_to_a_request_for_help_did_not_arrive(
    live: LiveService, client: Client, admin: Client, *, names_ticket: bool
):
    ours, theirs = (f"w-{uuid7().hex[-12:]}" for _ in range(2))
    with (
        closing(joined_member(live, ours, MemberRole.ADMIN)) as manager,
        closing(joined_member(live, theirs, MemberRole.OWNER)) as stranger,
        closing(joined_member(live, PUBLIC_WORKSPACE, MemberRole.ADMIN)) as manager_of_public,
    ):
        about = {"ticketId": manager.open_ticket().id} if names_ticket else {}
        question = open_support_ticket(client, contact=new_address().value, **about)
        replied = admin.post(f"/api/support/{question['id']}/replies", json={"text": "We have mended it."})
        id = die(live, f"support-reply:{replied.json()['replies'][-1]['id']}")
        if names_ticket:
            assert_seen_and_retried_only_by(manager, [stranger, manager_of_public], id)
        else:
            assert_seen_and_retried_only_by(manager_of_public, [stranger, manager], id)


def test_an_answer_to_somebody_without_a_story_is_shown_without_a_link_to_one(
    live: LiveService, client: Client, admin: Client
):
    workspace, email = f"w-{uuid7().hex[-12:]}", new_address()
    with closing(joined_member(live, workspace, MemberRole.OWNER, email)) as owner:
        about = owner.open_ticket().id
    question = open_support_ticket(client, contact=new_address().value, ticketId=about)
    replied = admin.post(f"/api/support/{question['id']}/replies", json={"text": "We have mended it."})
    id = die(live, f"support-reply:{replied.json()['replies'][-1]['id']}")
    assert listed(admin, id)["ticketId"] is None
    with closing(browser_of(live, email)) as browser:
        page = browser.get("/desk/mails").text
        assert (id in page, question["id"] in page) == (True, False)


def test_an_answer_to_the_holder_of_a_story_belongs_to_the_workspace_of_the_story(live: LiveService, admin: Client):
    ours = f"w-{uuid7().hex[-12:]}"
    with (
        closing(joined_member(live, ours, MemberRole.ADMIN)) as manager,
        closing(joined_member(live, PUBLIC_WORKSPACE, MemberRole.ADMIN)) as manager_of_public,
    ):
        ticket = manager.open_ticket(contactValue=new_address().value)
        question = open_support_ticket(ticket.http, ticketId=ticket.id)
        replied = admin.post(f"/api/support/{question['id']}/replies", json={"text": "We have mended it."})
        id = die(live, f"support-reply:{replied.json()['replies'][-1]['id']}")
        assert_seen_and_retried_only_by(manager, [manager_of_public], id)


def test_managers_send_a_dead_mail_again_on_its_page_and_learn_why_it_failed(live: LiveService):
    workspace, email = f"w-{uuid7().hex[-12:]}", new_address()
    joined_member(live, workspace, MemberRole.OWNER, email).close()
    with closing(browser_of(live, email)) as owner:
        assert "Every message was sent." in owner.get("/desk/mails").text
        ticket = joined_member(live, workspace, MemberRole.CASEWORKER).open_ticket()
        ids = [died(live, kind, ticket.id, page=PAGE)[0] for kind in ("published", "reinstated")]
        page = owner.get("/desk/mails").text
        assert page.count("does not take mails for this address") == 2
        assert "SMTP" not in page
        assert f'href="/desk/tickets/{ticket.id}"' in page
        retried = owner.post(f"/desk/mails/{ids[0]}/retry")
        assert (retried.status_code, retried.headers["location"]) == (303, "/desk/mails?done=retried")
        again = owner.post(f"/desk/mails/{ids[0]}/retry")
        assert (again.status_code, 'id="error-summary"' in again.text) == (404, True)
        shown = owner.get("/desk/mails").text
        assert (ids[0] in shown, ids[1] in shown) == (False, True)


def test_the_page_of_dead_mails_has_several_pages(live: LiveService):
    workspace, email = f"w-{uuid7().hex[-12:]}", new_address()
    joined_member(live, workspace, MemberRole.OWNER, email).close()
    with closing(browser_of(live, email)) as owner, closing(joined_member(live, workspace, MemberRole.OWNER)) as api:
        ticket = api.open_ticket()
        ids = [died(live, "published", ticket.id, page=PAGE)[0] for _ in range(21)]
        first = owner.get("/desk/mails").text
        link = re.search(r'rel="next" href="([^"]+)"', first)
        assert link is not None
        second = owner.get(link[1]).text
        assert [(id in first, id in second) for id in ids] == [(True, False)] * 20 + [(False, True)]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ("SMTP recipient: 550", "recipient"),
        ("SMTP: the server does not accept such an address", "recipient"),
        ("SMTP message: 552", "refused"),
        ("SMTP connection: TimeoutError", "server"),
        ("text provider: 400, code 21211", "number"),
        ("text provider: ConnectError", "server"),
        ("every attempt broke off", "other"),
        (None, "other"),
    ],
)
def test_the_reason_of_the_outbox_becomes_a_sentence_for_the_staff(error: str | None, fault: str):
    assert fault_of(error) == fault
