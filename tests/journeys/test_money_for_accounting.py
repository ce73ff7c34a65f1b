"""The exports for accounting are complete, safe to open, and accepted by accounting tools."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.stripe_sandbox.simulation import scenario
from domain.values import Role
from entrypoints.composition.exports import Format
from entrypoints.composition.simulation_runner import SimulationRunner
from projections import exports
from tests.client import WAIT_SECONDS, LiveService
from tests.money import Ledger, exported
from tests.stripe_events import Payment, event


@pytest.fixture
def ledger(service) -> Ledger:
    return Ledger(service)


def rows(ledger: Ledger, format: Format = "csv", **options: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported(ledger.service, format, **options))))


def test_an_exported_line_has_the_gift_its_refunds_its_fees_and_their_times(ledger):
    payment = ledger.payment()
    ledger.stripe = {"txn_1": payment.transaction("1", 10_000, 320, id="txn_1")}.__getitem__
    ledger.take(payment.completed(), payment.charged(balance_transaction="txn_1"), payment.refunded(3_000))
    [line] = json.loads(exported(ledger.service, "json"))
    [row] = rows(ledger)
    assert {name for name in line if not name.endswith("Minor")} == set(row)
    assert (line["grossMinor"], line["netMinor"], line["settledMinor"]) == (10_000, 7_000, 9_680)
    money = [row[name] for name in ("gross", "refund", "dispute", "net", "fee", "settled")]
    assert money == ["100.00", "30.00", "0.00", "70.00", "3.20", "96.80"]
    assert row["paidAt"] == "2026-05-28T20:26:40Z" != row["recordedAt"]
    assert (row["chargeId"], row["balanceTransactionIds"]) == (payment.charge_id, "txn_1")


def test_no_exported_cell_is_read_as_a_formula(ledger):
    for name in ("=HYPERLINK(1)", "+1", "-1", "@x", "＝1"):
        payment = ledger.payment()
        payment.details = {"name": name}
        ledger.deliver(payment.completed())
    ledger.settle()
    for format in ("csv", "movements"):
        donors = sorted(row["donor"] for row in rows(ledger, format))
        assert donors == ["'+1", "'-1", "'=HYPERLINK(1)", "'@x", "'＝1"]


def test_the_export_over_http_is_streamed_in_every_format(live: LiveService):
    assert live.service.payments.sandbox is not None
    ticket = live.client().open_ticket()
    live.service.payments.sandbox.pay(ticket.pay(12)["checkoutSessionId"])
    assert live.service.payments.sandbox.wait_delivered(WAIT_SECONDS)
    live.applied()
    admin = live.client_with_key(Role.ADMIN)

    def answer(format: str) -> httpx2.Response:
        return admin.get("/api/exports/donations", params={"format": format})

    assert [row["gross"] for row in csv.DictReader(io.StringIO(answer("csv").text))] == ["12.00"]
    assert [line["gross"] for line in answer("json").json()] == [12]
    assert [row["amount"] for row in csv.DictReader(io.StringIO(answer("movements").text))] == ["12.00"]
    journal = answer("journal")
    assert (journal.headers["content-type"], "12.00 USD" in journal.text) == ("text/plain; charset=utf-8", True)


def posted(journal: str) -> dict[tuple[str, str], Decimal]:
    """Return the sum of each account and currency."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for text in journal.splitlines():
        if text.startswith("    "):
            account, amount, currency = text.split()
            sums[account, currency] += Decimal(amount)
    return sums


def check_strictly(journal: str, path: Path) -> str | None:
    """Let hledger check the journal; return the path of hledger, or None if it is not installed."""
    hledger = shutil.which("hledger")
    if hledger is not None:
        path.write_text(journal)
        command = [hledger, "-f", path, "check", "--strict", "ordereddates"]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
        assert (checked.returncode, checked.stderr) == (0, "")
    return hledger


def test_the_journal_holds_every_movement_and_sums_to_zero(service):
    runner = play(service, 11)
    sums = posted(exported(service, "journal"))
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
    if (hledger := check_strictly(exported(service, "journal"), path)) is None:
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
    sums = posted(exported(ledger.service, "journal"))
    assert [sums["assets:stripe:clearing", currency] for currency in ("USD", "EUR")] == [0, 0]
    assert sums["income:donations", "USD"] == -100
    assert sums["assets:stripe:balance", "EUR"] == Decimal("42.40")
    # What is left of the gift is exchanged at the rates of its charge and its refund.
    assert (sums["equity:conversion", "USD"], sums["equity:conversion", "EUR"]) == (70, Decimal("-64.10"))
    assert sums["expenses:stripe:exchange", "EUR"] == Decimal("3.50")
    check_strictly(exported(ledger.service, "journal"), tmp_path / "exchanged.journal")


def test_settlements_in_several_currencies_are_not_summed(ledger):
    payment = ledger.payment()
    both = [payment.transaction("1", 10_000, 320), payment.transaction("2", -900, 0, currency="eur")]
    ledger.take(payment.completed())
    for transaction in both:
        ledger.take(event("charge.updated", payment.charge(balance_transaction=transaction)))
    [row] = rows(ledger)
    assert (row["fee"], row["settled"], row["settlementCurrency"]) == ("", "", "EUR USD")


def play(service, seed: int) -> SimulationRunner:
    runner = SimulationRunner(service, scenario.build(seed, 30, "accounting"))
    runner.open()
    for stripe_event in runner.scenario.events:
        runner.deliver(stripe_event)
    runner.settle()
    return runner


# Periods.

MONTHS = {month: (datetime(2026, month, 1, tzinfo=UTC), datetime(2026, month + 1, 1, tzinfo=UTC)) for month in (10, 11)}
MONTHS[12] = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def at(day: str, time: str = "12:00:00") -> int:
    return int(datetime.fromisoformat(f"2026-{day}T{time}+00:00").timestamp())


def month(number: int) -> dict[str, Any]:
    return dict(zip(("since", "until"), MONTHS[number], strict=True))


def amounts(ledger: Ledger, format: Format, number: int, **options: Any) -> list[str]:
    """Return the amounts of a month's lines."""
    return [
        row["amount" if format == "movements" else "net"] for row in rows(ledger, format, **month(number), **options)
    ]


def given_in_november(ledger: Ledger, day: str = "11-10", time: str = "12:00:00") -> Payment:
    payment = ledger.payment()
    moment = at(day, time)
    ledger.take(payment.charged(moment, created=moment), payment.completed(moment))
    return payment


def test_a_refund_in_december_of_a_gift_of_november_is_in_decembers_books_and_changes_no_byte_of_novembers(ledger):
    payment = given_in_november(ledger)
    fee = payment.transaction("1", 10_000, 320, created=at("11-12"))
    ledger.take(event("charge.updated", payment.charge(created=at("11-10"), balance_transaction=fee), at("11-12")))
    formats: tuple[Format, ...] = ("csv", "json", "movements", "journal")
    closed = [exported(ledger.service, format, **month(11)) for format in formats]
    assert [exported(ledger.service, "movements", **month(12)).count("\n")] == [1]
    ledger.take(event("refund.created", payment.refund(3_000, created=at("12-03")), at("12-03")))
    ledger.take(event("charge.dispute.funds_withdrawn", december_dispute(payment), at("12-05")))
    assert [exported(ledger.service, format, **month(11)) for format in formats] == closed
    [november], [december] = rows(ledger, **month(11)), rows(ledger, **month(12))
    assert [november[name] for name in ("status", "gross", "refund", "net", "settled")] == [
        "PAID", "100.00", "0.00", "100.00", "96.80",
    ]  # fmt: skip
    assert [december[name] for name in ("status", "gross", "refund", "dispute", "net", "settled")] == [
        "DISPUTED", "0.00", "30.00", "70.00", "-100.00", "-70.00",
    ]  # fmt: skip
    assert [amounts(ledger, "movements", number) for number in MONTHS] == [[], ["100.00"], ["-30.00", "-70.00"]]
    assert sum(Decimal(row["amount"]) for row in rows(ledger, "movements")) == 0
    journals = [exported(ledger.service, "journal", **month(number)) for number in (11, 12)]
    days = [[line.split()[0] for line in journal.splitlines() if "ticket:" in line] for journal in journals]
    assert days == [["2026-11-10", "2026-11-12"], ["2026-12-03", "2026-12-05", "2026-12-05"]]
    paid = [[row["net"] for row in rows(ledger, by="paid", **month(number))] for number in (11, 12)]
    assert paid == [["0.00"], []]


def december_dispute(payment: Payment) -> dict[str, Any]:
    return payment.dispute("needs_response") | {
        "created": at("12-05"),
        "balance_transactions": [payment.transaction("d", -7_000, created=at("12-05"), reporting_category="dispute")],
    }


def test_the_first_second_of_a_day_in_utc_belongs_to_its_period_and_the_first_one_after_it_does_not(ledger):
    for day, time in (("10-31", "23:59:59"), ("11-01", "00:00:00"), ("11-30", "23:59:59"), ("12-01", "00:00:00")):
        given_in_november(ledger, day, time)
    for format in ("csv", "movements"):
        assert [len(amounts(ledger, format, number)) for number in MONTHS] == [1, 2, 1]


def test_an_event_after_the_close_is_found_by_its_time_of_recording(ledger):
    given_in_november(ledger)
    closed_at = datetime.now(UTC)
    late = given_in_november(ledger, "11-20")
    early = given_in_november(ledger, "11-05")
    [other] = rows(ledger, by="recorded", until=closed_at)
    late_rows = rows(ledger, by="recorded", since=closed_at)
    assert [row["donationId"] for row in late_rows] == [str(early.donation_id), str(late.donation_id)]
    movements = rows(ledger, "movements", **month(11))
    assert [row["donationId"] for row in movements] == [
        str(early.donation_id), other["donationId"], str(late.donation_id),
    ]  # fmt: skip
    assert [row["donationId"] for row in movements if row["recordedAt"] > closed_at.isoformat()] == [
        str(early.donation_id), str(late.donation_id),
    ]  # fmt: skip


def test_a_movement_whose_date_is_corrected_counts_as_recorded_then(ledger):
    payment = ledger.payment()
    ledger.take(payment.completed(at("12-01", "00:00:01")))
    closed_at = datetime.now(UTC)
    assert rows(ledger, by="recorded", since=closed_at) == []
    ledger.take(payment.charged(at("12-01", "00:00:02"), created=at("11-30", "23:59:59")))
    assert [row["net"] for row in rows(ledger, by="recorded", since=closed_at)] == ["100.00"]
    assert [amounts(ledger, "movements", number) for number in MONTHS] == [[], ["100.00"], []]


def test_unpaid_donations_are_listed_only_when_asked_for_and_by_their_creation(ledger):
    ledger.payment()
    paid = given_in_november(ledger)
    today = {"since": datetime.now(UTC) - timedelta(days=1)}
    for by in ("moved", "recorded", "paid", "created"):
        assert [row["status"] for row in rows(ledger, by=by)] == ["PAID"]
        assert [row["status"] for row in rows(ledger, by=by, unpaid=True)] == ["PAID", "CREATED"]
    assert {row["movement"]: row["amount"] for row in rows(ledger, "movements", unpaid=True)} == {
        "paid": "100.00",
        "unpaid": "0.00",
    }
    assert "unpaid" in [row["movement"] for row in rows(ledger, "movements", unpaid=True, **today)]
    assert rows(ledger, unpaid=True, by="created", until=today["since"]) == []
    assert [row["donationId"] for row in rows(ledger, by="created", **today)] == [str(paid.donation_id)]


def test_an_export_is_the_same_in_pages_of_any_size(ledger, monkeypatch: pytest.MonkeyPatch):
    ticket, events = ledger.ticket(), []
    for number, day in enumerate(("11-20", "11-05", "11-20", "12-24")):
        payment = ledger.payment(ticket)
        fee = payment.transaction("1", 10_000, 30, created=at("12-25"))
        events += [
            payment.completed(at(day)),
            payment.charged(at(day), created=at(day), balance_transaction=fee),
            event("refund.created", payment.refund(100 + number, created=at(day) + 60), at(day) + 60),
        ]
    ledger.payment(ticket)
    ledger.take(*events)
    requests: list[dict[str, Any]] = [
        {"format": "movements", "unpaid": True}, {"format": "journal"}, {"by": "moved", "ticket_id": ticket},
        {"by": "moved", **month(12)}, {"by": "recorded"}, {"by": "paid"}, {"by": "created", "unpaid": True},
    ]  # fmt: skip
    whole = [exported(ledger.service, **options) for options in requests]
    for page_rows in (1, 2, 5):
        monkeypatch.setattr(exports, "PAGE_ROWS", page_rows)
        assert [exported(ledger.service, **options) for options in requests] == whole
    days = [row["date"] for row in rows(ledger, "movements")]
    assert (days, len(days)) == (sorted(days), 8)
    lines = rows(ledger, **month(12))
    assert [row["net"] for row in lines] == ["98.97", "0.00", "0.00", "0.00"]
    assert [row["fee"] for row in lines] == ["0.30"] * 4
