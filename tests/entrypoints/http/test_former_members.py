"""A person who left may ask that the address and the name are erased: nobody can read them any more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from psycopg import connect

from adapters.event_store.history import ERASED
from adapters.ids import uuid7
from adapters.mail.outbox import OF_REMINDED_MEMBER
from adapters.mail.reminders import remind_of_disputes, remind_of_due_tickets
from adapters.privacy.former_members import FORGET_ADDRESSES
from adapters.proof import audit
from domain.members import MemberRole
from domain.values import Contact, Role
from domain.workspaces import workspace_stream
from tests.client import Client, LiveService, eventually
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_disputes import disputed
from tests.fakes.mailbox import files
from tests.members import joined_member, new_address

NAME = "Grace Hopper"


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def place(workspace: str) -> str:
    return f"/api/workspaces/{workspace}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER, owner_address)


@pytest.fixture
def address() -> Contact:
    return new_address()


@pytest.fixture
def member_id(live: LiveService, workspace: str, address: Contact) -> Iterator[str]:
    """Return the id of a caseworker with a name, who has opened a story and written a note."""
    with joined_member(live, workspace, MemberRole.CASEWORKER, address) as grace:
        assert grace.patch("/api/me", json={"name": NAME}).status_code == 200
        ticket = grace.open_ticket()
        assert grace.post(f"{ticket.path}/notes", json={"text": "Call."}).status_code == 201
        yield str(grace.get("/api/me").json()["member"]["id"])


def removed(owner: Client, place: str, member_id: str) -> str:
    """Remove the member, and return the path of the personal data."""
    assert owner.delete(f"{place}/members/{member_id}").status_code == 204
    return f"{place}/members/{member_id}/personal-data"


def test_after_the_erasure_nobody_reads_the_address_and_the_name(
    live: LiveService, owner: Client, address: Contact, place: str, workspace: str, member_id: str
):
    data = removed(owner, place, member_id)
    [former] = owner.get(f"{place}/former-members").json()["formerMembers"]
    assert (former["email"], former["name"], former["erased"]) == (address.value, NAME, False)
    for _ in range(2):
        assert owner.delete(data).status_code == 204
    [former] = owner.get(f"{place}/former-members").json()["formerMembers"]
    assert (former["id"], former["email"], former["name"], former["erased"]) == (member_id, None, None, True)
    # The stored events are unchanged, and nothing opens what was sealed in them.
    history, stream = live.service.history, workspace_stream(workspace)

    def texts() -> list[str]:
        return [str(history.application.mapper.to_domain_event(entry)) for entry in history.log.stream(stream)]

    # This process may keep the key for some seconds.
    eventually(lambda: not [text for text in texts() if address.value in text or NAME in text])
    assert [text for text in texts() if ERASED in text]
    assert len(texts()) == live.service.aggregates.workspaces.get(workspace).version
    assert audit.verify(live.service.database.url).ok


def test_the_acts_of_an_erased_member_stay_as_those_of_a_former_member(
    live: LiveService, owner: Client, owner_address: Contact, address: Contact, place: str, member_id: str
):
    owner.delete(removed(owner, place, member_id))
    acts = owner.get(f"{place}/audit-log", params={"member": member_id, "limit": "100"}).json()["auditLog"]
    assert len(acts) >= 4
    assert {act["actor"] for act in acts} == {f"member:{member_id}"}
    assert {(act["memberName"], act["address"]) for act in acts} == {(None, None)}
    with closing(browser_of(live, owner_address)) as browser:
        log = browser.get(f"/desk/audit-log?member={member_id}")
        [ticket_id] = set(re.findall(r"/desk/tickets/([0-9a-f-]{36})", log.text))
        story, members = browser.get(f"/desk/tickets/{ticket_id}"), browser.get("/desk/members/former")
        spanish = browser.get(f"/desk/tickets/{ticket_id}?lang=es")
    for page in (log, story, members):
        assert (page.status_code, "A former member" in page.text) == (200, True)
        assert NAME not in page.text
        assert address.value not in page.text
    assert "Un antiguo miembro" in spanish.text


def test_the_mail_of_the_invitation_is_deleted(live: LiveService, owner: Client, place: str):
    email = new_address()
    invited = owner.post(f"{place}/invitations", json={"email": email.value, "role": "auditor"}).json()["id"]
    live.service.mail.sender.run_all()
    assert files(live.settings.outbox, email.value)
    owner.delete(f"{place}/invitations/{invited}")
    assert owner.delete(f"{place}/members/{invited}/personal-data").status_code == 204
    assert not files(live.settings.outbox, email.value)


@pytest.fixture
def reminded_id(live: LiveService, owner: Client, workspace: str, address: Contact) -> str:
    """Return the id of an admin who was sent an invitation, and to whom two kinds of reminders are queued."""
    with joined_member(live, workspace, MemberRole.ADMIN, address) as admin:
        id = str(admin.get("/api/me").json()["member"]["id"])
    ticket = owner.open_ticket()
    ticket.write_draft()
    ticket.publish()
    disputed(live, ticket, "needs_response", 1)
    noted = owner.patch(f"{ticket.path}/desk", json={"assignee": id, "dueAt": "2026-01-01T00:00:00Z"})
    assert noted.status_code == 200
    live.service.mail.sender.run_all()
    remind_of_disputes(live.service.database, live.service.commands.disputes)
    remind_of_due_tickets(live.service.database, live.service.commands.desk)
    assert kinds_to(live, id) == ["dispute_due", "ticket_due"]
    return id


def kinds_to(live: LiveService, member_id: str) -> list[str]:
    """Return the kinds of the reminders to this member that the outbox has, sent or not."""
    queued = "SELECT kind FROM outbox WHERE key LIKE %s AND kind <> 'invitation' ORDER BY kind"
    return [kind for (kind,) in live.service.database.rows(queued, (f"%:{member_id}",))]


@pytest.mark.parametrize("is_sent", [False, True])
def test_the_reminders_to_the_member_are_deleted(
    live: LiveService,
    owner: Client,
    owner_address: Contact,
    address: Contact,
    place: str,
    reminded_id: str,
    *,
    is_sent: bool,
):
    if is_sent:
        live.service.mail.sender.run_all()
    assert len(files(live.settings.outbox, address.value)) == (3 if is_sent else 1)
    assert owner.delete(removed(owner, place, reminded_id)).status_code == 204
    assert kinds_to(live, reminded_id) == []
    live.service.mail.sender.run_all()
    assert not files(live.settings.outbox, address.value)
    # The invitation of the other manager and the reminder stay.
    assert len(files(live.settings.outbox, owner_address.value)) == 2


def test_reminders_are_not_sent_to_somebody_who_was_removed_meanwhile(
    live: LiveService, owner: Client, address: Contact, place: str, reminded_id: str
):
    removed(owner, place, reminded_id)
    invitation = files(live.settings.outbox, address.value)
    live.service.mail.sender.run_all()
    assert files(live.settings.outbox, address.value) == invitation
    assert kinds_to(live, reminded_id) == []


def test_the_acts_and_the_reminders_of_a_member_are_found_by_indexes(live: LiveService, workspace: str):
    """The erasure has the lock of the event log, so it must not read the whole access log or the whole outbox."""
    statements = (
        (FORGET_ADDRESSES, "access_log_of_member", "Index Cond: ((workspace = "),
        (
            f"DELETE FROM outbox WHERE {OF_REMINDED_MEMBER}",
            "outbox_of_reminded_member",
            'Index Cond: ("right"(key, 36) = ',
        ),
    )
    with connect(live.service.database.url) as connection:
        # Enough rows, with statistics, that the plan does not depend on other tests.
        connection.execute(
            "INSERT INTO access_log_details"
            " SELECT -n, now(), %s, gen_random_uuid(), 'a' FROM generate_series(1, 5000) n",
            (workspace,),
        )
        connection.execute(
            "INSERT INTO outbox (id, key, kind, sealed, state) SELECT gen_random_uuid(),"
            " 'due:' || gen_random_uuid(), 'ticket_due', '', 'sent' FROM generate_series(1, 5000)"
        )
        connection.execute("ANALYZE access_log_details")
        connection.execute("ANALYZE outbox")
        for statement, index, condition in statements:
            values = {"workspace": workspace, "member": uuid7()}
            lines = connection.execute(f"EXPLAIN {statement}".encode(), values).fetchall()
            plan = " ".join(str(line) for (line,) in lines)
            assert index in plan
            assert condition in plan
        connection.rollback()


def test_a_member_must_be_removed_first_and_admins_erase_no_owners(
    live: LiveService, owner: Client, place: str, workspace: str, member_id: str
):
    problem(owner.delete(f"{place}/members/{member_id}/personal-data"), 409, "conflict")
    second = joined_member(live, workspace, MemberRole.OWNER)
    second_id = second.get("/api/me").json()["member"]["id"]
    data_of_owner, data = removed(owner, place, second_id), removed(owner, place, member_id)
    with joined_member(live, workspace, MemberRole.ADMIN) as admin:
        problem(admin.delete(data_of_owner), 403, "forbidden")
        assert admin.delete(data).status_code == 204
    with live.client_with_key(Role.ADMIN) as operator:
        assert operator.delete(data_of_owner).status_code == 204
    problem(owner.delete(f"{place}/members/{uuid7()}/personal-data"), 404, "not-found")
    problem(owner.delete(f"{place}/members/x/personal-data"), 404, "not-found")


def test_another_workspace_erases_none_of_the_members(live: LiveService, owner: Client, place: str, member_id: str):
    data, other = removed(owner, place, member_id), f"w-{uuid7().hex[-12:]}"
    with joined_member(live, other, MemberRole.OWNER) as stranger:
        problem(stranger.delete(data), 404, "not-found")
        problem(stranger.delete(f"/api/workspaces/{other}/members/{member_id}/personal-data"), 404, "not-found")
        assert stranger.get(f"/api/workspaces/{other}/former-members").json()["formerMembers"] == []


def test_former_members_are_listed_page_by_page(live: LiveService, owner: Client, place: str, workspace: str):
    for _ in range(3):
        member = joined_member(live, workspace, MemberRole.AUDITOR)
        removed(owner, place, member.get("/api/me").json()["member"]["id"])
    first = owner.get(f"{place}/former-members", params={"limit": "2"}).json()
    rest = owner.get(f"{place}/former-members", params={"limit": "2", "cursor": first["nextCursor"]}).json()
    assert [len(page["formerMembers"]) for page in (first, rest)] == [2, 1]


def test_a_manager_erases_by_the_page_after_checking_a_box(
    live: LiveService, owner: Client, owner_address: Contact, address: Contact, place: str, member_id: str
):
    removed(owner, place, member_id)
    with closing(browser_of(live, owner_address)) as browser:
        page, path = browser.get("/desk/members/former"), f"/desk/members/{member_id}/erase"
        assert address.value in page.text
        unconfirmed = browser.post(path, data={"press": "x"})
        assert (unconfirmed.status_code, 'id="error-summary"' in unconfirmed.text) == (422, True)
        assert address.value in browser.get("/desk/members/former").text
        erased = browser.post(path, data={"confirm": "yes"})
        assert (erased.status_code, erased.headers["location"]) == (303, "/desk/members/former?done=erased")
        assert address.value not in browser.get("/desk/members/former").text
        own_id = owner.get("/api/me").json()["member"]["id"]
        assert browser.post(f"/desk/members/{own_id}/erase", data={"confirm": "yes"}).status_code == 409
