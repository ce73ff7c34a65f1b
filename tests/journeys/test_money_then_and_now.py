"""The ledger is shown as of a time of Stripe, and as known at a time of the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from adapters.payments.inbox import to_json
from domain.values import Role
from tests.client import LiveService, eventually
from tests.journeys.money_service import live
from tests.stripe_events import DAY, Payment, event

__all__ = ["live"]


def at(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def ticket_and_time(live: LiveService) -> Any:
    """Return a ticket with a donation whose refund was reported first, and a time before the report of its dispute."""
    ticket = live.client().open_ticket()
    checkout = ticket.pay(100)
    payment = Payment(UUID(ticket.id), donation_id=UUID(checkout["donationId"]))
    live.webhook(payment.refunded(3_000))
    live.webhook(payment.completed())
    live.applied()
    between = ticket.get("/donations/total", params={"explain": "true"}).json()["entries"][-1]["recordedAt"]
    live.webhook(payment.withdrawn())
    live.webhook(payment.closed("lost"))
    live.applied()
    return ticket, between


@pytest.mark.parametrize(
    ("moment", "total", "status"),
    [
        (DAY - 1, 0, None),
        (DAY, 10_000, "PAID"),
        (DAY + 59, 10_000, "PAID"),
        (DAY + 60, 7_000, "PAID"),
        (DAY + 91, -3_000, "DISPUTED"),
    ],
)
def test_the_ledger_as_of_a_time_of_stripe(ticket_and_time: Any, moment: int, total: int, status: str | None):
    ticket, _ = ticket_and_time
    parameters = {"as_of": at(moment), "explain": "true"}
    totals = ticket.get("/donations/total", params=parameters).json()
    assert totals["totalMinor"] == total
    assert sum(entry["amountMinor"] for entry in totals["entries"]) == total
    donations = ticket.get("/donations", params={"as_of": at(moment)}).json()["donations"]
    assert [donation["status"] for donation in donations] == ([] if status is None else [status])


def test_the_ledger_as_known_at_a_time_of_ours(ticket_and_time: Any):
    ticket, between = ticket_and_time
    assert ticket.get("/donations/total", params={"known_at": between}).json()["totalMinor"] == 7_000
    assert ticket.get("/donations/total", params={"known_at": "2000-01-01T00:00:00Z"}).json()["totalMinor"] == 0
    assert ticket.get("/donations/total").json()["totalMinor"] == -3_000


def test_as_of_and_known_at_can_be_combined(ticket_and_time: Any):
    ticket, between = ticket_and_time
    both = {"known_at": between, "as_of": at(DAY + 30)}
    assert ticket.get("/donations/total", params=both).json()["totalMinor"] == 10_000
    [donation] = ticket.get("/donations", params=both).json()["donations"]
    assert (donation["status"], donation["amountRefundedMinor"]) == ("PAID", 0)


# The administrator's view of the inbox and the read models.


def test_a_dead_letter_is_listed_retried_and_gone(live: LiveService):
    admin = live.client_with_key(Role.ADMIN)
    ticket = live.client().open_ticket()
    payment = Payment(UUID(ticket.id), donation_id=UUID(ticket.pay(100)["donationId"]))
    poisoned = event("checkout.session.completed", payment.session(amount_total="100"))
    live.webhook(poisoned)
    live.applied()
    letters = admin.get("/admin/dead-letters").json()["deadLetters"]
    [letter] = [row for row in letters if row["id"] == poisoned["id"]]
    assert (letter["error"], letter["type"]) == ("malformed: amount_total", "checkout.session.completed")

    with live.service.database.connection() as connection:
        body = live.service.payments.inbox.seal_body(
            poisoned["id"], to_json(payment.completed() | {"id": poisoned["id"]})
        )
        connection.execute(
            "UPDATE stripe_inbox SET body = %s, ticket_id = NULL WHERE event_id = %s", (body, poisoned["id"])
        )
    retried = admin.post(f"/admin/dead-letters/{poisoned['id']}/retry")
    assert (retried.status_code, retried.json()) == (202, {"id": poisoned["id"], "state": "received"})
    eventually(lambda: ticket.get("/donations/total").json()["totalMinor"] == 10_000)
    assert admin.post(f"/admin/dead-letters/{poisoned['id']}/retry").status_code == 404


def test_dead_letters_are_paged(live: LiveService):
    admin = live.client_with_key(Role.ADMIN)
    for _ in range(3):
        live.webhook(event("refund.created", {"object": "refund", "id": "re_1"}))
    live.applied()
    listed: list[str] = []
    url = "/admin/dead-letters?limit=2"
    while url:
        page = admin.get(url)
        listed += [letter["id"] for letter in page.json()["deadLetters"]]
        url = page.links["next"]["url"] if page.json()["nextCursor"] else ""
    assert len(listed) == len(set(listed)) >= 3
    assert admin.get("/admin/dead-letters", params={"cursor": "x"}).status_code == 422


def test_a_read_model_is_rebuilt_while_clients_read(live: LiveService):
    admin = live.client_with_key(Role.ADMIN)
    names = {row["name"] for row in admin.get("/admin/projections").json()["projections"]}
    assert {"donation_ledger", "fee_ledger", "ticket_status"} <= names
    rebuild_answer = admin.post("/admin/projections/donation_ledger/rebuild")
    assert (rebuild_answer.status_code, rebuild_answer.json()["status"]) == (202, "REBUILDING")

    def is_rebuilt() -> bool:
        listed = {row["name"]: row for row in admin.get("/admin/projections").json()["projections"]}
        ledger = listed["donation_ledger"]
        return not ledger["rebuilding"] and ledger["position"] == ledger["head"]

    eventually(is_rebuilt)
    assert admin.post("/admin/projections/nothing/rebuild").status_code == 404


@pytest.mark.parametrize("path", ["/admin/dead-letters", "/admin/projections"])
def test_only_an_administrator_sees_dead_letters_and_projections(live: LiveService, path: str):
    assert live.client().get(path).status_code == 401
    assert live.client_with_key(Role.AUDITOR).get(path).status_code == 403
