"""One story from its first word to its last, asked for again wherever there was no answer."""

from __future__ import annotations

from tests.journeys.harness.load import Client


def tell(client: Client) -> None:
    """Everything that the service does, once: after this nothing of it is under way but what nobody waits for."""
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
    client.give_back(written, client.buy(written))
    client.ask_for_help()
    forgotten = client.open()
    client.edit(forgotten)
    client.give(forgotten)
    client.erase(forgotten)
    client.until(spoken, "/status", lambda told: told["stage"] == "DONE")
