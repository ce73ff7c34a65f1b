"""Servers of models that have OpenAI's API: how one is reached, what its errors mean, and who answers instead of it."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from adapters.observability.counters import model_faults
from domain.errors import StepFailed

if TYPE_CHECKING:
    from openai import APIError, Omit, OpenAI

logger = structlog.get_logger()

DEFAULT_SPEECH_MODEL = "gpt-transcribe"
DEFAULT_DRAFT_MODEL = "gpt-5.4-mini"

OPENAI_URL = "https://api.openai.com/v1"

# The words in which OpenAI, vLLM, Ollama and speaches say that they do not have a model, or not for this key.
_MISSING_MODEL = re.compile(
    r"model_not_found|invalid model|access to model"
    r"|\bmodel\b.{0,120}(not exist|not found|not installed|not available|deprecated|shut down|retired)",
    re.IGNORECASE | re.DOTALL,
)
_ENDPOINT_MISSING_STATUS = (404, 405, 501)
_MODEL_MISSING_STATUS = (400, 403, 404, 410, 422)
_RETRYABLE_STATUS = (408, 409)


@dataclass(frozen=True)
class ModelServer:
    """A model and the server that runs it: OpenAI's without a `base_url`. Without an `api_key` no key is sent."""

    model: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = field(default=None, repr=False)

    def client(self, timeout_seconds: float, retries: int) -> "OpenAI":
        from openai import OpenAI, Timeout

        return OpenAI(
            # For both the library would read the environment if they were None.
            api_key=self.api_key or "none",
            base_url=self.base_url or OPENAI_URL,
            timeout=Timeout(timeout_seconds, connect=5.0),
            max_retries=retries,
        )

    @property
    def headers(self) -> "dict[str, str | Omit]":
        """Return the headers of each request; without a key the library must be told to send none."""
        from openai import Omit

        return {} if self.api_key else {"Authorization": Omit()}


class Fault(StrEnum):
    """The reason why a server gave no answer."""

    MODEL_MISSING = "model_missing"
    KEY_REJECTED = "key_rejected"
    ENDPOINT_MISSING = "endpoint_missing"
    BUSY = "busy"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


# The metric starts at 0, so that an alert sees its first increase.
for _step in ("speech", "draft"):
    for _fault in (Fault.MODEL_MISSING, Fault.KEY_REJECTED, Fault.ENDPOINT_MISSING):
        model_faults.labels(_step, _fault.value)


class ServerMisconfigured(StepFailed):
    """The server does not answer until the operator changes something. What was sent to it is not the cause."""

    def __init__(self, code: str, message: str, fault: Fault) -> None:
        super().__init__(code, message, retryable=True)
        self.fault = fault


def failed_step(fault: Fault, service: str, name: str, refused: StepFailed) -> StepFailed:
    """Return the failure of a step: its code begins with `service`, and its message names the service.

    `refused` is the failure if the server refuses what was sent to it.
    """
    match fault:
        case Fault.KEY_REJECTED:
            message = f"The {name} service rejected our API key. Please try again later."
            return ServerMisconfigured(f"{service}_rejected", message, fault)
        case Fault.MODEL_MISSING | Fault.ENDPOINT_MISSING:
            message = f"Our {name} service is not set up correctly. Please try again later."
            return ServerMisconfigured(f"{service}_misconfigured", message, fault)
        case Fault.BUSY:
            message = f"The {name} service is busy. We will try again later."
            return StepFailed(f"{service}_busy", message, retryable=True)
        case Fault.REFUSED:
            return refused
        case Fault.UNAVAILABLE:
            return StepFailed(f"{service}_unavailable", f"The {name} service cannot be reached.", retryable=True)


def report_misconfigured(step: str, model: str, fault: Fault) -> None:
    """Tell the operator that a server does not answer because of the settings."""
    model_faults.labels(step, fault.value).inc()
    logger.error("a model cannot be used, the local way answers instead", step=step, model=model, fault=fault.value)


def fault_of(error: "APIError") -> Fault:
    """Return the reason of an error. The error's text may quote the key or what was sent, and must not be logged."""
    status = getattr(error, "status_code", None)
    if status in _MODEL_MISSING_STATUS and (error.param == "model" or _MISSING_MODEL.search(_said(error))):
        return Fault.MODEL_MISSING
    if status in (401, 403):
        return Fault.KEY_REJECTED
    if status in _ENDPOINT_MISSING_STATUS:
        return Fault.ENDPOINT_MISSING
    if status == 429:
        return Fault.BUSY
    if status is None or status >= 500 or status in _RETRYABLE_STATUS:
        return Fault.UNAVAILABLE
    return Fault.REFUSED


def _said(error: "APIError") -> str:
    return f"{error.code} {error.message}"[:2000]
