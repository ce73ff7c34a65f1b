"""Nobody is endangered by their own story: a person decides on each finding before the draft is published."""

from __future__ import annotations

from typing import Any

from tests.client import Client, Ticket
from tests.entrypoints.http.contract import pointers, problem

STORY = "Call me at 555-123-4567. My neighbor John Smith helps. The roof fell in."


def findings(ticket: Ticket) -> list[dict[str, Any]]:
    draft = ticket.get(params={"include": "draft"}).json()["donationDraft"]
    return draft.get("safety", {"findings": []})["findings"]


def decide(ticket: Ticket, **decisions: str) -> dict[str, Any]:
    """Decide on the findings of the kinds that are given."""
    ids = {each["id"]: decisions[each["kind"]] for each in findings(ticket) if each["kind"] in decisions}
    made = [{"id": id, "decision": decision} for id, decision in ids.items()]
    answer = ticket.post("/draft/findings", {"decisions": made})
    assert answer.status_code == 200, answer.text
    draft: dict[str, Any] = answer.json()
    return draft


def test_a_draft_with_undecided_findings_is_not_published(ticket: Ticket):
    ticket.write_draft(story=STORY)
    refused = problem(ticket.post("/publish", {"consent": True}), 409, "undecided-findings")
    shown = [(each["kind"], each["field"], each["text"], each["decision"]) for each in refused["findings"]]
    assert shown == [("phone", "story", "555-123-4567", None), ("name", "story", "John Smith", None)]
    decide(ticket, phone="keep")
    assert len(problem(ticket.post("/publish", {"consent": True}), 409, "undecided-findings")["findings"]) == 1
    assert decide(ticket, name="keep")["safety"]["findings"][1]["decision"] == "keep"
    assert ticket.post("/publish", {"consent": True}).status_code == 200


def test_a_removed_passage_leaves_the_draft_and_a_new_finding_needs_a_new_decision(ticket: Ticket):
    ticket.write_draft(story=STORY)
    removed = decide(ticket, phone="remove", name="keep")
    assert removed["story"] == "Call me at […]. My neighbor John Smith helps. The roof fell in."
    assert ticket.post("/publish", {"consent": True}).status_code == 200
    ticket.post("/unpublish", {})
    ticket.write_draft(story=STORY)
    again = problem(ticket.post("/publish", {"consent": True}), 409, "undecided-findings")
    assert [(each["kind"], each["decision"]) for each in again["findings"]] == [("phone", "remove")]
    ticket.write_draft(story="My neighbor John Smith helps, and Kim Lee too.")
    assert [each["decision"] for each in findings(ticket)] == ["keep", None]


def test_a_decision_is_an_event_with_its_actor(ticket: Ticket):
    ticket.write_draft(story=STORY)
    decide(ticket, phone="keep", name="keep")
    events = ticket.get("/history").json()["events"]
    decided = [(each["actor"], each["data"]["decision"], each["data"]["text"]) for each in events[-2:]]
    assert decided == [("holder", "keep", "555-123-4567"), ("holder", "keep", "John Smith")]
    decide(ticket, phone="keep")
    assert len(ticket.get("/history").json()["events"]) == len(events)


def test_a_decision_on_an_unknown_finding_or_two_on_the_same_are_refused(ticket: Ticket):
    ticket.write_draft(story=STORY)
    keep = {"id": findings(ticket)[0]["id"], "decision": "keep"}
    unknown = ticket.post("/draft/findings", {"decisions": [keep, {"id": "none", "decision": "keep"}]})
    assert pointers(unknown) == ["/decisions/1/id"]
    assert pointers(ticket.post("/draft/findings", {"decisions": [keep, keep]})) == ["/decisions"]
    assert findings(ticket)[0]["decision"] is None


def test_a_published_page_leaves_out_what_nobody_decided_to_keep(ticket: Ticket, client: Client):
    url = ticket.publish()
    ticket.write_draft(story=STORY, title="Help my neighbor John Smith")
    page = client.get(url).text
    assert "555-123-4567" not in page
    assert "John Smith" not in page
    assert "The roof fell in." in page
    decide(ticket, phone="keep", name="keep")
    assert "John Smith" in client.get(url).text


def test_an_auditor_sees_that_there_are_findings_but_not_their_texts(ticket: Ticket, auditor: Client):
    ticket.write_draft(story=STORY)
    answer = auditor.get(ticket.path, params={"include": "draft"})
    assert [each["kind"] for each in answer.json()["donationDraft"]["safety"]["findings"]] == ["phone", "name"]
    assert "555-123-4567" not in answer.text
    assert findings(ticket)[0]["id"] not in answer.text
