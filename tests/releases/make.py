"""Makes the files of this version's folder: `python -m tests.releases.make`. README.md describes them."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.payments.webhooks import sign
from entrypoints.composition.service import VERSION
from tests.client import Client, Ticket, eventually
from tests.processes import STORYLEDGER, Serving, environment

# The address in the stored answers. Nothing has to listen there.
BASE_URL = "http://127.0.0.1:3990"
CONTACT = "maria@example.com"
TICKET_READS = (
    "?include=draft,documents,attributions,transcriptions,support",
    "/status",
    "/donations",
    "/donations/total?explain=true",
    "/history?limit=100",
)
OTHER_READS = (
    "/api/support/recent",
    "/admin/dead-letters",
    "/admin/knowledge/sources",
    "/api/exports/donations?format=json",
)
# Files that only a running server needs.
LEFT_OUT = {"socket", "server.log", "server.lock", "attached.lock", "start.lock", "secrets.lock", "demo"}


def main() -> None:
    folder = Path(__file__).parent / VERSION
    folder.mkdir()
    with tempfile.TemporaryDirectory() as temporary:
        data_dir = Path(temporary) / "data"
        _command("demo", data_dir=data_dir)
        with Serving(data_dir=data_dir, base_url=BASE_URL) as serving:
            secrets = json.loads((data_dir / "secrets.json").read_text())
            with serving.client(headers={"Authorization": f"Bearer {secrets['admin_key']}"}) as admin:
                ids = _fill(serving, admin, secrets["webhook_secret"])
                demo = admin.get("/api/tickets/search", params={"contact": "david@example.com"}).json()
                tickets = [demo["tickets"][0]["id"], *ids["tickets"].values()]
                paths = [f"/api/tickets/{id}{read}" for id in tickets for read in TICKET_READS]
                answers = {path: _answer(admin, path) for path in (*paths, *OTHER_READS)}
            _command("backup", folder / "storyledger.backup", data_dir=data_dir)
        (folder / "ids.json").write_text(json.dumps(ids, indent=1) + "\n")
        (folder / "expected.json").write_text(json.dumps({"answers": answers}, indent=1, sort_keys=True) + "\n")
        with tarfile.open(folder / "data-folder.tar.xz", "w:xz") as archive:
            archive.add(data_dir, ".", filter=_unless_runtime_file)


def _command(*arguments: str | Path, **env: Any) -> None:
    subprocess.run([STORYLEDGER, *arguments], env=environment(env), check=True)


def _unless_runtime_file(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return None if Path(entry.name).name in LEFT_OUT else entry


def _answer(admin: Client, path: str) -> dict[str, Any]:
    response = admin.get(path)
    return {"status": response.status_code, "body": response.json()}


def _fill(serving: Serving, admin: Client, webhook_secret: str) -> dict[str, Any]:
    """Add what the demo lacks: a donation, an open checkout, an erased ticket, support, knowledge, bad webhooks."""
    with serving.client() as visitor:
        ticket = visitor.open_ticket(contactValue=CONTACT, displayName="Maria Lopez")
        ticket.write_draft(title="A wheelchair for Ana", currency="EUR", beneficiary="Ana Lopez", location="Madrid")
        ticket.post("/publish", {"consent": True}).raise_for_status()
        donation = give(ticket)
        ticket.pay(35, "EUR")
        erased = visitor.open_ticket(contactValue="gone@example.com", displayName="Erased Person")
        erased.write_draft(title="Gone", story="A story that was erased.")
        erased.http.delete(erased.path).raise_for_status()
        _post(visitor, "/api/support/ticket", category="OTHER", message="Hello.", contact="someone@example.com")
        support = _post(
            ticket.http, "/api/support/ticket", ticketId=ticket.id, category="PAYMENT", message="Looks wrong."
        )
        _post(admin, "/admin/knowledge/sources", type="NOTE", title="Refund policy", content="Within thirty days.")
        _post(admin, f"/admin/donations/{donation}/refund", amount=5, reason="asked by the donor")
        _post(visitor, "/api/access/request", contactType="EMAIL", contactValue=CONTACT)
        for id, amount in (("evt_held", 700), ("evt_dead", -7)):
            _deliver_refund(visitor, webhook_secret, id, amount)
        eventually(lambda: admin.get("/admin/dead-letters").json()["deadLetters"])
        eventually(lambda: ticket.get("/donations/total").json()["breakdown"]["refundedMinor"] == 500)
    return {
        "tickets": {"handwritten": ticket.id, "erased": erased.id},
        "token": ticket.token,
        "support": support["id"],
        "donation": donation,
    }


def give(ticket: Ticket) -> str:
    """Pay a donation of 20 EUR in the sandbox and return its id once it is shown as paid."""
    checkout = ticket.pay(20, "EUR")
    donor = {"outcome": "paid", "name": "Ada Byron", "email": "ada@example.com", "country": "GB"}
    assert ticket.http.post(urlsplit(checkout["checkoutUrl"]).path, data=donor).status_code == 303

    def paid_donation() -> str | None:
        donations = ticket.get("/donations").json()["donations"]
        paid = {donation["sessionId"]: donation["id"] for donation in donations if donation["status"] == "PAID"}
        return paid.get(checkout["checkoutSessionId"])

    donation_id: str = eventually(paid_donation)
    return donation_id


def _post(client: Client, path: str, **body: Any) -> dict[str, Any]:
    response = client.post(path, json=body)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


def _deliver_refund(visitor: Client, webhook_secret: str, id: str, amount: int) -> None:
    """Deliver a signed event about a refund of an unknown payment; a negative amount makes it malformed."""
    now = int(time.time())
    refund = {
        "id": f"re_{id}",
        "object": "refund",
        "amount": amount,
        "currency": "usd",
        "status": "succeeded",
        "charge": "ch_unknown",
        "payment_intent": "pi_unknown",
        "created": now,
        "balance_transaction": None,
        "metadata": {},
    }
    event = {
        "id": id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": now,
        "type": "refund.created",
        "livemode": False,
        "pending_webhooks": 1,
        "request": None,
        "data": {"object": refund},
    }
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": sign(body, webhook_secret, now), "Content-Type": "application/json"}
    visitor.post("/api/webhooks/stripe", content=body, headers=headers).raise_for_status()


if __name__ == "__main__":
    main()
