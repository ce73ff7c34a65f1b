"""Donors ask to be forgotten with the link in their mails, or ask the staff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from domain.members import MemberRole
from domain.values import SYSTEM, Role
from tests.client import Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, give_with_words
from tests.fakes.mailbox import files, text_of
from tests.members import joined_member

LINK = re.compile(r"https?://\S+/forget/\S+")


def donor_of(ticket: Ticket, donation: str) -> str:
    [donor] = [each["donor"] for each in ticket.get("/donations").json()["donations"] if each["id"] == donation]
    return str(donor)


def link_of(live: LiveService, ticket: Ticket, donation: str) -> str:
    return urlsplit(live.service.mail.forget_links.link(UUID(ticket.id), UUID(donation))).path


@pytest.fixture
def kept_workspace(live: LiveService, workspace: str) -> Iterator[str]:
    """Return a workspace that must keep the names of donors for ten years."""
    commands = live.service.commands.workspaces
    commands.change_settings(SYSTEM, workspace, {"retention": {"donor_days": 3_650}})
    yield workspace
    commands.change_settings(SYSTEM, workspace, {"retention": {"donor_days": None}})


def test_a_mail_to_a_donor_has_the_link_with_which_the_donor_is_forgotten(
    live: LiveService, client: Client, ticket: Ticket
):
    url = ticket.publish()
    give_with_words(live, client, url, name="Grace", message="For your roof.")
    [donation] = [each["id"] for each in ticket.get("/donations").json()["donations"]]
    live.service.payments.donor_emails.run_all()
    live.service.mail.sender.run_all()
    [mail] = [text_of(mail) for mail in files(live.settings.outbox, "grace@example.com") if donation in text_of(mail)]
    [link] = LINK.findall(mail)
    path = urlsplit(link).path

    # A GET changes nothing, because mail filters open every link.
    page = client.get(path)
    assert (page.status_code, '<form method="post">' in page.text, "20 USD" in page.text) == (200, True, True)
    assert donor_of(ticket, donation) == "Hopper"
    assert "For your roof." in client.get(url).text

    for _ in range(2):
        answer = client.post(path)
        assert (answer.status_code, "You are forgotten" in answer.text) == (200, True)
    live.applied()
    assert donor_of(ticket, donation) == "Anonymous"
    assert "For your roof." not in client.get(url).text
    assert ticket.get("/donations/total").json()["breakdown"]["paidMinor"] == 2_000
    assert "You are forgotten" in client.get(path).text
    # The mail is no longer in the folder of a service that sends no mails.
    assert not [each for each in files(live.settings.outbox, "grace@example.com") if donation in text_of(each)]


@pytest.mark.parametrize("wrong", ["nothing", f"{'0' * 64}-{'f' * 32}"])
def test_a_link_that_is_not_ours_forgets_nobody(live: LiveService, client: Client, wrong: str):
    before = live.service.history.log.head()
    for request in (client.get, client.post):
        assert request(f"/forget/{wrong}").status_code == 404
    assert live.service.history.log.head() == before


def test_a_link_for_one_gift_opens_no_other(live: LiveService, client: Client, ticket: Ticket):
    ticket.publish()
    first, second = donate_in_sandbox(live, ticket), donate_in_sandbox(live, ticket)
    forged = link_of(live, ticket, first).replace(UUID(first).hex, UUID(second).hex)
    assert client.post(forged).status_code == 404
    assert donor_of(ticket, second) == "Hopper"


def test_the_staff_forgets_a_donor(live: LiveService, admin: Client, ticket: Ticket):
    ticket.publish()
    donation = donate_in_sandbox(live, ticket)
    path = f"/api/donations/{donation}/forget-donor"
    for _ in range(2):
        answer = admin.post(path, json={})
        assert answer.status_code == 200, answer.text
        expected = {"success": True, "donationId": donation, "forgotten": True, "nameKeptUntil": None}
        assert answer.json() == expected
    live.applied()
    assert donor_of(ticket, donation) == "Anonymous"
    [event] = [each for each in ticket.get("/history").json()["events"] if each["type"] == "DonorForgotten"]
    assert event["actor"].startswith("admin:")


def test_a_name_that_the_law_asks_for_stays_and_the_donor_hears_until_when(
    live: LiveService, client: Client, admin: Client, kept_workspace: str
):
    with live.client_with_key(Role.CLIENT, "tickets:write", workspace=kept_workspace) as program:
        ticket = program.open_ticket()
        ticket.publish()
        donation = donate_in_sandbox(live, ticket)
        page = client.post(link_of(live, ticket, donation))
        assert (page.status_code, "By law the organisation must keep" in page.text) == (200, True)
        answer = admin.post(f"/api/donations/{donation}/forget-donor", json={}).json()
        assert (answer["forgotten"], answer["nameKeptUntil"] > "2030") == (False, True)
        live.applied()
        assert donor_of(ticket, donation) == "Hopper"
        [given] = ticket.get("?include=attributions").json()["attributions"]
        assert given["donorEmailHash"] is None


def test_staff_with_money_rights_reads_the_donor_after_the_person_of_the_story_was_erased(
    live: LiveService, admin: Client, ticket: Ticket
):
    ticket.publish()
    donation = donate_in_sandbox(live, ticket, name="Grace Lovelace")
    assert ticket.http.delete(ticket.path).status_code == 202
    live.applied()
    [row] = admin.get(f"{ticket.path}/donations").json()["donations"]
    assert (row["id"], row["donor"]) == (donation, "Lovelace")
    exported = admin.get("/api/exports/donations", params={"ticket": ticket.id}).text
    assert "Lovelace" in exported
    receipt = admin.get(f"/api/donations/{donation}/receipt")
    assert (receipt.status_code, receipt.content[:5]) == (200, b"%PDF-")


def test_managers_forget_donors_and_accountants_read_receipts_of_their_own_workspace_alone(
    live: LiveService, workspace: str
):
    with live.client_with_key(Role.CLIENT, "tickets:write", "payments:create", workspace=workspace) as program:
        ticket = program.open_ticket()
        ticket.publish()
        donation = donate_in_sandbox(live, ticket)
    receipt, forget = f"/api/donations/{donation}/receipt", f"/api/donations/{donation}/forget-donor"
    with joined_member(live, f"{workspace}-x", MemberRole.OWNER) as stranger:
        assert [stranger.get(receipt).status_code, stranger.post(forget, json={}).status_code] == [404, 404]
    with joined_member(live, workspace, MemberRole.OWNER) as owner:
        with joined_member(live, workspace, MemberRole.ACCOUNTANT) as accountant:
            assert [accountant.get(receipt).status_code, accountant.post(forget, json={}).status_code] == [200, 403]
        assert owner.post(forget, json={}).json()["forgotten"]
