"""The environment selects what sends text messages, and what is missing is reported before the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.texts.transports import FileTexts, TextProvider, TwilioTexts
from entrypoints.composition.diagnosis import surroundings
from entrypoints.composition.diagnosis.findings import State
from entrypoints.composition.mail import text_sender
from entrypoints.composition.settings import SettingsError, load, read
from tests.fakes.text_provider import ACCOUNT, SENDER, TOKEN, text_provider_server

PROVIDER: dict[str, Any] = {
    "text_account": ACCOUNT,
    "text_token": TOKEN,
    "text_from": SENDER,
    "text_countries": "+34, +52",
}


def test_without_a_provider_texts_are_files_in_development_and_off_in_production(tmp_path: Path):
    assert isinstance(text_sender(load(data_dir=tmp_path)), FileTexts)
    assert text_sender(load(data_dir=tmp_path, texts="Off")) is None
    production = read(app_env="production")
    assert production.texts_are_off
    assert text_sender(production) is None


def test_an_account_is_used_with_its_sender_and_countries():
    settings = load(**PROVIDER)
    assert settings.text_provider == TextProvider(ACCOUNT, TOKEN, SENDER)
    assert isinstance(text_sender(settings), TwilioTexts)
    assert settings.text_quota.countries == ("+34", "+52")
    assert load(**PROVIDER, text_api_base="https://texts.example/").text_provider.base_url == "https://texts.example"
    assert text_sender(load(**PROVIDER, texts="off")) is None
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize("missing", ["text_account", "text_token", "text_from", "text_countries"])
def test_half_an_account_is_reported(missing: str):
    with pytest.raises(SettingsError, match=missing.upper()):
        load(**{name: value for name, value in PROVIDER.items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        {"text_from": "a name that is long"},
        {"text_account": "../AC1"},
        {"text_api_base": "texts.example"},
        {"text_countries": "34"},
        {"text_limit_day": "0"},
        {"texts": "on"},
    ],
)
def test_a_wrong_value_is_reported_without_being_quoted(wrong: dict[str, Any]):
    [(name, value)] = wrong.items()
    with pytest.raises(SettingsError, match=name.upper()) as error_info:
        load(**{**PROVIDER, **wrong})
    assert value == "on" or f" {value}" not in str(error_info.value)


def test_the_doctor_asks_the_provider_and_sends_nothing(tmp_path: Path):
    with text_provider_server() as provider:
        settings = read(**PROVIDER, text_api_base=provider.url)
        wrong = read(**{**PROVIDER, "text_token": "wrong"}, text_api_base=provider.url)
        states = [[each.state for each in surroundings.check_texts(given)] for given in (settings, wrong)]
    assert states == [[State.OK], [State.ODD]]
    assert provider.forms == []
    for off in ({}, {"texts": "off"}, {"app_env": "production"}):
        assert [each.state for each in surroundings.check_texts(read(data_dir=tmp_path, **off))] == [State.OFF]
