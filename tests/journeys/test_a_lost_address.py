"""A person who lost their address gets all their data back with a new token after an admin approved the reset."""

from __future__ import annotations

import re

from domain.values import Role
from tests.client import RECORDING, WAIT_SECONDS, Client, LiveService, Ticket, eventually
from tests.fakes.mailbox import files, text_of

OLD, NEW = "ada@lost.example.com", "ada@found.example.com"


def paid(live: LiveService, ticket: Ticket) -> None:
    """Pay a donation of 50 dollars and wait until the ledger shows it."""
    with live.client() as donor:
        form = {"outcome": "paid", "email": "grace@example.com", "name": "Grace Hopper", "country": "US"}
        assert donor.post(ticket.pay(50)["checkoutUrl"], data=form).status_code == 303
    eventually(lambda: ticket.get("/donations/total").json()["totalMinor"] == 5_000)
    assert live.service.payments.sandbox is not None
    assert live.service.payments.sandbox.wait_delivered(WAIT_SECONDS)
    live.applied()


def everything(holder: Client, path: str) -> dict[str, object]:
    """Return everything that the ticket holds."""
    full_ticket = holder.get(path, params={"include": "draft,documents,attributions,transcriptions,qr"}).json()
    included_data = {
        name: full_ticket[name] for name in ("donationDraft", "documents", "attributions", "transcriptions", "qrCode")
    }
    totals = holder.get(f"{path}/donations/total", params={"explain": "true"}).json()
    return included_data | {"donations": holder.get(f"{path}/donations").json()["donations"], "totals": totals}


def test_a_person_who_lost_their_address_keeps_everything_but_the_old_token(live: LiveService):
    with live.client() as visitor, live.client_with_key(Role.ADMIN) as admin:
        ticket = visitor.open_ticket(contactValue=OLD)
        assert ticket.upload(RECORDING.read_bytes()).status_code == 200
        ticket.publish()
        assert ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT", "format": "pdf"}).status_code == 201
        paid(live, ticket)

        def sent_to(whom: str) -> list[str]:
            return [text_of(mail) for mail in files(live.settings.outbox) if mail["To"] == whom]

        # The mails about the publication and the first gift are sent to whichever address is the present one.
        eventually(lambda: len(sent_to(OLD)) == 2)

        def stored_recording() -> object:
            [first] = live.service.history.log.batch(0, 1)
            return live.service.aggregates.tickets.get(first.ticket).recordings

        before = everything(ticket.http, ticket.path)
        recording = stored_recording()

        # The person has no token and no mail any more, only a new address and the link of the public page.
        support_answer = visitor.post(
            "/api/support/ticket",
            json={
                "ticketId": ticket.id,
                "category": "PROFILE_RESET",
                "message": f"My old provider closed. I am at {NEW} now.",
                "contact": NEW,
            },
        )
        assert support_answer.status_code == 201
        support_id = support_answer.json()["id"]

        # An admin reads the request and its contact, checks the person's identity, and approves.
        [listed] = admin.get("/api/support/recent", params={"limit": 10}).json()["supportTickets"]
        assert (listed["id"], listed["ticketId"], listed["contact"]) == (
            support_id,
            ticket.id,
            "a***@found.example.com",
        )
        contact = admin.get(f"/admin/support/{support_id}").json()["contact"]
        approved = admin.post(f"/admin/profiles/{ticket.id}/approve-reset", json={"newContactValue": contact})
        assert approved.status_code == 200, approved.text
        assert approved.json()["contactValue"] == NEW
        assert admin.get(f"/admin/support/{support_id}").json()["status"] == "RESOLVED"

        # The old token is invalid for reading and for writing.
        assert ticket.get().status_code == ticket.patch("/draft", {"title": "Mine"}).status_code == 401

        # The token is mailed to the new address and a notice to the old one, besides its earlier mails.
        eventually(lambda: (len(sent_to(NEW)), len(sent_to(OLD))) == (1, 3))
        assert "tkt_" not in "".join(sent_to(OLD))
        [token] = re.findall(r"tkt_[\w-]+", sent_to(NEW)[0])

        with live.client(token) as holder:
            assert everything(holder, ticket.path) == before
            assert (
                live.service.aggregates.tickets.get(live.service.history.log.batch(0, 1)[0].ticket).recordings
                == recording
            )
            ticket_body = holder.get(ticket.path, params={"include": "support"}).json()
            assert [
                (support_ticket["id"], support_ticket["status"]) for support_ticket in ticket_body["supportTickets"]
            ] == [(support_id, "RESOLVED")]
            assert holder.patch(f"{ticket.path}/draft", json={"title": "Still here"}).status_code == 200

            # An erasure also erases the support ticket.
            assert holder.delete(ticket.path).status_code == 202
        erased = admin.get(f"/admin/support/{support_id}").json()
        assert (erased["erased"], erased["message"], erased["contact"]) == (True, None, None)
