"""A model that cannot be used is the operator's matter: the local way answers, and a metric counts it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from adapters.drafting.fallback import FallbackDrafter
from adapters.model_servers import Fault, ServerMisconfigured
from adapters.observability.counters import REGISTRY
from adapters.speech.fallback import FallbackTranscriber
from domain.errors import StepFailed
from tests.fakes.drafting import ANALYSIS, DRAFT, FakeAnalyser, FakeDrafter, heard
from tests.fakes.speech import TRANSCRIPT, FakeTranscriber

MISSING = ServerMisconfigured("transcriber_misconfigured", "Please try again later.", Fault.MODEL_MISSING)


def faults(step: str) -> float:
    labels = {"step": step, "fault": "model_missing"}
    return REGISTRY.get_sample_value("storyledger_model_faults_total", labels) or 0


def transcribed(server: FakeTranscriber, local: FakeTranscriber) -> Any:
    transcriber = FallbackTranscriber(server, lambda: local, "gpt-gone")
    return transcriber.transcribe(BytesIO(), lambda _: None, ("Ada",))


def test_the_local_engine_transcribes_if_the_model_is_missing(capsys: pytest.CaptureFixture[str]):
    before, local = faults("speech"), FakeTranscriber()
    assert transcribed(FakeTranscriber(MISSING), local) == TRANSCRIPT
    assert local.hints == [("Ada",)]
    assert faults("speech") == before + 1
    logged = capsys.readouterr()
    assert "gpt-gone" in logged.out + logged.err


@pytest.mark.parametrize(
    ("code", "retryable", "raised"),
    [
        ("no_speech", False, "no_speech"),
        ("unsupported_language", False, "transcriber_misconfigured"),
        ("timeout", True, "timeout"),
    ],
)
def test_a_recording_is_not_blamed_for_what_only_the_local_engine_refuses(code: str, retryable: bool, raised: str):
    with pytest.raises(StepFailed) as failed:
        transcribed(FakeTranscriber(MISSING), FakeTranscriber(StepFailed(code, "No.", retryable=retryable)))
    assert failed.value.code == raised


def test_other_failures_are_not_answered_locally():
    busy, local = StepFailed("transcriber_busy", "Later.", retryable=True), FakeTranscriber()
    with pytest.raises(StepFailed):
        transcribed(FakeTranscriber(busy), local)
    assert local.hints == []


def test_the_local_rules_analyse_and_draft_if_the_model_is_missing():
    before = faults("draft")
    both = FallbackDrafter(
        FakeAnalyser(failure=MISSING), FakeDrafter(failure=MISSING), lambda: (FakeAnalyser(), FakeDrafter()), "gpt-gone"
    )
    assert both.analyse(TRANSCRIPT) == ANALYSIS
    assert both.draft(TRANSCRIPT, ANALYSIS) == heard(DRAFT, TRANSCRIPT)
    assert faults("draft") == before + 2
