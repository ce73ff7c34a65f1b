"""The pages of the desk: staff sign in, choose a workspace, and manage members and their own account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.ids import uuid7
from domain.members import MemberRole
from domain.values import Contact, Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.test_login_codes import address, code_for, mails
from tests.entrypoints.http.test_organisations import png
from tests.fakes.mailbox import text_of
from tests.members import joined_member, new_address, signed_in

OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@pytest.fixture
def workspace() -> str:
    return f"w-{uuid7().hex[-12:]}"


@pytest.fixture
def owner_address() -> Contact:
    return new_address()


@pytest.fixture
def owner(live: LiveService, workspace: str, owner_address: Contact) -> Client:
    joined_member(live, workspace, MemberRole.OWNER, owner_address)
    return browser_of(live, owner_address)


@pytest.fixture
def visitor(live: LiveService) -> Iterator[Client]:
    with Client(base_url=live.base_url, headers=OWN_PAGE) as visitor:
        yield visitor


def browser_of(live: LiveService, email: Contact) -> Client:
    """Return a browser in which the person with this address is signed in."""
    with signed_in(live, email) as member:
        token = member.headers["authorization"].removeprefix("Bearer ")
    browser = Client(base_url=live.base_url, headers=OWN_PAGE)
    # With a domain, as the service's own cookie, so that signing out replaces it.
    browser.cookies.set("session", token, domain="127.0.0.1")
    return browser


def ask_for_code(live: LiveService, browser: Client, email: str) -> str:
    answer = browser.post("/desk/sign-in", data={"email": email})
    assert answer.status_code == 303, answer.text
    live.service.access.login_codes.run_all()
    live.service.mail.sender.run_all()
    return parse_qs(urlsplit(answer.headers["location"]).query)["request"][0]


def test_a_page_of_the_desk_leads_a_visitor_to_the_sign_in_and_back(visitor: Client):
    answer = visitor.get("/desk/members")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/sign-in?next=%2Fdesk%2Fmembers")
    assert 'name="next" value="/desk/members"' in visitor.get(answer.headers["location"]).text


def test_the_code_of_the_mail_signs_a_member_in(
    live: LiveService, visitor: Client, workspace: str, owner_address: Contact
):
    joined_member(live, workspace, MemberRole.OWNER, owner_address)
    request = ask_for_code(live, visitor, owner_address.value)
    code = code_for(live, owner_address.value)
    answer = visitor.post("/desk/sign-in/code", data={"request": request, "code": code})
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk"), answer.text
    assert visitor.get("/desk/account").status_code == 200


def test_the_link_of_the_mail_signs_a_member_in_only_by_its_button(
    live: LiveService, visitor: Client, workspace: str, owner_address: Contact
):
    joined_member(live, workspace, MemberRole.OWNER, owner_address)
    ask_for_code(live, visitor, owner_address.value)
    match = re.search(r"http\S+(/desk/sign-in/\S+)", text_of(mails(live, owner_address.value)[-1]))
    assert match is not None
    assert visitor.get(match[1]).status_code == 200
    assert visitor.get("/desk/account").status_code == 303
    assert visitor.post(match[1]).headers["location"] == "/desk"
    assert owner_address.value in visitor.get("/desk/account").text
    assert visitor.post(match[1]).status_code == 404


def test_a_wrong_code_and_a_wrong_address_are_refused_with_a_sentence(live: LiveService, visitor: Client):
    for form in ({"email": ""}, {"email": "nobody"}):
        answer = visitor.post("/desk/sign-in", data=form)
        assert (answer.status_code, 'id="error-summary"' in answer.text) == (422, True)
    request = ask_for_code(live, visitor, address())
    answer = visitor.post("/desk/sign-in/code", data={"request": request, "code": "1234 5678"})
    assert (answer.status_code, 'id="error-summary"' in answer.text) == (422, True)


def test_another_site_cannot_sign_a_browser_in(live: LiveService, workspace: str, owner_address: Contact):
    joined_member(live, workspace, MemberRole.OWNER, owner_address)
    with Client(base_url=live.base_url, headers={"Sec-Fetch-Site": "cross-site"}) as victim:
        assert victim.post("/desk/sign-in", data={"email": owner_address.value}).status_code == 403


def test_an_owner_invites_by_the_page_and_the_invited_person_accepts_by_the_page(
    live: LiveService, owner: Client, workspace: str
):
    email = new_address()
    refused = owner.post("/desk/members", data={"email": "nobody", "role": "caseworker"})
    assert (refused.status_code, 'id="error-summary"' in refused.text) == (422, True)
    assert owner.post("/desk/members", data={"email": email.value, "role": "caseworker"}).status_code == 303
    assert email.value in owner.get("/desk/members?done=invited").text

    newcomer = browser_of(live, email)
    invited = newcomer.get("/desk/sign-in")
    invitation = re.search(r'name="invitation" value="([^"]+)"', invited.text)
    assert invitation is not None
    assert newcomer.post("/desk/workspaces", data={"invitation": invitation[1]}).headers["location"] == "/desk"
    page = newcomer.get("/desk/members")
    assert (page.status_code, workspace in page.text, "Invite somebody" in page.text) == (200, True, False)
    # A caseworker may not invite.
    assert newcomer.post("/desk/members", data={"email": "a@example.com", "role": "admin"}).status_code == 403


def test_an_owner_changes_a_role_and_removes_a_member_by_the_page(live: LiveService, owner: Client, workspace: str):
    with joined_member(live, workspace, MemberRole.CASEWORKER) as caseworker:
        path = f"/desk/members/{caseworker.get('/api/me').json()['member']['id']}"
        assert owner.post(path, data={"do": "role", "role": "admin"}).status_code == 303
        assert caseworker.get("/api/me").json()["member"]["role"] == "admin"
        assert owner.post(path, data={"do": "remove"}).status_code == 303
        assert caseworker.get("/api/me").json()["member"] is None


def test_the_last_owner_reads_why_leaving_is_refused(owner: Client):
    own_id = re.search(r'action="/desk/members/([^"]+)"', owner.get("/desk/members").text)
    assert own_id is not None
    refused = owner.post(f"/desk/members/{own_id[1]}", data={"do": "remove"})
    assert (refused.status_code, "at least one owner" in refused.text) == (409, True)


def test_a_member_changes_the_name_and_signs_out_everywhere(live: LiveService, owner: Client, owner_address: Contact):
    assert owner.post("/desk/account", data={"name": "Grace"}).status_code == 303
    assert 'value="Grace"' in owner.get("/desk/account").text
    other = browser_of(live, owner_address)
    assert owner.post("/desk/account", data={"do": "end-all"}).headers["location"] == "/desk/sign-in"
    assert other.get("/desk/account").status_code == 303


def test_a_member_who_tells_for_a_person_stays_signed_in_and_is_named_as_witness(
    live: LiveService, owner: Client, workspace: str
):
    form = {"contact": address(), "consent": "yes", "name": "Ada", "story": "The roof fell in."}
    answer = owner.post("/tell/write", data=form)
    assert answer.status_code == 303, answer.text
    assert "set-cookie" not in answer.headers
    ticket = answer.headers["location"].removeprefix("/t/")
    assert owner.get(f"/t/{ticket}").status_code == 200
    [consent] = owner.get(f"/api/tickets/{ticket}/consents").json()["consents"]
    assert consent["how"] == "witnessed"
    events = owner.get(f"/api/tickets/{ticket}/history").json()["events"]
    assert {event["actor"].partition(":")[0] for event in events} == {"member"}


def test_a_page_of_a_person_says_to_staff_for_whom_they_act_and_leads_back_to_the_desk(owner: Client):
    ticket = told(owner, "Ada", "A roof")
    for page, back in ((f"/t/{ticket}", f"/desk/tickets/{ticket}"), ("/tell", "/desk")):
        shown = owner.get(page).text
        assert "You work on this story for somebody else." in shown
        assert f'href="{back}"' in shown
    assert "for somebody else" not in owner.get("/desk").text


def test_signing_out_ends_the_session(owner: Client):
    cookie = f"session={owner.cookies['session']}"
    assert owner.post("/sign-out").status_code == 303
    owner.cookies.clear()
    assert owner.get("/desk/account", headers={"Cookie": cookie}).status_code == 303


def told(browser: Client, name: str, title: str) -> str:
    """Tell a story for a person at the counter, and return the ticket's id."""
    form = {"contact": address(), "consent": "yes", "name": name, "story": "The roof fell in.", "title": title}
    answer = browser.post("/tell/write", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].removeprefix("/t/"))


def test_the_list_shows_the_stories_of_the_workspace_and_is_searched_and_filtered(live: LiveService, owner: Client):
    first, second = told(owner, "Ada Lovelace", "A new roof"), told(owner, "Grace Hopper", "A ramp")
    page = owner.get("/desk")
    assert page.status_code == 200
    assert all(f'href="/desk/tickets/{ticket}"' in page.text for ticket in (first, second))
    day_list = owner.get(
        "/desk", params={"q": "Hopper", "status": "", "label": "", "assignee": "", "sort": "-createdAt"}
    )
    assert (f"/desk/tickets/{second}" in day_list.text, f"/desk/tickets/{first}" in day_list.text) == (True, False)
    assert "No story matches." in owner.get("/desk?q=nobody").text
    assert owner.get("/desk?status=NONE").status_code == 422


def test_the_list_has_pages(owner: Client):
    tickets = {told(owner, "Ada", "A roof") for _ in range(3)}
    seen: set[str] = set()
    path = "/desk?limit=2&sort=createdAt"
    while path:
        page = owner.get(path)
        assert page.status_code == 200, page.text
        seen |= set(re.findall(r'href="/desk/tickets/([^"]+)"', page.text))
        link = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = link[1].replace("&amp;", "&") if link else ""
    assert seen == tickets


def test_staff_note_label_assign_and_date_a_story(live: LiveService, owner: Client):
    ticket = told(owner, "Ada", "A roof")
    path, own_id = f"/desk/tickets/{ticket}", owner.get("/api/me").json()["member"]["id"]
    owner.post("/desk/account", data={"name": "Grace"})
    work = {"labels": "urgent, roof", "assignee": own_id, "due": "2030-01-02"}
    assert owner.post(f"{path}/desk", data=work).headers["location"] == f"{path}?done=saved"
    assert owner.post(f"{path}/notes", data={"text": "Call the landlord."}).status_code == 303
    page = owner.get(path).text
    assert all(text in page for text in ("urgent", "2030-01-02", "Call the landlord.", "Grace"))
    empty = owner.post(f"{path}/notes", data={"text": " "})
    assert (empty.status_code, 'id="error-summary"' in empty.text) == (422, True)
    wrong = owner.post(f"{path}/desk", data={"labels": "", "assignee": "", "due": "tomorrow"})
    assert (wrong.status_code, 'id="error-summary"' in wrong.text) == (422, True)


def test_older_notes_are_on_further_pages(owner: Client):
    path = f"/desk/tickets/{told(owner, 'Ada', 'A roof')}"
    for number in range(21):
        assert owner.post(f"{path}/notes", data={"text": f"Note {number}."}).status_code == 303
    newest = owner.get(path).text
    assert ("Note 20." in newest, "Note 0." in newest) == (True, False)
    older = re.search(rf'href="({path}[?]cursor=[^"#]+)#notes"', newest)
    assert older
    assert "Note 0." in owner.get(older[1]).text


def test_only_who_runs_the_workspace_suspends_a_page(live: LiveService, owner: Client, workspace: str):
    ticket = told(owner, "Ada", "A roof")
    email = new_address()
    joined_member(live, workspace, MemberRole.CASEWORKER, email)
    caseworker, path = browser_of(live, email), f"/desk/tickets/{ticket}"
    assert f"{path}/suspend" not in caseworker.get(path).text
    refused = caseworker.post(f"{path}/suspend", data={"reason": "Fraud."})
    assert (refused.status_code, "Your role does not allow this" in refused.text) == (403, True)
    assert owner.post(f"{path}/suspend", data={"reason": ""}).status_code == 422
    assert owner.post(f"{path}/suspend", data={"reason": "We are asking."}).status_code == 303
    assert "Suspended" in caseworker.get(path).text
    assert owner.post(f"{path}/reinstate").status_code == 303
    last = owner.get(f"/api/tickets/{ticket}/history").json()["events"][-1]
    assert (last["type"], last["actor"].partition(":")[0]) == ("TicketReinstated", "member")


def test_an_auditor_sees_a_story_without_the_person(live: LiveService, owner: Client, workspace: str):
    ticket = told(owner, "Ada Lovelace", "A new roof for Ada")
    email = new_address()
    joined_member(live, workspace, MemberRole.AUDITOR, email)
    page = browser_of(live, email).get(f"/desk/tickets/{ticket}")
    assert page.status_code == 200
    assert not re.search("Lovelace|new roof|fell in", page.text)


def test_another_workspace_sees_nothing_of_a_story(live: LiveService, owner: Client):
    ticket = told(owner, "Ada", "A roof")
    email = new_address()
    joined_member(live, f"w-{uuid7().hex[-12:]}", MemberRole.OWNER, email)
    stranger = browser_of(live, email)
    assert ticket not in stranger.get("/desk").text
    for path in (f"/desk/tickets/{ticket}", f"/t/{ticket}", f"/audit/{ticket}"):
        assert stranger.get(path).status_code == 404


def test_colleagues_read_in_the_history_who_did_what_and_the_person_does_not(live: LiveService, owner: Client):
    ticket = told(owner, "Ada", "A roof")
    owner.post("/desk/account", data={"name": "Grace Hopper"})
    assert "A member of the staff: <bdi>Grace Hopper</bdi>" in owner.get(f"/audit/{ticket}").text
    with live.client_with_key(Role.AUDITOR) as auditor:
        seen = auditor.get(f"/audit/{ticket}", headers={"Accept": "text/html"})
    assert (seen.status_code, "Grace" in seen.text) == (200, False)


def test_a_masked_member_reads_no_name_of_a_colleague(live: LiveService, owner: Client, workspace: str):
    ticket = told(owner, "Ada", "A roof")
    owner.post("/desk/account", data={"name": "Grace Hopper"})
    email = new_address()
    joined_member(live, workspace, MemberRole.AUDITOR, email)
    auditor = browser_of(live, email)
    for path in ("/desk", f"/desk/tickets/{ticket}", "/desk/support", f"/audit/{ticket}", "/desk/members"):
        page = auditor.get(path)
        assert (page.status_code, "Grace Hopper" in page.text) == (200, False), path


def test_a_story_leads_to_its_gifts(owner: Client):
    ticket = told(owner, "Ada", "A roof")
    gifts = f"/desk/gifts?ticket={ticket}"
    assert f'href="{gifts}"' in owner.get(f"/desk/tickets/{ticket}").text
    assert "Only the gifts of one story are shown." in owner.get(gifts).text


def test_staff_erase_a_person_by_typing_and_stay_signed_in(owner: Client):
    ticket = told(owner, "Ada", "A roof")
    assert f'href="/t/{ticket}/erase"' in owner.get(f"/desk/tickets/{ticket}").text
    page = owner.get(f"/t/{ticket}/erase").text
    for text in ("Ada", "A roof", "stay in the books", "The history says that you erased", f"/desk/tickets/{ticket}"):
        assert text in page
    assert not re.search(r"\b[Mm]y story|\bYour (page|recordings)", page)
    assert owner.post(f"/t/{ticket}/erase", data={"word": "no"}).status_code == 422
    erased = owner.post(f"/t/{ticket}/erase", data={"word": "erase"})
    assert (erased.status_code, erased.headers["location"]) == (303, "/desk?done=erased")
    assert ticket not in owner.get("/desk?done=erased").text
    last = owner.get(f"/api/tickets/{ticket}/history?limit=100").json()["events"][-1]
    assert (last["type"], last["actor"]) == ("Erased", f"member:{owner.get('/api/me').json()['member']['id']}")


def test_acts_that_cannot_be_undone_say_so_before_their_button(live: LiveService, owner: Client, workspace: str):
    with joined_member(live, workspace, MemberRole.CASEWORKER):
        owner.post("/desk/keys", data={"tickets:read": "yes"})
        for path, button in (("/desk/members", "Remove from the workspace"), ("/desk/keys", "Revoke the key for good")):
            page = owner.get(path).text
            [act] = [part for part in re.findall(r"<details>.*?</details>", page, re.DOTALL) if button in part]
            assert "after that" in act
            assert page.count(button) == 1


def test_an_owner_describes_the_organisation_and_sets_the_rules_by_the_page(owner: Client, workspace: str):
    organisation = {"name": "Shelter", "legalName": "Shelter e. V.", "privacyPage": "https://shelter.example/privacy"}
    assert owner.post("/desk/organisation", data=organisation).headers["location"] == "/desk/organisation?done=saved"
    rules = {"intake": "invited", "publishing": "approval", "language": "", "currency": "EUR"}
    assert owner.post("/desk/organisation", data=rules).status_code == 303
    stored = owner.get(f"/api/workspaces/{workspace}").json()
    assert (stored["name"], stored["organisation"]["legalName"]) == ("Shelter", "Shelter e. V.")
    assert (stored["intake"], stored["publishing"], stored["language"], stored["currency"]) == (
        "invited",
        "approval",
        None,
        "EUR",
    )
    wrong = owner.post("/desk/organisation", data={"privacyPage": "nowhere"})
    assert (wrong.status_code, 'href="#privacyPage"' in wrong.text) == (422, True)


def test_an_owner_chooses_and_removes_the_logo_by_the_page(owner: Client, workspace: str):
    page, logo = "/desk/organisation", f"/api/workspaces/{workspace}/logo"
    refused = owner.post(f"{page}/logo", files={"file": ("logo.png", b"not a picture")})
    assert (refused.status_code, 'id="file-error"' in refused.text) == (422, True)
    assert owner.post(f"{page}/logo", files={"file": ("logo.png", b"")}).status_code == 422
    assert owner.post(f"{page}/logo", files={"file": ("logo.png", png())}).status_code == 303
    assert f'src="{logo}"' in owner.get(page).text
    assert owner.get(logo).headers["content-type"] == "image/jpeg"
    assert owner.post(f"{page}/logo/remove").status_code == 303
    assert logo not in owner.get(page).text


def test_an_empty_list_shows_those_who_run_the_workspace_their_first_steps(
    live: LiveService, owner: Client, workspace: str
):
    email = new_address()
    joined_member(live, workspace, MemberRole.CASEWORKER, email)
    assert "First steps" in owner.get("/desk").text
    assert "First steps" not in browser_of(live, email).get("/desk").text
    assert "First steps" not in owner.get("/desk?q=nobody").text
    told(owner, "Ada", "A roof")
    assert "First steps" not in owner.get("/desk").text


def test_an_admin_asks_for_changes_and_approves_by_the_page(live: LiveService, owner: Client, workspace: str):
    owner.patch(f"/api/workspaces/{workspace}", json={"publishing": "approval"})
    ticket = told(owner, "Ada", "A roof")
    path, draft = f"/desk/tickets/{ticket}", {"goalAmount": 900, "beneficiary": "Ada"}
    assert owner.patch(f"/api/tickets/{ticket}/draft", json=draft).status_code == 200
    assert owner.post(f"{path}/approve", data={"version": ""}).status_code == 409
    for act, form in (("request-changes", {"note": "Make it shorter."}), ("approve", {"version": ""})):
        answer = owner.post(f"/api/tickets/{ticket}/request-publication", json={"consent": True})
        assert answer.status_code == 200, answer.text
        assert re.search("Wait for approval.*>1<", owner.get("/desk").text)
        assert path in owner.get("/desk?approval=requested").text
        assert owner.post(f"{path}/request-changes", data={"note": ""}).status_code == 422
        # Nobody approves what changed since it was shown.
        assert owner.post(f"{path}/approve", data={"version": "1"}).status_code == 412
        assert owner.post(f"{path}/{act}", data=form).status_code == 303
    assert "is approved" in owner.get(path).text
    assert path not in owner.get("/desk?approval=requested").text
    assert owner.post(f"/api/tickets/{ticket}/publish", json={"consent": True}).status_code == 200


def test_an_accountant_asks_for_a_refund_and_an_owner_approves_it_by_the_page(
    live: LiveService, owner: Client, workspace: str
):
    ticket = Ticket(owner, {"id": told(owner, "Ada", "A roof"), "accessToken": owner.cookies["session"]})
    path = f"/desk/gifts/{donate_in_sandbox(live, ticket, 50)}"
    assert f'href="{path}"' in owner.get("/desk/gifts").text
    email = new_address()
    joined_member(live, workspace, MemberRole.ACCOUNTANT, email)
    accountant = browser_of(live, email)
    assert accountant.post(f"{path}/refund", data={"reason": "Asked for."}).status_code == 403
    empty = accountant.post(f"{path}/requests", data={"reason": ""})
    assert (empty.status_code, 'id="error-summary"' in empty.text) == (422, True)
    answer = accountant.post(f"{path}/requests", data={"reason": "Asked for.", "amount": "20"})
    assert answer.status_code == 303, answer.text
    request = re.search(rf'action="({path}/requests/[^"]+)"', owner.get(path).text)
    assert request is not None
    assert owner.post(request[1], data={"do": "approve"}).status_code == 303
    wait_until_delivered(live)
    left = owner.get(f"{path}?amount=5")
    assert (left.status_code, "$25.00" in left.text) == (200, True)
    assert owner.post(f"{path}/refund", data={"reason": "The rest."}).status_code == 303
    wait_until_delivered(live)
    assert owner.get(f"/api/tickets/{ticket.id}/donations/total").json()["breakdown"]["refundedMinor"] == 5_000


def test_an_owner_creates_a_key_that_is_shown_once_and_revokes_it_by_the_page(live: LiveService, owner: Client):
    wrong = owner.post("/desk/keys", data={"expires": "2020-01-01"})
    assert (wrong.status_code, 'href="#scopes"' in wrong.text) == (422, True)
    created = owner.post("/desk/keys", data={"tickets:read": "yes", "expires": ""})
    key = re.search(r"slk_[\w-]+", created.text)
    assert (created.status_code, key is not None) == (200, True)
    assert key is not None
    assert key[0] not in owner.get("/desk/keys").text
    with live.client(key[0]) as program:
        assert program.get("/api/tickets").status_code == 200
        revoke = re.search(r'action="(/desk/keys/[^"]+/revoke)"', owner.get("/desk/keys").text)
        assert revoke is not None
        assert owner.post(revoke[1]).status_code == 303
        assert program.get("/api/tickets").status_code == 401


def test_an_accountant_sees_the_list_without_a_search_for_people(live: LiveService, owner: Client, workspace: str):
    told(owner, "Ada", "A roof")
    email = new_address()
    joined_member(live, workspace, MemberRole.ACCOUNTANT, email)
    accountant = browser_of(live, email)
    page = accountant.get("/desk")
    assert (page.status_code, 'name="q"' in page.text, 'name="label"' in page.text) == (200, False, False)
    assert accountant.get("/desk?q=Ada").status_code == 403
    assert 'name="q"' in owner.get("/desk").text
