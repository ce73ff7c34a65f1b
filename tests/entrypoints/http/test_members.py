"""Members sign in with a code, see who they are, end sessions, and manage the members of their workspace."""

from __future__ import annotations

from uuid import uuid4

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from tests.client import Client, LiveService
from tests.entrypoints.http.contract import problem
from tests.entrypoints.http.test_login_codes import code_for, mails
from tests.fakes.mailbox import text_of
from tests.members import joined_member, new_address, signed_in


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner(live: LiveService, workspace: str) -> Client:
    return joined_member(live, workspace, MemberRole.OWNER)


def request_code(live: LiveService, email: str) -> str:
    with live.client() as visitor:
        answer = visitor.post("/api/session/code", json={"email": email})
    assert answer.status_code == 202, answer.text
    live.service.access.login_codes.run_all()
    live.service.mail.sender.run_all()
    return str(answer.json()["requestId"])


def test_an_invited_person_signs_in_accepts_and_works(live: LiveService, workspace: str, owner: Client):
    email = new_address().value
    invited = owner.post(
        f"/api/workspaces/{workspace}/invitations", json={"email": email.upper(), "role": "caseworker"}
    )
    assert invited.status_code == 201, invited.text
    assert invited.json()["email"] == email
    live.service.mail.sender.run_all()
    assert f"{live.service.public_url}/desk" in text_of(mails(live, email)[-1])

    request = request_code(live, email)
    with live.client() as visitor:
        session = visitor.post("/api/session", json={"requestId": request, "code": code_for(live, email)})
    assert session.status_code == 200, session.text
    with live.client(session.json()["accessToken"]) as newcomer:
        me = newcomer.get("/api/me").json()
        assert me["member"] is None
        [membership] = me["workspaces"]
        assert (membership["workspace"], membership["hasJoined"]) == (workspace, False)
        problem(newcomer.get(f"/api/workspaces/{workspace}/members"), 403, "forbidden")
        accepted = newcomer.post(f"/api/invitations/{membership['memberId']}/accept", json={})
        assert accepted.json()["member"]["role"] == "caseworker"
        opened = newcomer.post("/api/tickets/create", json={"contactType": "EMAIL", "contactValue": "ada@example.com"})
        assert opened.status_code == 201, opened.text
        ticket = f"/api/tickets/{opened.json()['id']}"
        assert newcomer.get(ticket).status_code == 200
        assert owner.get(f"{ticket}/history").json()["events"][0]["actor"] == f"member:{membership['memberId']}"
        # The invitation is used up.
        assert owner.get(f"/api/workspaces/{workspace}/invitations").json()["invitations"] == []


def test_an_address_that_is_no_members_gets_no_mail_and_the_same_answer(live: LiveService, owner: Client):
    email = new_address().value
    request_code(live, email)
    assert mails(live, email) == []


def test_a_code_for_a_story_does_not_sign_a_member_in(live: LiveService, workspace: str):
    email = new_address()
    joined_member(live, workspace, MemberRole.OWNER, email)
    with live.client() as visitor:
        visitor.open_ticket(contactValue=email.value)
        answer = visitor.post("/api/access/request", json={"contactType": "EMAIL", "contactValue": email.value})
        live.service.access.login_codes.run_all()
        live.service.mail.sender.run_all()
        code = {"requestId": answer.json()["requestId"], "code": code_for(live, email.value)}
        problem(visitor.post("/api/session", json=code), 401, "unauthenticated")
        assert visitor.post("/api/access/verify", json=code).status_code == 200


def test_five_wrong_codes_lock_a_request_and_ten_an_address(live: LiveService, workspace: str):
    email = new_address()
    joined_member(live, workspace, MemberRole.OWNER, email)
    with live.client() as visitor:
        for _ in range(2):
            request = request_code(live, email.value)
            for _ in range(5):
                wrong = {"requestId": request, "code": "0000 0000"}
                problem(visitor.post("/api/session", json=wrong), 401, "unauthenticated")
            right = {"requestId": request, "code": code_for(live, email.value)}
            problem(visitor.post("/api/session", json=right), 401, "unauthenticated")
        request = request_code(live, email.value)
        right = {"requestId": request, "code": code_for(live, email.value)}
        problem(visitor.post("/api/session", json=right), 401, "unauthenticated")


def test_a_member_sees_and_ends_the_own_sessions_only(live: LiveService, workspace: str, owner: Client):
    email = new_address()
    first = joined_member(live, workspace, MemberRole.CASEWORKER, email)
    second = signed_in(live, email)
    sessions = first.get("/api/session").json()["sessions"]
    assert [session["current"] for session in sessions] == [False, True]
    assert first.delete(f"/api/session/{sessions[0]['id']}").status_code == 204
    problem(second.get("/api/me"), 401, "unauthenticated")
    problem(owner.delete(f"/api/session/{sessions[1]['id']}"), 404, "not-found")
    third = signed_in(live, email)
    assert first.delete("/api/session/current").status_code == 204
    assert third.delete("/api/session").status_code == 204
    problem(third.get("/api/me"), 401, "unauthenticated")
    problem(first.get("/api/me"), 401, "unauthenticated")


def test_a_changed_role_and_a_removal_count_from_the_next_request_on(live: LiveService, workspace: str, owner: Client):
    admin = joined_member(live, workspace, MemberRole.ADMIN)
    id, members = admin.get("/api/me").json()["member"]["id"], f"/api/workspaces/{workspace}/members"
    assert owner.patch(f"{members}/{id}", json={"role": "auditor"}).json()["role"] == "auditor"
    problem(
        admin.post(f"/api/workspaces/{workspace}/invitations", json={"email": "a@b.co", "role": "admin"}),
        403,
        "forbidden",
    )
    assert owner.delete(f"{members}/{id}").status_code == 204
    assert admin.get("/api/me").json() == {"member": None, "workspace": None, "workspaces": []}
    problem(admin.get(members), 403, "forbidden")


def test_the_last_owner_can_neither_leave_nor_become_something_else(workspace: str, owner: Client):
    id, members = owner.get("/api/me").json()["member"]["id"], f"/api/workspaces/{workspace}/members"
    problem(owner.delete(f"{members}/{id}"), 409, "conflict")
    problem(owner.patch(f"{members}/{id}", json={"role": "admin"}), 409, "conflict")


def test_a_person_may_work_in_several_workspaces_one_at_a_time(live: LiveService):
    email, names = new_address(), sorted(f"w-{uuid7().hex[-12:]}" for _ in range(2))
    for name in names:
        person = joined_member(live, name, MemberRole.OWNER, email)
    assert person.get("/api/me").json()["workspace"] == names[0]
    problem(person.get(f"/api/workspaces/{names[1]}"), 404, "not-found")
    assert person.patch("/api/session", json={"workspace": names[1]}).json()["workspace"] == names[1]
    assert person.get(f"/api/workspaces/{names[1]}").json()["id"] == names[1]
    problem(person.get(f"/api/workspaces/{names[0]}"), 404, "not-found")
    problem(person.patch("/api/session", json={"workspace": "public"}), 404, "not-found")


def test_members_are_listed_in_pages(live: LiveService, workspace: str, owner: Client):
    for _ in range(3):
        joined_member(live, workspace, MemberRole.AUDITOR)
    path, ids = f"/api/workspaces/{workspace}/members?limit=2", []
    while path:
        answer = owner.get(path)
        ids += [member["id"] for member in answer.json()["members"]]
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    assert len(set(ids)) == len(ids) == 4


def test_an_auditor_sees_members_with_shortened_addresses(live: LiveService, workspace: str, owner: Client):
    auditor = joined_member(live, workspace, MemberRole.AUDITOR)
    shown = auditor.get(f"/api/workspaces/{workspace}/members").json()["members"]
    assert all("***@" in member["email"] and member["name"] is None for member in shown)


def test_a_member_gives_a_name_that_the_others_see(workspace: str, owner: Client):
    assert owner.patch("/api/me", json={"name": "Grace"}).json()["member"]["name"] == "Grace"
    assert owner.get(f"/api/workspaces/{workspace}/members").json()["members"][0]["name"] == "Grace"


def test_nobody_learns_of_another_workspace(live: LiveService, owner: Client):
    other = f"w-{uuid7().hex[-12:]}"
    stranger = joined_member(live, other, MemberRole.OWNER)
    member = stranger.get("/api/me").json()["member"]["id"]
    for existing, absent in ((other, f"w-{uuid7().hex[-12:]}"),):
        answers = [
            [
                owner.get(f"/api/workspaces/{name}").json() | {"instance": "", "requestId": ""},
                owner.delete(f"/api/workspaces/{name}/members/{member}").json() | {"instance": "", "requestId": ""},
            ]
            for name in (existing, absent)
        ]
        assert answers[0] == answers[1]
        assert answers[0][0]["status"] == 404
    problem(owner.post(f"/api/invitations/{member}/accept", json={}), 404, "not-found")
    problem(owner.post(f"/api/invitations/{uuid4()}/accept", json={}), 404, "not-found")
