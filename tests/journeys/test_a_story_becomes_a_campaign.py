"""The main job, from the recording to the ledger, as a person and a donor do it."""

from tests.client import DEMO_RECORDING, Client, LiveService


def test_a_recording_becomes_a_campaign_with_a_paid_gift_in_its_ledger(live: LiveService, client: Client):
    ticket = client.open_ticket()

    uploaded = ticket.upload(DEMO_RECORDING.read_bytes())
    assert uploaded.status_code == 200
    assert uploaded.json()["ticket"]["status"] == "RECORDING"

    started = ticket.post("/process")
    assert started.status_code == 202
    assert started.json()["pollUrl"] == f"{ticket.path}/status"

    status = ticket.when("DONE")
    assert (status["status"], status["progress"], status["error"]) == ("READY", 100, None)

    whole = ticket.get("", params={"include": "draft,transcriptions"}).json()
    for phrase in ("david miller", "chicago", "a fire in our house", "five thousand dollars for my family"):
        assert phrase in whole["transcriptions"][0]["text"].lower()
    assert (whole["donationDraft"]["goalAmount"], whole["donationDraft"]["currency"]) == (5000, "USD")
    assert whole["donationDraft"]["beneficiary"] == "David Miller"

    for format in ("docx", "pdf"):
        made = ticket.post("/generate-doc", {"docType": "GOFUNDME_DRAFT", "format": format})
        assert made.status_code == 201
        assert ticket.http.get(made.json()["filePath"]).status_code == 200

    assert ticket.post("/publish", {"consent": True}).json()["status"] == "PUBLISHED"

    checkout = ticket.pay(50.00)
    assert live.service.payments.sandbox is not None
    paid = client.post(
        checkout["checkoutUrl"],
        data={"outcome": "paid", "email": "grace@example.com", "name": "Grace Hopper", "country": "US"},
    )
    assert paid.status_code == 303
    assert live.service.payments.sandbox.wait_delivered(10)
    live.applied()

    [donation] = ticket.get("/donations").json()["donations"]
    assert (donation["status"], donation["amountMinor"], donation["donor"]) == ("PAID", 5000, "Hopper")

    live.service.payments.sandbox.refund(checkout["checkoutSessionId"], 2000)
    assert live.service.payments.sandbox.wait_delivered(10)
    live.applied()

    totals = client.get(f"{ticket.path}/donations/total", params={"explain": "true"}).json()
    assert (totals["total"], totals["breakdown"]["refunded"]) == (30.00, 20.00)
    assert sum(entry["amountMinor"] for entry in totals["entries"]) == totals["totalMinor"] == 3000
    assert ticket.get("").json()["status"] == "PAYMENT_RECEIVED"
