"""The exports for accounting are complete, safe to open, and accepted by accounting tools."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import to_builtins

from adapters.stripe_sandbox.simulation import scenario
from domain.values import Role
from entrypoints.composition.simulation_runner import SimulationRunner
from entrypoints.presentation.exports import COLUMNS, ExportedDonation, as_csv
from entrypoints.presentation.journal import as_journal
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.responses import rfc3339
from tests.client import WAIT_SECONDS, LiveService
from tests.money import Ledger
from tests.stripe_events import event


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def lines(ledger: Ledger) -> list[ExportedDonation]:
    personal = PersonalData(ledger.service.history.cipher)
    exported = ledger.service.queries.exported(None, None, None, None)
    return [ExportedDonation.from_rows(row, settlements, personal) for row, settlements in exported]


def journal(service) -> bytes:
    both = service.queries.journal(None, None, None), service.queries.settlements(None, None, None)
    return b"".join(as_journal(*both))


def test_an_exported_line_has_the_gift_its_refunds_its_fees_and_their_times(ledger):
    payment = ledger.payment()
    ledger.stripe = {"txn_1": payment.transaction("1", 10_000, 320, id="txn_1")}.__getitem__
    ledger.take(payment.completed(), payment.charged(balance_transaction="txn_1"), payment.refunded(3_000))
    [line] = lines(ledger)
    assert {name for name in to_builtins(line) if not name.endswith("Minor")} == set(COLUMNS)
    assert (line.gross_minor, line.net_minor, line.settled_minor) == (10_000, 7_000, 9_680)
    money = [line.gross, line.refund, line.dispute, line.net, line.fee, line.settled]
    assert [str(amount) for amount in money] == ["100.00", "30.00", "0.00", "70.00", "3.20", "96.80"]
    assert rfc3339(line.paid_at) == "2026-05-28T20:26:40Z" != rfc3339(line.recorded_at)
    assert (line.charge_id, line.balance_transaction_ids) == (payment.charge_id, "txn_1")


def test_no_exported_cell_is_read_as_a_formula(ledger):
    for name in ("=HYPERLINK(1)", "+1", "-1", "@x", "＝1"):
        payment = ledger.payment()
        payment.details = {"name": name}
        ledger.deliver(payment.completed())
    ledger.settle()
    rows = list(csv.DictReader(io.StringIO(b"".join(as_csv(lines(ledger))).decode())))
    assert sorted(row["donor"] for row in rows) == ["'+1", "'-1", "'=HYPERLINK(1)", "'@x", "'＝1"]


def test_the_export_over_http_is_streamed_in_both_formats(live: LiveService):
    assert live.service.payments.sandbox is not None
    ticket = live.client().open_ticket()
    live.service.payments.sandbox.pay(ticket.pay(12)["checkoutSessionId"])
    assert live.service.payments.sandbox.wait_delivered(WAIT_SECONDS)
    live.applied()
    admin = live.client_with_key(Role.ADMIN)
    rows = list(csv.DictReader(io.StringIO(admin.get("/api/exports/donations").text)))
    [line] = admin.get("/api/exports/donations", params={"format": "json"}).json()
    assert [row["gross"] for row in rows] == ["12.00"]
    assert line["gross"] == 12
    assert admin.get("/api/exports/donations", params={"format": "journal"}).status_code == 422


def posted(journal: bytes) -> dict[tuple[str, str], Decimal]:
    """Return the sum of each account and currency."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for text in journal.decode().splitlines():
        if text.startswith("    "):
            account, amount, currency = text.split()
            sums[account, currency] += Decimal(amount)
    return sums


def check_strictly(journal: bytes, path: Path) -> str | None:
    """Let hledger check the journal; return the path of hledger, or None if it is not installed."""
    hledger = shutil.which("hledger")
    if hledger is not None:
        path.write_bytes(journal)
        command = [hledger, "-f", path, "check", "--strict"]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert (checked.returncode, checked.stderr) == (0, "")
    return hledger


def test_the_journal_holds_every_movement_and_sums_to_zero(service):
    runner = play(service, 11)
    sums = posted(journal(service))
    currencies = {currency for _, currency in sums}
    for currency in currencies:
        assert sum(amount for (_, c), amount in sums.items() if c == currency) == 0
    for total in runner.totals():
        gifts = [a for (account, c), a in sums.items() if account.startswith("income") and c == total["currency"]]
        digits = {"JPY": 0, "KWD": 3}.get(total["currency"], 2)
        assert -sum(gifts) == Decimal(total["netMinor"]).scaleb(-digits)


def test_hledger_accepts_the_journal_strictly(service, tmp_path: Path):
    runner = play(service, 12)
    path = tmp_path / "gifts.journal"
    if (hledger := check_strictly(journal(service), path)) is None:
        pytest.skip("hledger is not installed: apt-get install hledger")
    command = [hledger, "-f", path, "balance", "income", "-O", "json", "--invert"]
    balances = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS).stdout)
    sums = {
        a["acommodity"]: Decimal(a["aquantity"]["decimalMantissa"]).scaleb(-a["aquantity"]["decimalPlaces"])
        for a in balances[1]
    }
    for total in runner.totals():
        digits = {"JPY": 0, "KWD": 3}.get(total["currency"], 2)
        assert sums[total["currency"]] == Decimal(total["netMinor"]).scaleb(-digits)


def test_clearing_is_closed_when_a_gift_was_settled_in_another_currency(ledger, tmp_path: Path):
    payment = ledger.payment(amount=10_000)
    euros = {"currency": "eur"}
    refund = payment.refund(3_000, balance_transaction="txn_re")
    ledger.stripe = {
        "txn_ch": payment.transaction("", 9_200, 320, id="txn_ch", exchange_rate=0.92, **euros),
        "txn_re": payment.transaction("", -2_790, id="txn_re", source=refund["id"], exchange_rate=0.93, **euros)
        | {"type": "refund", "reporting_category": "refund"},
    }.__getitem__
    dispute = payment.dispute("won", amount=7_000)
    dispute["balance_transactions"] = [
        payment.moved("1", -6_650, fee=1_500, exchange_rate=0.95, **euros),
        payment.moved("2", 6_300, exchange_rate=0.9, **euros),
    ]
    events = [
        payment.completed(),
        payment.charged(balance_transaction="txn_ch"),
        event("refund.created", refund),
        event("charge.dispute.funds_reinstated", dispute),
    ]
    ledger.take(*reversed(events))
    assert ledger.totals(payment.ticket_id) == {"USD": (10_000, 3_000, 7_000)}
    assert sum(fee["exchange"] for fee in ledger.fees(payment)) == -350
    sums = posted(journal(ledger.service))
    assert [sums["assets:stripe:clearing", currency] for currency in ("USD", "EUR")] == [0, 0]
    assert sums["income:donations", "USD"] == -100
    assert sums["assets:stripe:balance", "EUR"] == Decimal("42.40")
    # What is left of the gift is exchanged at the rates of its charge and its refund.
    assert (sums["equity:conversion", "USD"], sums["equity:conversion", "EUR"]) == (70, Decimal("-64.10"))
    assert sums["expenses:stripe:exchange", "EUR"] == Decimal("3.50")
    check_strictly(journal(ledger.service), tmp_path / "exchanged.journal")


def test_settlements_in_several_currencies_are_not_summed(ledger):
    payment = ledger.payment()
    both = [payment.transaction("1", 10_000, 320), payment.transaction("2", -900, 0, currency="eur")]
    ledger.take(payment.completed())
    for transaction in both:
        ledger.take(event("charge.updated", payment.charge(balance_transaction=transaction)))
    [line] = lines(ledger)
    assert (line.fee, line.settled, line.settlement_currency) == (None, None, "EUR USD")


def play(service, seed: int) -> SimulationRunner:
    runner = SimulationRunner(service, scenario.build(seed, 30, "accounting"))
    runner.open()
    for stripe_event in runner.scenario.events:
        runner.deliver(stripe_event)
    runner.settle()
    return runner
