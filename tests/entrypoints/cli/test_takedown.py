"""`storyledger suspend` and `storyledger reinstate` change a ticket, tell its holder and are in the access log."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from domain.values import SYSTEM
from entrypoints.composition.service import Service
from tests.commands import run_here
from tests.money import Ledger

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(service: Service) -> Run:
    """Return a function that runs a command on the database and the folder of the service."""
    return lambda *words: run_here(*words, database_url=service.url, data_dir=service.settings.data_dir)


@pytest.fixture
def ticket(service: Service) -> UUID:
    return Ledger(service).ticket()


def test_a_ticket_is_suspended_and_reinstated(service: Service, run: Run, ticket: UUID):
    suspended = run("suspend", str(ticket), "--reason", "It looks like fraud.", "--json")
    assert (suspended.returncode, suspended.stderr) == (0, "")
    assert json.loads(suspended.stdout) == {"ticketId": str(ticket), "suspended": True}
    stored = service.aggregates.tickets.get(ticket)
    assert (stored.lifecycle.suspended, stored.suspension_reason) == (True, "It looks like fraud.")

    reinstated = run("reinstate", str(ticket))
    assert (reinstated.returncode, reinstated.stdout) == (0, f"Ticket {ticket} is not suspended.\n")
    assert not service.aggregates.tickets.get(ticket).lifecycle.suspended

    kinds = service.database.rows("SELECT kind FROM outbox ORDER BY created_at, id")
    assert kinds == [("suspended",), ("reinstated",)]
    acts = [(record.operation, record.outcome) for record in reversed(service.access.log.page(10))]
    assert acts == [("suspend", "begun"), ("suspend", "done"), ("reinstate", "begun"), ("reinstate", "done")]


def test_an_absent_or_erased_ticket_is_not_suspended(service: Service, run: Run, ticket: UUID):
    service.commands.tickets.erase(SYSTEM, ticket)
    for id, message in ((ticket, "the ticket is erased"), (uuid4(), "the ticket does not exist")):
        refused = run("suspend", str(id), "--reason", "Fraud.")
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"storyledger: {message}\n")


@pytest.mark.parametrize(
    "words",
    [(), ("--reason", ""), ("--reason", " "), ("--reason", "x" * 1_001)],
    ids=["none", "empty", "blank", "long"],
)
def test_a_suspension_needs_a_reason(run: Run, ticket: UUID, words: tuple[str, ...]):
    refused = run("suspend", str(ticket), *words)
    assert refused.returncode == 2
    assert "--reason" in refused.stderr
