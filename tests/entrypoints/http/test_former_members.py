"""A person who left may ask that the address and the name are erased: nobody can read them any more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.event_store.history import ERASED
from adapters.ids import uuid7
from adapters.proof import audit
from domain.members import MemberRole
from domain.values import Contact, Role
from domain.workspaces import workspace_stream
from tests.client import Client, LiveService, eventually
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_desk_pages import browser_of
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


def test_what_the_member_did_stays_as_that_of_a_former_member(
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
