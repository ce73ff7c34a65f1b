"""The pages of the audit log and of the security events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.identity.security_events import SecurityEventKind
from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Contact, Role
from entrypoints.http.cookies import SAFE_METHODS
from entrypoints.http.middleware.audit import _is_audited
from entrypoints.http.operations import Operation
from entrypoints.http.table import OPERATIONS
from entrypoints.presentation.act_sentences import ACT_OF_OPERATION, ACTS
from tests.client import Client, LiveService
from tests.entrypoints.http.test_desk_pages import OWN_PAGE, browser_of
from tests.members import joined_member, new_address


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Iterator[Client]:
    joined_member(live, workspace, MemberRole.OWNER, owner_address)
    with closing(browser_of(live, owner_address)) as owner:
        yield owner


@pytest.fixture
def auditor(live: LiveService, workspace: str) -> Iterator[Client]:
    address = new_address()
    joined_member(live, workspace, MemberRole.AUDITOR, address)
    with closing(browser_of(live, address)) as auditor:
        yield auditor


def operator(live: LiveService, role: Role) -> Client:
    """Return a browser that is signed in with a key of the installation."""
    browser = Client(base_url=live.base_url, headers=OWN_PAGE)
    _, key = live.service.access.credentials.create(role)
    assert browser.post("/audit", data={"key": key}).status_code == 303
    return browser


def texts(page: str) -> str:
    """Return what a reader reads on a page, without tags and with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def rows(page: str) -> list[str]:
    """Return what a reader reads in each row of the table."""
    return [texts(row).strip() for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]]


# The audit log.


def test_the_log_says_who_did_what_with_which_result_and_leads_to_the_story(
    owner: Client, owner_address: Contact, workspace: str
):
    ticket = owner.open_ticket()
    owner.post(f"/desk/tickets/{ticket.id}/notes", data={"text": "Call."})
    owner.post(f"/desk/tickets/{uuid7()}/notes", data={"text": "Call."})
    page = owner.get("/desk/audit-log")
    assert page.status_code == 200
    refused, noted, opened = rows(page.text)[:3]
    assert refused.startswith("Write a note")
    assert "Refused" in refused
    assert noted.startswith("Write a note To the story")
    assert owner_address.value in noted
    assert "Done" in noted
    assert "127.0.0.1" in noted
    assert opened.startswith("Open a story")
    assert page.text.count(f'href="/desk/tickets/{ticket.id}"') == 1
    assert "Begun" not in texts(page.text)
    assert workspace in page.text


def test_the_log_is_filtered_and_exported_with_the_same_filters(live: LiveService, owner: Client, workspace: str):
    with joined_member(live, workspace, MemberRole.CASEWORKER) as caseworker:
        member = caseworker.get("/api/me").json()["member"]["id"]
        ticket = caseworker.open_ticket()
        caseworker.post(f"{ticket.path}/notes", json={"text": "Call."})
    owner.open_ticket()
    assert len(rows(owner.get("/desk/audit-log", params={"act": "Open a story"}).text)) == 2
    mine = owner.get("/desk/audit-log", params={"member": member, "act": "Open a story", "from": "", "to": ""})
    assert len(rows(mine.text)) == 1
    assert rows(owner.get("/desk/audit-log", params={"act": "Close the workspace"}).text) == []
    export = re.search(r'href="(/api/workspaces/[^"]+)">Lines as JSON', mine.text)
    assert export is not None
    exported = owner.get(export[1].replace("&amp;", "&")).text.splitlines()
    assert len(exported) == 2
    assert all("/api/tickets/create" in line and member in line for line in exported)


@pytest.mark.parametrize(
    ("filters", "field"),
    [({"act": "Fly"}, "act"), ({"member": "ada"}, "member"), ({"from": "2026-05-02", "to": "2026-05-01"}, "to")],
)
def test_filters_that_are_not_valid_are_named(owner: Client, filters: dict[str, str], field: str):
    page = owner.get("/desk/audit-log", params=filters)
    assert page.status_code == 422
    assert f'<a href="#{field}">' in page.text


def test_the_log_is_paged(live: LiveService, owner: Client, workspace: str):
    with joined_member(live, workspace, MemberRole.CASEWORKER) as caseworker:
        ticket = caseworker.open_ticket()
        for number in range(60):
            caseworker.patch(ticket.path, json={"displayName": f"Ada {number}"})
    first = owner.get("/desk/audit-log", params={"act": "Change the name of a person"})
    assert len(rows(first.text)) == 50
    more = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert more is not None
    assert len(rows(owner.get(more[1].replace("&amp;", "&")).text)) == 10


def test_auditors_see_neither_addresses_nor_names(owner: Client, auditor: Client, owner_address: Contact):
    owner.open_ticket()
    page = auditor.get("/desk/audit-log")
    assert page.status_code == 200
    assert "127.0.0.1" not in page.text
    assert owner_address.value not in page.text
    assert f"{owner_address.value[0]}***@example.com" in page.text


def test_operators_see_the_log_of_all_workspaces_and_of_the_one_they_choose(
    live: LiveService, owner: Client, owner_address: Contact, workspace: str
):
    ticket = owner.open_ticket()
    with closing(operator(live, Role.AUDITOR)) as overseer, closing(operator(live, Role.ADMIN)) as admin:
        of_all = overseer.get("/desk/audit-log")
        assert (of_all.status_code, "Open a story" in of_all.text, "127.0.0.1" in of_all.text) == (200, True, False)
        chosen = admin.get("/desk/audit-log", params={"workspace": workspace})
        assert owner_address.value in chosen.text
        assert admin.get("/desk/audit-log", params={"workspace": "nowhere"}).status_code == 422
        assert owner_address.value not in overseer.get("/desk/audit-log", params={"workspace": workspace}).text
        assert f'href="/audit/{ticket.id}"' not in chosen.text


def test_another_workspace_has_a_log_of_its_own(live: LiveService, owner: Client, workspace: str):
    ticket, stranger_address = owner.open_ticket(), new_address()
    owner.post(f"/desk/tickets/{ticket.id}/notes", data={"text": "Call."})
    joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER, stranger_address)
    with closing(browser_of(live, stranger_address)) as stranger:
        for path in ("/desk/audit-log", f"/desk/audit-log?workspace={workspace}"):
            assert ticket.id not in stranger.get(path).text


def is_logged(operation: Operation) -> bool:
    """Return True if a call of the operation may be in the log: of an operator, of a member, or a denied write."""
    return (
        _is_audited(operation)
        or operation.method not in SAFE_METHODS
        or operation.logs_reads
        or (operation.access.names_ticket and operation.method == "GET")
    )


def test_every_operation_that_is_logged_is_an_act_in_plain_words():
    names = [f"{operation.method} {operation.path}" for operation in OPERATIONS if is_logged(operation)]
    assert [name for name in names if name not in ACT_OF_OPERATION] == []


def test_no_operation_is_two_acts_and_every_one_exists():
    listed = [operation for operations in ACTS.values() for operation in operations]
    assert len(listed) == len(set(listed))
    existing = {f"{operation.method} {operation.path}" for operation in OPERATIONS}
    assert [name for name in listed if "/" in name and name not in existing] == []


# Security events.


@pytest.fixture
def noted(live: LiveService, workspace: str) -> list[str]:
    """Note two events, and return their ids."""
    events = live.service.access.security_events
    for subject in ("a", "b"):
        events.note(SecurityEventKind.REVOKED_KEY, workspace, subject, "192.0.2.7")
    ids = live.service.database.rows("SELECT id FROM security_events WHERE workspace = %s", (workspace,))
    return [str(id) for (id,) in ids]


def test_managers_mark_one_event_or_all_that_are_shown_as_seen(owner: Client, noted: list[str]):
    page = owner.get("/desk/security-events")
    assert texts(page.text).count("Somebody used a key that was revoked. ") >= 2
    assert "192.0.2.7" in page.text
    after_one = owner.post("/desk/security-events", data={"events": noted[0]})
    assert (after_one.status_code, after_one.headers["location"]) == (303, "/desk/security-events?done=seen")
    assert noted[0] not in owner.get("/desk/security-events").text
    owner.post("/desk/security-events", data={"events": " ".join([*noted, str(uuid7()), "x"]), "show": "all"})
    assert "Nothing new has happened." in owner.get("/desk/security-events").text
    assert owner.get("/desk/security-events?show=all").text.count("Seen on") == 2


def test_misuse_after_the_page_was_shown_stays_new(live: LiveService, owner: Client, workspace: str, noted: list[str]):
    database = live.service.database
    page = owner.get("/desk/security-events").text
    forms = re.findall(r'name="events" value="([^"]+)"', page)
    assert len(forms) == 3
    repeated, quiet = noted
    # As a repeat within the same hour does.
    database.execute("UPDATE security_events SET count = count + 1 WHERE id = %s", (repeated,))
    [all_shown] = [form for form in forms if " " in form]
    [alone] = [form for form in forms if " " not in form and repeated in form]
    nothing = owner.post("/desk/security-events", data={"events": alone})
    assert nothing.headers["location"] == "/desk/security-events"
    for events in (f"{repeated}:x {repeated}:{'9' * 5_000} {repeated}:0", all_shown):
        owner.post("/desk/security-events", data={"events": events})
    left = owner.get("/desk/security-events").text
    assert (repeated in left, quiet in left) == (True, False)
    [now_shown] = re.findall(r'name="events" value="([^"]+)"', left)
    owner.post("/desk/security-events", data={"events": now_shown})
    unseen = database.rows("SELECT id FROM security_events WHERE workspace = %s AND seen_at IS NULL", (workspace,))
    assert unseen == []


def test_the_navigation_tells_managers_how_many_events_are_new(
    live: LiveService, owner: Client, auditor: Client, workspace: str, noted: list[str]
):
    assert "2 new security events" in texts(owner.get("/desk").text)
    for number in range(9):
        live.service.access.security_events.note(SecurityEventKind.REVOKED_KEY, workspace, str(number))
    assert "9+ new security events" in texts(owner.get("/desk/members").text)
    assert "new security events" not in texts(auditor.get("/desk").text)
    every = live.service.database.rows("SELECT id FROM security_events WHERE workspace = %s", (workspace,))
    owner.post("/desk/security-events", data={"events": " ".join(str(id) for (id,) in every)})
    assert "new security events" not in texts(owner.get("/desk").text)


def test_auditors_see_the_events_without_addresses_and_mark_none(auditor: Client, noted: list[str]):
    page = auditor.get("/desk/security-events")
    assert (page.status_code, "192.0.2.7" in page.text, "Mark as seen" in page.text) == (200, False, False)
    assert auditor.post("/desk/security-events", data={"events": noted[0]}).status_code == 403


def test_another_workspace_sees_and_marks_none_of_the_events(live: LiveService, owner: Client, noted: list[str]):
    stranger_address = new_address()
    joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER, stranger_address)
    with closing(browser_of(live, stranger_address)) as stranger:
        assert "Nothing has happened." in stranger.get("/desk/security-events?show=all").text
        stranger.post("/desk/security-events", data={"events": " ".join(noted)})
    assert "2 new security events" in texts(owner.get("/desk").text)


@pytest.mark.usefixtures("owner")
def test_operators_see_the_events_of_the_installation(live: LiveService, workspace: str, noted: list[str]):
    live.service.access.security_events.note(
        SecurityEventKind.INVALID_SIGNATURE, "public", address="192.0.2.7", of_installation=True
    )
    with closing(operator(live, Role.ADMIN)) as admin, closing(operator(live, Role.AUDITOR)) as overseer:
        page = admin.get("/desk/security-events?kind=invalid_signature")
        assert page.text.count("had an invalid signature") >= 2
        assert "192.0.2.7" in page.text
        assert overseer.get("/desk/security-events?kind=invalid_signature").text.count("Mark as seen") == 0
        chosen = {"workspace": workspace}
        assert admin.post("/desk/security-events", data=chosen | {"events": noted[0]}).status_code == 303
        assert admin.get("/desk/security-events", params=chosen).text.count(noted[1]) == 1
        assert noted[0] not in admin.get("/desk/security-events", params=chosen).text
        assert admin.get("/desk/security-events?workspace=nowhere").status_code == 422


def test_a_kind_that_does_not_exist_is_named(owner: Client):
    page = owner.get("/desk/security-events?kind=x")
    assert (page.status_code, '<a href="#kind">' in page.text) == (422, True)


def test_operators_see_that_somebody_tried_a_credential_that_nobody_has(live: LiveService):
    with live.client("slk_" + "x" * 43) as stranger:
        assert stranger.post("/api/tickets/create", json={}).status_code == 401
    with closing(operator(live, Role.ADMIN)) as admin:
        page = admin.get("/desk/audit-log")
    assert page.status_code == 200
    assert "Somebody who was not signed in" in texts(page.text)
