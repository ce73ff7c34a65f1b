"""Checks after the kills: every acknowledged act happened once, nothing is stuck, and recomputing changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import httpx2
import psycopg

from adapters.jobs.queue import ERASURE_TASK, STEP_TASK
from adapters.stripe_sandbox.simulation import oracle
from tests.client import eventually
from tests.fakes.mailbox import files
from tests.journeys.harness.load import Client, PromisedTicket
from tests.journeys.harness.running_service import RunningService

SETTLING_SECONDS = 240
_UNSETTLED = f"""
SELECT (SELECT count(*) FROM sandbox.deliveries WHERE delivered_at IS NULL)
       + (SELECT count(*) FROM sandbox.objects WHERE step_at < extract(epoch FROM now()) + 60),
       (SELECT count(*) FROM stripe_inbox WHERE state = 'received' OR type = 'wanted' AND state = 'held'),
       (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
          AND (task_name = '{STEP_TASK}' OR task_name = '{ERASURE_TASK}' AND scheduled_at IS NULL)),
       (SELECT count(*) FROM outbox WHERE state = 'waiting'),
       (SELECT count(*) FROM donor_emails WHERE state = 'waiting'),
       (SELECT count(*) FROM gift_news),
       (SELECT count(*) FROM projections p WHERE p.live AND p.position < (SELECT max(position) FROM events))
"""


# The subjects of the mails that the work on a recording has ended.
FINISHED = "Finished"
_SUBJECTS = ("Your page is ready to read", "We have a question for you", "We could not write your page yet")
# Those about the first gift, and about a goal that was reached.
FIRST_GIFT, GOAL = "Your first gift has arrived", "You have reached your goal"


def _kind(subject: str) -> str:
    if subject in (FIRST_GIFT, GOAL):
        return subject
    return FINISHED if subject in _SUBJECTS else subject.split(" ")[0]


class PromiseCheck:
    """Checks the service's answers and its database."""

    def __init__(self, service: RunningService, clients: Sequence[Client]) -> None:
        self._service = service
        self._tickets = [ticket for client in clients for ticket in client.tickets]
        self._supports = sum(client.supports for client in clients)
        self._stack = ExitStack()

    def __enter__(self) -> PromiseCheck:
        url = self._stack.enter_context(self._service.database())
        self._connection = self._stack.enter_context(psycopg.connect(url, autocommit=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode()).fetchall()

    def wait_until_settled(self) -> None:
        """Wait until no work is open, but for erasures that are repeated to be safe."""
        open_work: list[Any] = []

        def settled() -> bool:
            open_work[:] = self._rows(_UNSETTLED)
            return open_work == [(0,) * 7]

        try:
            eventually(settled, SETTLING_SECONDS)
        except AssertionError:
            stuck = self._rows("SELECT task_name, status, attempts, scheduled_at FROM procrastinate_jobs")
            raise AssertionError(f"unsettled: {open_work}, {Counter(stuck)}") from None

    def faults(self) -> list[str]:
        """Return every difference from the promises."""
        return [*self._lost_or_duplicated(), *self._wrong_money(), *self._wrong_mails(), *self._stuck()]

    def _lost_or_duplicated(self) -> list[str]:
        recorded = Counter(self._rows("SELECT ticket::text, topic FROM events"))
        wrong = []
        for ticket in self._tickets:
            promised = {
                "ticket_opened": 1,
                "audio_uploaded": ticket.uploads,
                "document_generated": len(ticket.documents),
                "checkout_requested": len(ticket.payments) + len(ticket.bought),
                "checkout_opened": len(ticket.payments) + len(ticket.bought),
                "payment_received": len(ticket.payments) + len(ticket.bought),
                "refunded": len({e["data"]["object"]["id"] for e in ticket.events if e["type"] == "refund.created"})
                + sum(bought.refunded > 0 for bought in ticket.bought),
                "published": int(ticket.published),
                "erased": int(ticket.erased),
            }
            wrong += [
                f"{ticket.id}: {recorded[ticket.id, topic]} {topic} instead of {count}"
                for topic, count in promised.items()
                if recorded[ticket.id, topic] != count
            ]
            wrong += self._wrong_answers(ticket)
        totals = Counter(topic for (_, topic), count in recorded.items() for _ in range(count))
        for topic, count in (("ticket_opened", len(self._tickets)), ("support_ticket_opened", self._supports)):
            if totals[topic] != count:
                wrong.append(f"{totals[topic]} {topic} instead of {count}")
        return wrong

    def _wrong_answers(self, ticket: PromisedTicket) -> list[str]:
        headers = {"Authorization": f"Bearer {ticket.token}"}
        path = f"{self._service.url}/api/tickets/{ticket.id}"
        with httpx2.Client(headers=headers, verify=False, timeout=60) as http:
            answer = http.get(path, params={"include": "draft"})
            if ticket.erased:
                return [] if answer.status_code in (401, 404) else [f"{ticket.id}: erased, and answers"]
            if answer.status_code != 200:
                return [f"{ticket.id}: {answer.status_code}"]
            wrong = []
            title = (answer.json().get("donationDraft") or {}).get("title")
            if ticket.title is not None and title != ticket.title:
                wrong.append(f"{ticket.id}: the title is {title} instead of {ticket.title}")
            if ticket.processed and http.get(f"{path}/status").json()["stage"] != "DONE":
                wrong.append(f"{ticket.id}: not processed")
            for document in ticket.documents:
                if http.get(f"{path}/documents/{document}/download").status_code != 200:
                    wrong.append(f"{ticket.id}: no document {document}")
        return wrong

    def _wrong_money(self) -> list[str]:
        oracle_events = [
            oracle.with_object(event, lambda id: {}) for ticket in self._tickets for event in ticket.events
        ]
        ledger = {
            str(id): (status, paid, refunded)
            for id, status, paid, refunded in self._rows(
                "SELECT donation_id, status, paid, refunded FROM read.donation_ledger"
            )
        }
        expected = {
            str(payment.donation_id): (line.status, line.paid, line.refunded)
            for ticket in self._tickets
            for payment in ticket.payments
            for events in [[event for event in oracle_events if payment.mark in event.object["id"]]]
            for line in [oracle.row_of(events, lambda id: {})]
        } | {
            bought.donation: ("PAID", bought.paid, bought.refunded)
            for ticket in self._tickets
            for bought in ticket.bought
        }
        return [
            f"donation {id}: {ledger.get(id)} instead of {expected.get(id)}"
            for id in expected.keys() | ledger.keys()
            if ledger.get(id) != expected.get(id)
        ]

    def _wrong_mails(self) -> list[str]:
        mails = files(self._service.data / "outbox")
        ids = Counter(mail["Message-ID"] for mail in mails)
        wrong = [f"{id}: {count} mails" for id, count in ids.items() if count != 1]
        sent_counts = Counter((mail["To"], _kind(mail["Subject"].removeprefix("TEST: "))) for mail in mails)
        promised: Counter[tuple[str, str]] = Counter()
        finished = Counter(
            self._rows("SELECT ticket::text FROM events WHERE topic IN ('draft_proposed', 'transcription_failed')")
        )
        for ticket in self._tickets:
            if ticket.erased:
                continue
            promised[ticket.email, "Your"] += ticket.published
            promised[ticket.email, FINISHED] += finished[ticket.id,]
            promised[ticket.email, FIRST_GIFT] += bool(ticket.payments or ticket.bought)
            # What the goal is, and whether it was ever reached, follows from the words of the recording.
            promised[ticket.email, GOAL] += min(1, sent_counts[ticket.email, GOAL])
            for payment in ticket.payments:
                address = payment.details["email"]
                refunds = {
                    e["data"]["object"]["id"]
                    for e in ticket.events
                    if e["type"] == "refund.created" and e["data"]["object"]["charge"] == payment.charge_id
                }
                promised[address, "Thank"] += 1
                promised[address, "Your"] += len(refunds)
            for bought in ticket.bought:
                promised[bought.donor, "Thank"] += 1
                promised[bought.donor, "Your"] += bought.refunded > 0
        erased = {ticket.email for ticket in self._tickets if ticket.erased}
        erased |= {p.details["email"] for ticket in self._tickets if ticket.erased for p in ticket.payments}
        erased |= {bought.donor for ticket in self._tickets if ticket.erased for bought in ticket.bought}
        wrong += [f"a mail to {to}, who was erased" for to, _ in sent_counts if to in erased]
        return wrong + [
            f"{sent_counts[mail]} mails {mail} instead of {promised[mail]}"
            for mail in promised.keys() | sent_counts.keys()
            if mail[0] not in erased and sent_counts[mail] != promised[mail]
        ]

    def _stuck(self) -> list[str]:
        wrong = [f"job {row}" for row in self._rows("SELECT task_name FROM procrastinate_jobs WHERE status = 'failed'")]
        wrong += [f"inbox {row}" for row in self._rows("SELECT type, state, error FROM stripe_inbox"
                  " WHERE state NOT IN ('applied', 'ignored')")]  # fmt: skip
        wrong += [f"mail {row}" for row in self._rows("SELECT kind, error FROM outbox WHERE state = 'dead'")]
        wrong += [f"build {row}" for row in self._rows("SELECT name FROM projections WHERE NOT live")]
        return wrong

    def recompute(self) -> None:
        """Check that the read models equal a rebuild and that the chain is whole."""
        self._service.run("rebuild-projections", "--verify")
        self._service.run("audit", "verify")
