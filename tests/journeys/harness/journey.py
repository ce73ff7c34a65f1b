"""One story from the first request to the last."""

from __future__ import annotations

from tests.journeys.harness.load import Client


def run_journey(client: Client) -> None:
    """Use every part of the service once; afterwards only background work that no client waits for is open."""
    ticket_with_recording = client.open()
    client.upload(ticket_with_recording)
    client.request("POST", f"/api/tickets/{ticket_with_recording.id}/process", ticket_with_recording, json={})
    ticket_with_recording.processed = True
    # A written story meanwhile.
    written = client.open()
    client.edit(written)
    client.publish(written)
    client.document(written)
    client.give(written)
    client.refund()
    client.refund_in_sandbox(written, client.buy(written))
    client.ask_for_help()
    forgotten = client.open()
    client.edit(forgotten)
    client.give(forgotten)
    client.erase(forgotten)
    client.until(ticket_with_recording, "/status", lambda status: status["stage"] == "DONE")
