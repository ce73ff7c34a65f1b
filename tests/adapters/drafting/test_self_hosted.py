"""Drafting with servers that have chat completions, but not the Responses API or no JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from adapters.drafting.openai import OpenAIDrafter
from domain.errors import StepFailed
from domain.values import Analysis, Money, Sentiment, Transcript, Urgency
from tests.fakes.openai_responses import ResponsesServer, chat_reply, error_reply, responses_server
from tests.fakes.openai_server import Reply

TRANSCRIPT = Transcript("My name is Ada Moss. I need fifteen hundred dollars for rent.", "en", "test")
ANALYSIS = Analysis("en", Sentiment.NEGATIVE, Urgency.HIGH, ())
CAMPAIGN = json.dumps(
    {
        "title": "Help Ada Moss with rent",
        "story": TRANSCRIPT.text,
        "goal_amount": "1500.00",
        "currency": "USD",
        "beneficiary": "Ada Moss",
        "location": None,
        "category": "HOUSING",
        "breakdown": [],
    }
)
NO_RESPONSES = [
    Reply("404 page not found", 404, "text/plain"),
    Reply('{"detail": "Not Found"}', 404),
    Reply('{"detail": "Method Not Allowed"}', 405),
]
NO_SCHEMA = error_reply(400, "unsupported_response_format")
GOAL = Money(150_000, "USD")


@pytest.fixture
def server() -> Iterator[ResponsesServer]:
    with responses_server() as running:
        yield running


@pytest.fixture
def drafter(server: ResponsesServer) -> Iterator[OpenAIDrafter]:
    drafter = OpenAIDrafter(None, base_url=server.url, model="qwen3:8b", timeout_seconds=60, max_retries=0)
    yield drafter
    drafter.close()


def failure_code(drafter: OpenAIDrafter) -> str:
    with pytest.raises(StepFailed) as failed:
        drafter.draft(TRANSCRIPT, ANALYSIS)
    return failed.value.code


@pytest.mark.parametrize("missing", NO_RESPONSES, ids=["ollama", "fastapi", "405"])
def test_a_server_without_the_responses_api_is_asked_over_chat_completions_from_then_on(server, drafter, missing):
    server.replies = [missing, chat_reply(CAMPAIGN)]
    assert drafter.draft(TRANSCRIPT, ANALYSIS).goal == GOAL
    assert drafter.draft(TRANSCRIPT, ANALYSIS).goal == GOAL
    assert server.paths == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]
    request = server.requests[-1]
    assert request["model"] == "qwen3:8b"
    assert request["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert json.loads(request["messages"][1]["content"]) == {"transcript": TRANSCRIPT.text}


def test_a_server_without_json_schemas_is_asked_in_json_mode_from_then_on(server, drafter):
    server.replies = [NO_RESPONSES[0], NO_SCHEMA, chat_reply(CAMPAIGN)]
    drafter.draft(TRANSCRIPT, ANALYSIS)
    assert drafter.draft(TRANSCRIPT, ANALYSIS).goal == GOAL
    assert [request.get("response_format", {}).get("type") for request in server.requests] == [
        None,
        "json_schema",
        "json_object",
        "json_object",
    ]
    assert '"goal_amount"' in server.requests[-1]["messages"][0]["content"]


def test_a_story_that_is_refused_in_every_way_changes_nothing_for_the_next_one(server, drafter):
    server.replies = [NO_RESPONSES[0], NO_SCHEMA, NO_SCHEMA, NO_RESPONSES[0], chat_reply(CAMPAIGN)]
    assert failure_code(drafter) == "drafter_rejected"
    assert drafter.draft(TRANSCRIPT, ANALYSIS).goal == GOAL
    assert server.requests[-1]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    "content", [f"<think>{{maybe}}</think>\n{CAMPAIGN}", f"```json\n{CAMPAIGN}\n```"], ids=["thoughts", "fence"]
)
def test_text_that_a_model_writes_around_the_object_is_left_out(server, drafter, content):
    server.replies = [NO_RESPONSES[0], chat_reply(content)]
    assert drafter.draft(TRANSCRIPT, ANALYSIS).goal == GOAL


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply('{"error": {"message": "model \\"qwen3:8b\\" not found, try pulling it first"}}', 404), "misconfigured"),
        (Reply('{"error": {"message": "The model `x` does not exist.", "code": 404}}', 404), "misconfigured"),
        (NO_RESPONSES[0], "misconfigured"),
        (chat_reply(None, refusal="No."), "refused"),
        (chat_reply("", "content_filter"), "refused"),
        (chat_reply("I cannot write JSON."), "unusable_answer"),
        (chat_reply('{"title": "only this"}'), "unusable_answer"),
        (chat_reply(CAMPAIGN + " " * 200_000 + "}"), "unusable_answer"),
        (Reply('{"choices": []}'), "unusable_answer"),
        (Reply('{"choices": null}'), "unusable_answer"),
        (Reply("<html>a proxy's page</html>", media_type="text/html"), "unusable_answer"),
        (error_reply(503, "loading"), "unavailable"),
    ],
)
def test_a_failure_names_its_cause(server, drafter, reply, code):
    server.replies = [NO_RESPONSES[1], reply]
    assert failure_code(drafter) == f"drafter_{code}"
