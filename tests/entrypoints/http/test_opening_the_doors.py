"""An organisation opens its doors: staff help a person from the first word to a refund, and the person comes back."""

from __future__ import annotations

import re

from adapters.ids import uuid7
from domain.members import MemberRole
from tests.client import RECORDING, LiveService, Ticket
from tests.entrypoints.conftest import JobRunner, donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.test_codes_by_text import CODE, number, texts
from tests.entrypoints.http.test_desk_pages import browser_of
from tests.entrypoints.http.test_login_codes import request_code, verify
from tests.members import joined_member, new_address


def test_an_organisation_works_with_its_own_people(live: LiveService, work: JobRunner):
    phone = number()
    workspace, addresses = f"w-{uuid7().hex[-12:]}", {role: new_address() for role in MemberRole}
    joined_member(live, workspace, MemberRole.OWNER, addresses[MemberRole.OWNER])
    owner = browser_of(live, addresses[MemberRole.OWNER])
    owner.post("/desk/organisation", data={"intake": "invited", "publishing": "approval"})

    # The owner invites a caseworker and an admin, who accept.
    staff = {}
    for role in (MemberRole.CASEWORKER, MemberRole.ADMIN):
        owner.post("/desk/members", data={"email": addresses[role].value, "role": role.value})
        staff[role] = browser_of(live, addresses[role])
        invitation = re.search(r'name="invitation" value="([^"]+)"', staff[role].get("/desk/sign-in").text)
        assert invitation is not None
        staff[role].post("/desk/workspaces", data={"invitation": invitation[1]})
    caseworker, admin = staff[MemberRole.CASEWORKER], staff[MemberRole.ADMIN]

    # The caseworker opens a ticket with somebody at the desk, hears the recording and corrects two words.
    answer = caseworker.post(
        "/tell/file",
        data={"contact": phone, "name": "Ada", "consent": "yes"},
        files={"audio": ("story.webm", RECORDING.read_bytes())},
    )
    assert answer.status_code == 303, answer.text
    ticket = answer.headers["location"].removeprefix("/t/")
    path, desk = f"/api/tickets/{ticket}", f"/desk/tickets/{ticket}"
    person = Ticket(caseworker, {"id": ticket, "accessToken": caseworker.cookies["session"]})
    work.do(person)
    [recording] = caseworker.get(f"{path}/recordings").json()
    assert caseworker.get(f"{path}/recordings/{recording['id']}").content == RECORDING.read_bytes()
    segment = caseworker.get(f"{path}/transcript").json()["segments"][0]
    correction = {"corrections": [{"segmentId": segment["id"], "text": "The roof fell in."}]}
    assert caseworker.patch(f"{path}/transcript", json=correction).status_code == 200
    work.do(person)
    draft = {"title": "A roof", "story": "The roof fell in.", "goalAmount": 900, "beneficiary": "Ada", "location": None}
    assert caseworker.patch(f"{path}/draft", json=draft).status_code == 200

    # An admin asks for a change, and approves what is asked for again.
    assert caseworker.post(f"{path}/publish", json={"consent": True}).status_code == 409
    for act, form in (("request-changes", {"note": "A shorter title."}), ("approve", {"version": ""})):
        answer = caseworker.post(f"{path}/request-publication", json={"consent": True})
        assert answer.status_code == 200, answer.text
        assert admin.post(f"{desk}/{act}", data=form).status_code == 303
    published = caseworker.post(f"{path}/publish", json={"consent": True})
    assert published.status_code == 200, published.text
    page = published.json()["publicUrl"].removeprefix(live.service.public_url)

    # The page gets a gift, is suspended, everything is paid back, and the page returns.
    donate_in_sandbox(live, person, 50)
    assert admin.post(f"{desk}/suspend", data={"reason": "We are asking."}).status_code == 303
    with live.client() as stranger:
        assert stranger.get(page).status_code == 410
        assert admin.post(f"{path}/refund-all", json={"reason": "The page was wrong."}).status_code == 202
        live.service.jobs.refund_runs.run_all()
        wait_until_delivered(live)
        assert admin.get(f"{path}/donations/total").json()["breakdown"]["refundedMinor"] == 5_000
        assert admin.post(f"{desk}/reinstate").status_code == 303
        assert stranger.get(page).status_code == 200

    # The person comes back with nothing but a phone, hears the recording, takes a consent back and downloads all.
    with live.client() as visitor:
        request = request_code(visitor, phone, "PHONE")
        [code] = [match[0] for text in texts(live, phone) if (match := CODE.search(text.text))]
        session = verify(visitor, request, code)
    with live.client(session.json()["accessToken"]) as returned:
        assert returned.get(f"{path}/recordings/{recording['id']}").status_code == 200
        withdrawn = returned.post(f"{path}/consents/withdraw", json={"scopes": ["name"]})
        assert withdrawn.status_code == 200, withdrawn.text
        assert returned.get(f"{path}/export").content.startswith(b"PK")

    # Everything that the staff did is theirs in the history; another workspace sees none of it.
    events = owner.get(f"{path}/history?limit=100").json()["events"]
    by_staff = {event["type"] for event in events if event["actor"].startswith("member:")}
    assert by_staff >= {
        "TicketOpened",
        "TranscriptCorrected",
        "ChangesRequested",
        "Approved",
        "Published",
        "TicketSuspended",
        "RefundAllRequested",
        "TicketReinstated",
    }
    with joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER) as other:
        assert other.get(path).status_code == 404
        assert other.get("/api/tickets").json()["tickets"] == []
        assert other.get("/api/donations").json()["donations"] == []
