"""The figures of a workspace: JSON, CSV, the table and the chart of the page say the same."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import Any

import httpx2
import pytest

from domain.values import Role
from tests.client import Client, LiveService
from tests.entrypoints.conftest import donate_in_sandbox
from tests.entrypoints.http.contract import pointers, problem

SCOPES = ("tickets:write", "payments:create", "donations:read", "exports:read")
AMOUNTS = ("paid", "refunded", "disputed", "net", "fees")
HTML = {"Accept": "text/html"}


@pytest.fixture
def accountant(live: LiveService, workspace: str) -> Client:
    return live.client_with_key(Role.CLIENT, *SCOPES, workspace=workspace)


@pytest.fixture
def gifts(live: LiveService, accountant: Client, admin: Client) -> list[str]:
    """Pay donations in two currencies to two campaigns, and refund a part of one; return the ids of the tickets."""
    roof, well = accountant.open_ticket(), accountant.open_ticket()
    roof.write_draft(title="A roof")
    first = donate_in_sandbox(live, roof, "12.50")
    donate_in_sandbox(live, roof, "10")
    donate_in_sandbox(live, well, 20)
    donate_in_sandbox(live, well, 1000, "JPY")
    refund = admin.post(f"/admin/donations/{first}/refund", json={"amount": "2.25", "reason": "asked for"})
    assert refund.status_code == 202
    live.applied()
    return [roof.id, well.id]


def lines(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def sums(lines: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Return the sums of the amounts of each currency in its minor unit."""
    added: dict[str, Counter[str]] = {}
    for line in lines:
        unit = 1 if line["currency"] == "JPY" else 100
        parts = {name: round(float(line[name]) * unit) for name in AMOUNTS} | {"gifts": int(line["gifts"])}
        added.setdefault(line["currency"], Counter()).update(parts)
    return added


def test_json_csv_campaigns_and_exports_add_up_to_the_same(accountant: Client, gifts: list[str]):
    report = accountant.get("/api/figures").json()
    totals = sums(report["totals"])
    assert {name: totals["USD"][name] for name in ("paid", "refunded", "net", "gifts")} == {
        "paid": 4250, "refunded": 225, "net": 4025, "gifts": 3,
    }  # fmt: skip
    assert (totals["JPY"]["paid"], totals["JPY"]["gifts"], len(report["periods"])) == (1000, 1, 24)
    for step in ("day", "week", "month", "quarter"):
        query = {"by": step, "timezone": "Pacific/Auckland"}
        assert sums(accountant.get("/api/figures", params=query).json()["periods"]) == totals
        assert sums(lines(accountant.get("/api/figures", params=query | {"format": "csv"}))) == totals
    campaigns = accountant.get("/api/figures/campaigns").json()["campaigns"]
    assert sums(campaigns) == totals
    assert [(line["currency"], line["ticketId"], line["campaign"]) for line in campaigns] == [
        ("JPY", gifts[1], None), ("USD", gifts[0], "A roof"), ("USD", gifts[1], None),
    ]  # fmt: skip
    assert sums(lines(accountant.get("/api/figures/campaigns", params={"format": "csv"}))) == totals
    exported = accountant.get("/api/exports/donations", params={"format": "json"}).json()
    for currency, total in totals.items():
        own = [line for line in exported if line["currency"] == currency]
        for name, of_export in (("paid", "gross"), ("refunded", "refund"), ("net", "net")):
            assert total[name] == sum(line[f"{of_export}Minor"] for line in own)
        assert total["fees"] == sum(
            line["feeMinor"] or 0 for line in exported if line["settlementCurrency"] == currency
        )
    [whole] = [line for line in report["totals"] if line["currency"] == "USD"]
    assert (whole["average"], whole["averageMinor"]) == (14.17, 1417)


def test_the_page_shows_a_chart_and_a_table_of_the_same_sums(accountant: Client, gifts: list[str]):
    page = accountant.get("/desk/figures", params={"by": "week"}, headers=HTML)
    assert page.status_code == 200
    report = accountant.get("/api/figures", params={"by": "week"}).json()
    for total in report["totals"]:
        section = page.text.partition(f'<h2 id="title-{total["currency"]}">')[2].partition("</section>")[0]
        chart = section.partition("<svg")[2].partition("</svg>")[0]
        for name in ("paid", "refunded", "disputed", "net"):
            drawn = [int(minor) for minor in re.findall(rf'data-{name}="(-?\d+)"', chart)]
            of_periods = [line[f"{name}Minor"] for line in report["periods"] if line["currency"] == total["currency"]]
            assert drawn == of_periods
            assert sum(drawn) == total[f"{name}Minor"]
        assert section.count('<tr><th scope="row">') >= len(of_periods) + 2
    assert "A roof" in page.text
    for link in re.findall(r'href="(/api/figures[^"]+)"', page.text):
        assert lines(accountant.get(link.replace("&amp;", "&")))


def test_campaigns_are_listed_page_by_page(accountant: Client, gifts: list[str]):
    listed: list[Any] = []
    address: str | None = "/api/figures/campaigns?limit=1"
    while address:
        page = accountant.get(address)
        listed += page.json()["campaigns"]
        address = page.links["next"]["url"] if page.json()["nextCursor"] else None
    assert listed == accountant.get("/api/figures/campaigns").json()["campaigns"]
    problem(accountant.get("/api/figures/campaigns", params={"cursor": "WyJ4Il0"}), 422, "invalid")


def test_a_workspace_sees_its_own_figures_and_the_auditor_no_titles(
    live: LiveService, accountant: Client, auditor: Client, admin: Client, workspace: str, gifts: list[str]
):
    other = live.client_with_key(Role.CLIENT, *SCOPES, workspace=f"{workspace}-other")
    empty = other.get("/api/figures").json()
    assert (empty["periods"], empty["totals"]) == ([], [])
    assert other.get("/api/figures/campaigns").json()["campaigns"] == []
    assert "No money moved" in other.get("/desk/figures", headers=HTML).text
    problem(other.get("/api/figures", params={"workspace": workspace}), 404, "not-found")
    own = accountant.get("/api/figures").json()
    for reader in (admin, auditor):
        assert reader.get("/api/figures", params={"workspace": workspace}).json() == own
    for address in ("/api/figures/campaigns", "/desk/figures"):
        masked = auditor.get(address, params={"workspace": workspace}).text
        assert "A roof" not in masked
        assert "[masked]" in masked


def test_figures_end_with_the_last_day_and_have_no_more_periods_than_allowed(accountant: Client):
    def of(**query: str) -> httpx2.Response:
        return accountant.get("/api/figures", params=query)

    assert of(**{"from": "2026-01-31", "to": "2026-01-31", "by": "quarter"}).status_code == 200
    assert of(**{"from": "2025-01-01", "to": "2026-02-04", "by": "day"}).status_code == 200
    for query, at in (
        ({"from": "2026-02-01", "to": "2026-01-31"}, "/to"), ({"from": "x"}, "/from"), ({"to": "2026-02-30"}, "/to"),
        ({"from": "1969-12-31"}, "/from"), ({"to": "9999-12-31"}, "/to"), ({"by": "year"}, "/by"),
        ({"timezone": "Mars/Base"}, "/timezone"), ({"timezone": "../etc/passwd"}, "/timezone"),
        ({"from": "2025-01-01", "to": "2026-02-05", "by": "day"}, "/by"),
        ({"from": "1970-01-01", "by": "quarter"}, None),
        ({"from": "1970-01-01", "to": "9000-12-31", "by": "quarter"}, "/by"), ({"format": "xml"}, "/format"),
    ):  # fmt: skip
        answer = of(**query)
        assert pointers(answer) == [at] if at else answer.status_code == 200
