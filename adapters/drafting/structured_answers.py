"""Asks a language model for answers of a given shape."""

import json
from collections.abc import Callable
from typing import TypeVar

import openai
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import ResponseFormat
from openai.types.responses import Response
from pydantic import BaseModel

from adapters.model_servers import Fault, ModelServer, failed_step, fault_of
from domain.errors import StepFailed

MAX_OUTPUT_TOKENS = 16_000
MAX_ANSWER_CHARACTERS = 100_000

AnswerT = TypeVar("AnswerT", bound=BaseModel)
Way = Callable[[type[BaseModel], str, str], str]


class UnusableAnswer(Exception):
    """The answer cannot be used. Another attempt may give a better one."""


class StructuredAnswers:
    """Asks over the Responses API; where a server lacks it over chat completions, with a JSON schema or in JSON mode.

    The first way that the server offers is remembered. Threads may ask at the same time.
    """

    def __init__(self, server: ModelServer, timeout_seconds: float, retries: int) -> None:
        self._client = server.client(timeout_seconds, retries)
        self._model = server.model
        self._headers = server.headers
        # Each way with the faults by which a server says that it does not offer it.
        self._ways: list[tuple[Way, frozenset[Fault]]] = [
            (self._respond, frozenset({Fault.ENDPOINT_MISSING})),
            (self._complete_with_schema, frozenset({Fault.REFUSED})),
            (self._complete_in_json_mode, frozenset()),
        ]

    def ask(self, answer_type: type[AnswerT], task: str, data: str) -> AnswerT:
        """Return the model's answer. Raise UnusableAnswer or ValueError for a wrong shape, otherwise StepFailed."""
        text = self._text(answer_type, task, data)
        if len(text) > MAX_ANSWER_CHARACTERS:
            raise UnusableAnswer
        return answer_type.model_validate_json(text)

    def close(self) -> None:
        self._client.close()

    def _text(self, answer_type: type[BaseModel], task: str, data: str) -> str:
        ways = self._ways
        for number, (way, not_offered) in enumerate(ways):
            try:
                text = way(answer_type, task, data)
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                fault = fault_of(error)
                if fault not in not_offered:
                    raise _failure(fault) from None  # the error's text may quote the key or the transcript
                continue
            except (AttributeError, IndexError, TypeError):  # the library does not check the answer's shape
                raise UnusableAnswer from None
            self._ways = ways[number:]
            return text
        raise AssertionError("the last way has no other after it")

    def _respond(self, answer_type: type[BaseModel], task: str, data: str) -> str:
        response = self._client.responses.create(
            model=self._model,
            instructions=task,
            input=[{"role": "user", "content": data}],
            text={
                "format": {
                    "type": "json_schema",
                    "name": answer_type.__name__,
                    "schema": _schema(answer_type),
                    "strict": True,
                }
            },
            max_output_tokens=MAX_OUTPUT_TOKENS,
            store=False,
            extra_headers=self._headers,
        )
        return response.output_text or _raise_for_silence(response)

    def _complete_with_schema(self, answer_type: type[BaseModel], task: str, data: str) -> str:
        schema = {"name": answer_type.__name__, "schema": _schema(answer_type), "strict": True}
        return self._complete(task, data, {"type": "json_schema", "json_schema": schema})  # type: ignore[typeddict-item]

    def _complete_in_json_mode(self, answer_type: type[BaseModel], task: str, data: str) -> str:
        schema = json.dumps(_schema(answer_type))
        task = f"{task}\nAnswer with one JSON object of this JSON schema and with nothing else:\n{schema}"
        return self._complete(task, data, {"type": "json_object"})

    def _complete(self, task: str, data: str, response_format: ResponseFormat) -> str:
        completion = self._client.chat.completions.create(
            model=self._model,
            messages=[{"role": "system", "content": task}, {"role": "user", "content": data}],
            response_format=response_format,
            extra_headers=self._headers,
        )
        return _object_in(completion)


def _schema(answer_type: type[BaseModel]) -> dict[str, object]:
    """Return the schema in the strict form that the API demands."""
    return openai.pydantic_function_tool(answer_type)["function"]["parameters"]


def _raise_for_silence(response: Response) -> str:
    if response.status == "failed":
        raise StepFailed("drafter_unavailable", "The drafting service could not process this story.", retryable=True)
    filtered = response.incomplete_details is not None and response.incomplete_details.reason == "content_filter"
    if response.status == "completed" or filtered:
        raise _declined()
    raise UnusableAnswer


def _object_in(completion: ChatCompletion) -> str:
    """Return the JSON object of the answer, without the thoughts and the fence that some models put around it."""
    choice = completion.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise _declined()
    content = (choice.message.content or "").rpartition("</think>")[2]
    return content[content.find("{") : content.rfind("}") + 1]


def _declined() -> StepFailed:
    return StepFailed("drafter_refused", "The drafting service declined to work on this story.", retryable=False)


def _failure(fault: Fault) -> StepFailed:
    refused = StepFailed("drafter_rejected", "The drafting service rejected our request.", retryable=False)
    return failed_step(fault, "drafter", "drafting", refused)
