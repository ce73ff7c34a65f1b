"""Staff and programs find donations over all tickets of their workspace."""

from __future__ import annotations

from typing import Any

import pytest

from domain.members import MemberRole
from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem
from tests.members import joined_member

SCOPES = ("tickets:write", "payments:create", "donations:read")


@pytest.fixture
def accountant(live: LiveService, workspace: str) -> Client:
    return live.client_with_key(Role.CLIENT, *SCOPES, workspace=workspace)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [donation["id"] for donation in answer.json()["donations"]]


def test_donations_over_all_tickets_are_found_by_what_is_known_of_them(live: LiveService, accountant: Client):
    roof, well = accountant.open_ticket(), accountant.open_ticket()
    roof.write_draft(title="A roof")
    unpaid = well.pay(5)["donationId"]
    first = donate_in_sandbox(live, roof, "12.50", name="Zoë Müller")
    second = donate_in_sandbox(live, well, 1000, "JPY")
    live.service.payments.donor_names.run_all()

    def found(**query: str) -> set[str]:
        return set(ids(accountant.get("/api/donations", params=query)))

    everything = {unpaid, first, second}
    assert found() == everything
    assert found(ticket=roof.id) == {first}
    assert found(status="CREATED") == {unpaid}
    assert found(status="PAID", ticket=well.id) == {second}
    assert found(amount="12.5") == found(amount="12.50", currency="USD") == {first}
    assert found(amount="12.50", currency="EUR") == found(amount="12500", currency="JPY") == set()
    assert found(amount="1000") == found(currency="JPY") == {second}
    assert found(donor="MULLER") == {first}
    assert found(donor=" Grace@Example.com ") == {first, second}
    assert found(donor="nobody@example.com") == found(donor="muller hopper") == set()
    assert found(**{"from": "2020-01-01"}) == everything
    assert found(to="2020-01-01") == set()
    [shown] = accountant.get("/api/donations", params={"donor": "muller"}).json()["donations"]
    assert (shown["amount"], shown["amountMinor"], shown["currency"]) == (12.5, 1250, "USD")
    assert (shown["donor"], shown["campaign"], shown["ticketId"]) == ("Müller", "A roof", roof.id)


def test_pages_follow_each_other_and_keep_the_search(live: LiveService, accountant: Client):
    ticket = accountant.open_ticket()
    for amount in (5, 6, 7):
        ticket.pay(amount)
    listed: list[str] = []
    address: str | None = "/api/donations?limit=1&status=CREATED"
    while address:
        page = accountant.get(address)
        listed += ids(page)
        address = page.links["next"]["url"] if page.json()["nextCursor"] else None
    assert listed == ids(accountant.get("/api/donations"))
    assert len(set(listed)) == 3


def test_a_workspace_is_seen_by_its_own_keys_and_by_the_installation(
    live: LiveService, accountant: Client, admin: Client, auditor: Client, workspace: str
):
    ticket = accountant.open_ticket()
    ticket.write_draft(title="Canarytitle")
    donation = donate_in_sandbox(live, ticket, "12.50", name="Canarydonor")
    other = live.client_with_key(Role.CLIENT, *SCOPES, workspace=f"{workspace}-other")
    assert ids(other.get("/api/donations", params={"ticket": ticket.id})) == []
    problem(other.get("/api/donations", params={"workspace": workspace}), 404, "not-found")
    problem(admin.get("/api/donations", params={"workspace": "nobody"}), 404, "not-found")
    for reader in (accountant, admin, auditor):
        assert ids(reader.get("/api/donations", params={"ticket": ticket.id})) == [donation]
        assert ids(reader.get("/api/donations", params={"workspace": workspace})) == [donation]
    assert donation in ids(admin.get("/api/donations", params={"limit": "100"}))
    masked = auditor.get("/api/donations", params={"workspace": workspace}).text
    assert "Canary" not in masked
    assert "[masked]" in masked


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ({"status": "paid"}, "/status"), ({"currency": "usd"}, "/currency"), ({"ticket": "x"}, "/ticket"),
        ({"from": "yesterday"}, "/from"), ({"amount": "x"}, "/amount"), ({"amount": "1.0001"}, "/amount"),
        ({"amount": "1.5", "currency": "JPY"}, "/amount"), ({"amount": "١"}, "/amount"), ({"amount": "NaN"}, "/amount"),
        ({"amount": "1e999999999"}, "/amount"), ({"donor": ""}, "/donor"), ({"donor": "—"}, "/donor"),
        ({"donor": "a b c d e f g h i"}, "/donor"), ({"cursor": "x"}, "/cursor"), ({"unknown": "x"}, "/unknown"),
    ],
)  # fmt: skip
def test_invalid_parameters_are_refused(accountant: Client, query: dict[str, str], at: str):
    assert pointers(accountant.get("/api/donations", params=query)) == [at]


def test_staff_find_gifts_on_a_page_of_the_desk(live: LiveService, workspace: str):
    owner = joined_member(live, workspace, MemberRole.OWNER)
    accountant, auditor = (joined_member(live, workspace, role) for role in (MemberRole.ACCOUNTANT, MemberRole.AUDITOR))
    roof, well = owner.open_ticket(), owner.open_ticket()
    roof.write_draft(title="A roof")
    donate_in_sandbox(live, roof, "12.50", name="Zoë Müller")
    donate_in_sandbox(live, well, 1000, "JPY")
    for number in range(20):
        well.pay(5 + number)

    def page(reader: Client = accountant, **query: str) -> str:
        return reader.get("/desk/gifts", params=query, headers={"Accept": "text/html"}).text

    everything = page(status="", donor=" ")
    assert everything.count("<tr>") == 1 + 20
    following = accountant.get(everything.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&"))
    assert following.text.count("<tr>") == 1 + 2
    result = page(amount="12.50")
    assert ("Müller" in result, "A roof" in result, roof.id in result, well.id in result) == (True, True, True, False)
    assert "Müller" in page(amount="12,50", currency="USD")
    assert well.id in page(currency="JPY")
    assert "No gift matches" in page(amount="12.50", currency="EUR")
    assert "Müller" not in page(auditor)
    wrong = accountant.get("/desk/gifts", params={"amount": "12,"}, headers={"Accept": "text/html"})
    assert (wrong.status_code, 'href="#amount"' in wrong.text) == (422, True)
