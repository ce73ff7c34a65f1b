"""Donations over HTTP have checkouts with limits, a ledger, totals, a history and exports."""

from __future__ import annotations

import base64
import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from domain.values import Role
from entrypoints.presentation.exports import ExportedDonation, as_csv
from tests.client import RECORDING, Client, LiveService, Ticket
from tests.entrypoints.conftest import donate_in_sandbox, wait_until_delivered
from tests.entrypoints.http.contract import pointers, problem


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


# Checkouts.


def test_a_payment_opens_a_checkout_and_returns_the_pages_qr_code(ticket: Ticket):
    answer = ticket.post("/create-payment", {"amount": "50.00", "currency": "usd", "description": "For Ada"})
    assert answer.status_code == 201
    opened = answer.json()
    assert set(opened) == {"checkoutSessionId", "checkoutUrl", "qrCodeData", "targetUrl", "donationId", "expiresAt"}
    qr = ticket.get("/qr-code").json()
    assert (opened["targetUrl"], opened["qrCodeData"]) == (qr["targetUrl"], qr["qrCodeData"])
    assert base64.b64decode(opened["qrCodeData"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    [donation] = ticket.get("/donations").json()["donations"]
    assert (donation["id"], donation["status"], donation["sessionId"]) == (
        opened["donationId"], "CREATED", opened["checkoutSessionId"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (1, "USD", 100), ("1.00", "EUR", 100), (5000, "USD", 500_000), ("5000.00", "EUR", 500_000), (100, "JPY", 100),
        (500_000, "JPY", 500_000), ("100.0", "JPY", 100), ("1.000", "KWD", 1000), ("12.340", "KWD", 12_340),
        ("1000", "UGX", 100_000), ("250.00", "ISK", 25_000),
        (12.5, "GBP", 1250),
    ],
)  # fmt: skip
def test_amounts_within_the_limits_are_accepted(ticket: Ticket, amount: Any, currency: str, minor: int):
    ticket.pay(amount, currency)
    [donation] = ticket.get("/donations").json()["donations"]
    assert (donation["amountMinor"], donation["currency"]) == (minor, currency)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"amount": "0.99"}, "/amount"), ({"amount": "5000.01"}, "/amount"), ({"amount": 0}, "/amount"),
        ({"amount": -5}, "/amount"),
        ({"amount": "1.001"}, "/amount"), ({"amount": 99, "currency": "JPY"}, "/amount"),
        ({"amount": 500_001, "currency": "JPY"}, "/amount"), ({"amount": "100.5", "currency": "JPY"}, "/amount"),
        ({"amount": "1.0001", "currency": "KWD"}, "/amount"),
        ({"amount": "1.005", "currency": "KWD"}, "/amount"), ({"amount": "150.5", "currency": "ISK"}, "/amount"),
        ({"amount": "abc"}, "/amount"),
        ({"amount": ""}, "/amount"), ({"amount": ".-5"}, "/amount"),
        ({"amount": "1e2"}, "/amount"), ({"amount": "NaN"}, "/amount"), ({"amount": "Infinity"}, "/amount"),
        ({"amount": "١٠"}, "/amount"),
        ({"amount": "1_000"}, "/amount"), ({"amount": " 10"}, "/amount"), ({"amount": "+10"}, "/amount"),
        ({"amount": True}, "/amount"),
        ({"amount": None}, "/amount"), ({"amount": [10]}, "/amount"), ({"amount": 10**400}, "/amount"),
        ({"amount": "9" * 5000}, "/amount"),
        ({"currency": "XXX"}, "/currency"), ({"currency": "US"}, "/currency"), ({"currency": None}, "/currency"),
        ({"currency": "ＵＳＤ"}, "/currency"), ({"currency": "ſek"}, "/currency"),
        ({"description": "x" * 201}, "/description"),
        ({"description": "a\0"}, "/description"), ({"amountMinor": 500}, "/amountMinor"),
    ],
)  # fmt: skip
def test_other_amounts_are_refused_before_anything_is_recorded(
    live: LiveService, ticket: Ticket, body: dict[str, Any], at: str
):
    events = live.row_count("events")
    assert pointers(ticket.post("/create-payment", {"amount": 10, "currency": "USD"} | body)) == [at]
    assert live.row_count("events") == events


@pytest.mark.parametrize("number", ["1e2", "1E+2", "1.0e1", "1e-2000000", "1e2000000", "-0", "0.1e3"])
def test_an_amount_may_be_written_in_every_form_of_json_numbers(ticket: Ticket, number: str):
    answer = ticket.http.post(
        f"{ticket.path}/create-payment",
        content=f'{{"amount": {number}, "currency": "USD"}}',
        headers={"Content-Type": "application/json"},
    )
    fits = abs(Decimal(number).adjusted()) < 5 and 1 <= Decimal(number) <= 5000
    assert answer.status_code == (201 if fits else 422)


# The ledger.


def test_the_ledger_is_newest_payment_first_and_unpaid_last(live: LiveService, ticket: Ticket):
    unpaid = ticket.pay(5)["donationId"]
    first, second = donate_in_sandbox(live, ticket, 10), donate_in_sandbox(live, ticket, "20.50", name="Plato")
    answer = ticket.get("/donations").json()
    assert (answer["success"], answer["ticketId"], answer["count"]) == (True, ticket.id, 3)
    assert {gift["id"] for gift in answer["donations"][:2]} == {first, second}
    assert answer["donations"][2]["id"] == unpaid
    listed: list[str] = []
    address: Any = f"{ticket.path}/donations?limit=1"
    while address:
        page = ticket.http.get(address)
        listed += [gift["id"] for gift in page.json()["donations"]]
        ticket.pay(7) if len(listed) == 1 else None
        assert page.json()["count"] >= 3
        address = page.links["next"]["url"] if page.json()["nextCursor"] and len(listed) < 10 else None
    assert listed[:2] == [gift["id"] for gift in answer["donations"][:2]]
    assert len(listed) == len(set(listed))
    gift = next(gift for gift in answer["donations"] if gift["id"] == second)
    assert (gift["amountMinor"], gift["donor"], gift["country"], gift["netMinor"]) == (2050, "Plato", "US", 2050)
    assert (gift["status"], gift["refundedAt"], gift["disputeStatus"], gift["pending"]) == ("PAID", None, None, False)


def test_totals_are_exact_and_explain_lists_their_entries(live: LiveService, ticket: Ticket):
    empty = ticket.get("/donations/total").json()
    assert (empty["total"], empty["currency"], empty["lastDonation"], empty["byCurrency"]) == (0, "USD", None, [])
    before = now()
    checkout = ticket.pay("50.00")
    with live.client() as donor:
        donor.post(
            checkout["checkoutUrl"], data={"outcome": "paid", "email": "g@example.com", "name": "", "country": "US"}
        )
    wait_until_delivered(live)
    donate_in_sandbox(live, ticket, 1000, "JPY")
    assert live.service.payments.sandbox is not None
    between = now()
    live.service.payments.sandbox.refund(checkout["checkoutSessionId"], 2000)
    wait_until_delivered(live)
    answer = ticket.get("/donations/total", params={"explain": "true"})
    totals = answer.json()
    assert '"total":30.00,' in answer.text
    assert (totals["total"], totals["currency"], totals["totalMinor"]) == (30.0, "USD", 3000)
    assert {name: totals["breakdown"][name] for name in ("paid", "refunded", "disputed", "net")} == {
        "paid": 50, "refunded": 20, "disputed": 0, "net": 30,
    }  # fmt: skip
    assert (totals["counts"]["paid"], totals["counts"]["total"]) == (2, 2)
    assert [(total["currency"], total["netMinor"]) for total in totals["byCurrency"]] == [("USD", 3000), ("JPY", 1000)]
    assert sum(entry["amountMinor"] for entry in totals["entries"]) == 3000
    history = ticket.get("/history", params={"limit": "100"}).json()["events"]
    assert {entry["position"] for entry in totals["entries"]} <= {event["position"] for event in history}
    assert "entries" not in ticket.get("/donations/total").json()
    for name in ("known_at",):
        assert ticket.get("/donations/total", params={name: before}).json()["total"] == 0
        assert ticket.get("/donations/total", params={name: between}).json()["total"] == 50
        assert ticket.get("/donations", params={name: before}).json()["count"] == 0
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert ticket.get("/donations/total", params={"as_of": later}).json()["totalMinor"] == 3000
    assert ticket.get("/donations/total", params={"as_of": "2020-01-01T00:00:00Z"}).json()["totalMinor"] == 0


@pytest.mark.parametrize("name", ["as_of", "known_at"])
@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "\0", "1e9"]
)
def test_an_invalid_time_is_refused(ticket: Ticket, name: str, text: str):
    for path in ("/donations/total", "/donations"):
        assert pointers(ticket.get(path, params={name: text})) == [f"/{name}"]


def test_explain_must_be_true_or_false(ticket: Ticket):
    assert pointers(ticket.get("/donations/total", params={"explain": "perhaps"})) == ["/explain"]


def test_the_totals_of_a_published_ticket_are_public(client: Client, ticket: Ticket):
    ticket.publish()
    assert client.get(f"{ticket.path}/donations/total").json()["success"] is True
    problem(client.get(f"{ticket.path}/donations"), 401, "unauthenticated")
    ticket.post("/unpublish")
    problem(client.get(f"{ticket.path}/donations/total"), 401, "unauthenticated")


# History.


def test_the_history_is_complete_and_in_order_for_every_page_size(live: LiveService, ticket: Ticket):
    ticket.write_draft()
    donate_in_sandbox(live, ticket)
    all_events = ticket.get("/history", params={"limit": "100"}).json()["events"]
    positions = [event["position"] for event in all_events]
    assert positions == sorted(set(positions))
    assert [event["type"] for event in all_events[:2]] == ["TicketOpened", "DraftEdited"]
    assert "PaymentReceived" in {event["type"] for event in all_events}
    assert all_events[0]["data"]["displayName"] == "Ada Lovelace"
    listed: list[Any] = []
    address: Any = f"{ticket.path}/history?limit=2"
    while address:
        page = ticket.http.get(address)
        listed += page.json()["events"]
        address = page.links["next"]["url"] if page.json()["nextCursor"] else None
    assert listed == all_events
    text = json.dumps(all_events)
    assert "token_digest" not in text
    assert "tokenDigest" not in text


def test_a_ticket_is_shown_as_of_an_earlier_position(live: LiveService, ticket: Ticket):
    [opened] = ticket.get("/history").json()["events"]
    ticket.patch("", {"displayName": "Grace"})
    moment = now()
    ticket.write_draft()
    donate_in_sandbox(live, ticket)
    first = ticket.get("/history", params={"at": str(opened["position"])}).json()
    assert (first["ticket"]["displayName"], first["donations"], first["totals"]["total"]) == ("Ada Lovelace", [], 0)
    earlier = ticket.get("/history", params={"at": moment}).json()
    assert (earlier["ticket"]["displayName"], earlier["ticket"]["donationDraft"]) == ("Grace", None)
    last = ticket.get("/history", params={"at": "9" * 18}).json()
    assert (last["ticket"]["status"], last["totals"]["total"], len(last["donations"])) == ("PAYMENT_RECEIVED", 50, 1)
    problem(ticket.get("/history", params={"at": "0"}), 404, "not-found")
    for text in ("", "x", "-1", "9" * 40, "1.5"):
        assert pointers(ticket.get("/history", params={"at": text})) == ["/at"]


# Exports.


@pytest.fixture
def accounting(live: LiveService, workspace: str) -> Client:
    return live.client_with_key(
        Role.CLIENT, "tickets:write", "payments:create", "donations:read", "exports:read", workspace=workspace
    )


def test_an_export_has_the_workspaces_donations_in_both_formats(live: LiveService, accounting: Client):
    first_ticket, second_ticket = accounting.open_ticket(), accounting.open_ticket()
    donate_in_sandbox(live, first_ticket, "12.50")
    donate_in_sandbox(live, second_ticket, 1000, "JPY", name='=HYPERLINK("http://evil.example")')
    answer = accounting.get("/api/exports/donations")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["ticketId"], row["gross"], row["currency"], row["donor"][:2]) for row in rows] == [
        (first_ticket.id, "12.50", "USD", "Ho"), (second_ticket.id, "1000", "JPY", "'="),
    ]  # fmt: skip
    lines = accounting.get("/api/exports/donations", params={"format": "json"}).json()
    assert [(line["gross"], line["net"]) for line in lines] == [(12.5, 12.5), (1000, 1000)]
    amounts = ("gross", "refund", "dispute", "net", "fee", "settled")
    for line, unit in zip(lines, (100, 1), strict=True):
        assert all(line[f"{name}Minor"] == (line[name] and round(line[name] * unit)) for name in amounts)
    [only] = accounting.get("/api/exports/donations", params={"format": "json", "ticket": first_ticket.id}).json()
    assert only["ticketId"] == first_ticket.id
    # Midnight may have passed between the two requests.
    first, last = (pick(line["createdAt"] for line in lines) for pick in (min, max))
    for query, count in (
        ({"from": first[:10], "to": last[:10]}, 2),
        ({"from": str(date.fromisoformat(last[:10]) + timedelta(days=1))}, 0),
        ({"to": str(date.fromisoformat(first[:10]) - timedelta(days=1))}, 0),
        ({"from": "2026-01-01T00:00:00+02:00"}, 2),
    ):
        assert len(accounting.get("/api/exports/donations", params={"format": "json"} | query).json()) == count


def test_movements_and_the_journal_are_exported_for_one_workspace(
    live: LiveService, accounting: Client, admin: Client, workspace: str
):
    ticket = accounting.open_ticket()
    ticket.write_draft(title="=A roof")
    donate_in_sandbox(live, ticket, "12.50")
    ticket.pay(7)

    def export(caller: Client, **query: str) -> httpx2.Response:
        return caller.get("/api/exports/donations", params=query)

    for query in ({"format": "movements"}, {"format": "journal"}, {"format": "csv", "by": "created", "unpaid": "true"}):
        own = export(accounting, **query)
        assert own.status_code == 200
        assert own.text == export(accounting, **query, workspace=workspace).text
        assert own.text == export(admin, **query, workspace=workspace).text
    [movement] = csv.DictReader(io.StringIO(export(accounting, format="movements").text))
    names = ("movement", "amount", "currency", "campaign", "donor", "ticketId", "workspace")
    assert [movement[name] for name in names] == [
        "paid", "12.50", "USD", "'=A roof", "Hopper", ticket.id, workspace,
    ]  # fmt: skip
    assert [line["status"] for line in export(accounting, format="json", unpaid="true").json()] == ["PAID", "CREATED"]
    problem(export(accounting, workspace="public"), 404, "not-found")
    for unknown in ("nobody", "", "\0"):
        problem(export(admin, workspace=unknown), 404, "not-found")


@pytest.mark.parametrize(
    ("query", "at"),
    [({"format": "xml"}, "/format"), ({"ticket": "x"}, "/ticket"), ({"from": "x"}, "/from"),
     ({"to": "2026-02-30"}, "/to"), ({"from": "\0"}, "/from"), ({"to": "9999-12-31"}, None),
     ({"from": "0001-01-01"}, None), ({"by": "x"}, "/by"), ({"format": "journal", "by": "paid"}, "/by"),
     ({"format": "journal", "unpaid": "true"}, "/unpaid"), ({"unpaid": "x"}, "/unpaid"),
     ({"from": "2026-12-01", "to": "2026-11-30"}, "/to")],
)  # fmt: skip
def test_invalid_export_parameters_are_refused(accounting: Client, query: dict[str, str], at: str | None):
    answer = accounting.get("/api/exports/donations", params=query)
    if at is None:
        assert answer.status_code in (200, 422)
    else:
        assert pointers(answer) == [at]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_of_an_export_is_a_spreadsheet_formula(sign: str):
    line = ExportedDonation(**dict.fromkeys(ExportedDonation.__struct_fields__, "x") | {"donor": f"{sign}1+1"})
    cells = list(csv.DictReader(io.StringIO(b"".join(as_csv([line])).decode(), newline="")))
    assert cells[0]["donor"].startswith("'")


# The auditor.

CANARIES = ("Canaryname", "Canarystory", "Canarytitle", "Canaryplace", "Canaryben", "Canaryline", "canary@example.com",
            "Canarydonor", "Canaryfile", "five thousand")  # fmt: skip


def test_an_auditor_sees_no_personal_data(live: LiveService, client: Client, auditor: Client, work: Any):
    ticket = client.open_ticket(contactValue="canary@example.com", displayName="Canaryname")
    ticket.upload(RECORDING.read_bytes(), name="Canaryfile.webm")
    ticket.post("/process")
    work.do(ticket)
    ticket.write_draft(
        title="Canarytitle",
        story="Canarystory",
        beneficiary="Canaryben",
        location="Canaryplace",
        breakdown=["Canaryline"],
    )
    donate_in_sandbox(live, ticket, name="Canarydonor")
    ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT"})
    everything = {"include": "draft,documents,attributions,qr,transcriptions,support"}
    requests = [
        (ticket.path, everything), (f"{ticket.path}/status", {}), (f"{ticket.path}/documents", {}),
        (f"{ticket.path}/qr-code", {}), (f"{ticket.path}/donations", {}),
        (f"{ticket.path}/donations", {"known_at": now()}),
        (f"{ticket.path}/donations/total", {"explain": "true"}), (f"{ticket.path}/history", {"limit": "100"}),
        (f"{ticket.path}/history", {"at": "9" * 18}), ("/api/tickets/search", {"contact": "canary@example.com"}),
        ("/api/profiles/search", {"contact": "canary@example.com"}),
        ("/api/exports/donations", {"ticket": ticket.id}),
        ("/api/exports/donations", {"ticket": ticket.id, "format": "json"}),
        ("/api/exports/donations", {"ticket": ticket.id, "format": "movements"}),
    ]  # fmt: skip
    texts = ""
    for path, query in requests:
        holders = ticket.http.get(path, params=query) if not path.startswith("/api/exports") else None
        answer = auditor.get(path, params=query)
        assert answer.status_code == 200, path
        assert holders is None or holders.status_code == 200
        texts += holders.text if holders else ""
        for canary in CANARIES:
            assert canary not in answer.text, (path, canary)
    for canary in CANARIES:
        assert canary in texts, f"{canary} proves nothing"
    ticket_for_auditor = auditor.get(ticket.path).json()
    assert (ticket_for_auditor["contactValue"], ticket_for_auditor["displayName"]) == ("c***@example.com", "[masked]")
