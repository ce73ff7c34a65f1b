"""One story from the first request to the last."""

from __future__ import annotations

from tests.journeys.harness.load import Client


def tell(client: Client) -> None:
    """Use every part of the service once; afterwards only background work that no client waits for is open."""
    spoken = client.open()
    client.upload(spoken)
    client.ask("POST", f"/api/tickets/{spoken.id}/process", spoken, json={})
    spoken.processed = True
    # While that is worked on, another story, which somebody wrote down.
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
    client.until(spoken, "/status", lambda status: status["stage"] == "DONE")
