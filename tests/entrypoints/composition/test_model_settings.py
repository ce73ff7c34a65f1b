"""The models that transcribe and draft, their servers and keys."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.model_servers import DEFAULT_DRAFT_MODEL, DEFAULT_SPEECH_MODEL, ModelServer
from entrypoints.composition.settings import SettingsError, load
from tests.commands import run_here

OWN = "http://models.example:8000/v1"


@pytest.mark.parametrize(
    ("given", "speech", "drafting"),
    [
        ({}, "local", "local"),
        ({"openai_api_key": "sk-1"}, "openai", "openai"),
        ({"openai_speech_base_url": OWN}, "openai", "local"),
        ({"openai_draft_api_key": "sk-1"}, "local", "openai"),
        ({"openai_api_key": "sk-1", "drafter": "local"}, "openai", "local"),
    ],
)
def test_a_key_or_server_of_its_own_chooses_openai_for_a_step(given: dict[str, Any], speech: str, drafting: str):
    settings = load(**given)
    assert (settings.speech, settings.drafting) == (speech, drafting)


def test_each_step_has_a_model_a_server_and_a_key_of_its_own():
    settings = load(
        openai_api_key="sk-1",
        openai_base_url="https://gateway.example/v1/",
        openai_draft_model="qwen3:8b",
        openai_draft_base_url=OWN,
        openai_draft_api_key="sk-2",
    )
    assert settings.speech_server == ModelServer(DEFAULT_SPEECH_MODEL, "sk-1", "https://gateway.example/v1")
    assert settings.draft_server == ModelServer("qwen3:8b", "sk-2", OWN)
    assert "sk-" not in repr([settings.speech_server, settings.draft_server])


def test_a_server_of_ones_own_may_need_no_key():
    settings = load(transcriber="openai", openai_base_url=OWN, drafter="local")
    assert settings.speech_server == ModelServer(DEFAULT_SPEECH_MODEL, None, OWN)
    both = load(openai_api_key="sk-1", openai_draft_base_url=OWN, openai_draft_api_key="none")
    assert both.draft_server == ModelServer(DEFAULT_DRAFT_MODEL, None, OWN)


@pytest.mark.parametrize("given", [{"transcriber": "openai"}, {"drafter": "openai", "openai_speech_base_url": OWN}])
def test_openai_itself_needs_a_key(given: dict[str, Any]):
    with pytest.raises(SettingsError, match="OPENAI_API_KEY: needed"):
        load(**given)


def test_only_a_model_that_is_used_and_has_an_announced_end_is_warned_of():
    ending = {"openai_draft_model": "gpt-5-mini", "openai_speech_model": "whisper-1"}
    assert list(load(**ending).model_warnings) == []
    assert list(load(openai_api_key="sk-1").model_warnings) == []
    [speech, draft] = load(openai_api_key="sk-1", **ending).model_warnings
    assert speech == "OPENAI_SPEECH_MODEL: OpenAI stops whisper-1 on 2027-02-26; choose another model before"
    assert "gpt-5-mini on 2026-12-11" in draft


def test_the_start_warns_of_a_model_that_will_end():
    nowhere = "postgresql://ada@127.0.0.1:1/story"
    started = run_here(
        "serve", "--processes", "1", database_url=nowhere, openai_api_key="sk-1", openai_draft_model="gpt-5-mini"
    )
    assert started.returncode == 1
    assert "OpenAI stops gpt-5-mini on 2026-12-11" in started.stdout + started.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("speech_device", "tpu"), ("openai_draft_base_url", "models.example"), ("openai_speech_model", "a\nb")],
)
def test_an_invalid_setting_is_named(name: str, value: str):
    with pytest.raises(SettingsError, match=name.upper()):
        load(**{name: value})
