"""Settings are read from the environment, and no error shows a secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from adapters.quotas import MIB, OwnerKind, Quota
from entrypoints.composition.settings import Settings, SettingsError, load
from entrypoints.composition.startup_checks import unknown_variables

ROOT = Path(__file__).parents[3]
SECRET = "Kq9-canary-7Zw3vXbT5pRmLs8YdHf2Gn4"
HOLDING: dict[str, Any] = {
    "database_url": f"postgresql://ada:{SECRET}@db.example/story",
    "migrate_database_url": f"postgresql://owner:{SECRET}@db.example/story",
    "read_database_url": f"postgresql://reader:{SECRET}@standby.example/story",
    "master_key": (SECRET,),
    "email_pepper": (SECRET,),
    "checkpoint_key": (SECRET,),
    "stripe_secret_key": f"sk_live_{SECRET}",
    "stripe_webhook_secret": (f"whsec_{SECRET}",),
    "admin_diagnostics_token": SECRET,
    "metrics_token": SECRET,
    "stripe_api_base": f"https://ada:{SECRET}@stripe.example",
    "openai_api_key": f"sk-{SECRET}",
    "openai_base_url": f"https://ada:{SECRET}@openai.example",
    "openai_speech_api_key": f"sk-{SECRET}",
    "openai_speech_base_url": f"https://ada:{SECRET}@speech.example",
    "openai_draft_api_key": f"sk-{SECRET}",
    "openai_draft_base_url": f"https://ada:{SECRET}@draft.example",
    "text_token": SECRET,
    "text_api_base": f"https://ada:{SECRET}@texts.example",
    "smtp_url": f"smtp://ada:{SECRET}@mail.example",
    "mail_from": "hello@example.org",
}
# Needed with those above.
NEEDED = {"text_account": "AC1", "text_from": "+15005550006", "text_countries": ("+1",)}
PRODUCTION = HOLDING | NEEDED | {"app_env": "production", "base_url": "https://stories.example.org"}


def test_settings_print_no_secret(tmp_path: Path):
    settings = load(data_dir=tmp_path, **HOLDING, **NEEDED)
    for printed in (repr(settings), str(settings), f"{settings}", repr([settings]), repr({"settings": settings})):
        assert SECRET not in printed
        assert "mail_from" in printed


def test_quotas_have_defaults():
    quotas = Settings().quotas
    assert quotas[OwnerKind.TICKET] == Quota(recordings=20, documents=50, bytes=200 * MIB)
    assert None not in (*vars(quotas[OwnerKind.ADDRESS]).values(), *vars(quotas[OwnerKind.WORKSPACE]).values())


def test_a_quota_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match="QUOTA_ADDRESS: must be like"):
        load(data_dir=tmp_path, quota_address="few")


def test_every_setting_is_known_to_be_printed_or_not():
    """A new setting is printed only after a decision in this test."""
    hidden = {name for name, field in Settings.model_fields.items() if not field.repr}
    assert hidden == set(HOLDING) - {"mail_from"} | {"storage_url", "epoch_key_url", "rate_limit_storage"}
    for name in Settings.model_fields.keys() - hidden:
        assert not any(word in name for word in ("key", "secret", "token", "pepper", "password", "url")) or name in (
            "base_url",
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", f"mysql://ada:{SECRET}@db.example/story"),
        ("database_url", f"postgresql://ada:{SECRET}@db\u2100.example/story"),
        ("database_url", f"postgresql://ada:{SECRET}@[db.example/story"),
        ("migrate_database_url", f"postgresql://ada:{SECRET}@db\uff0f.example"),
        ("read_database_url", f"mysql://ada:{SECRET}@db.example/story"),
        ("read_database_url", f"postgresql://ada:{SECRET}@[db.example/story"),
        ("base_url", f"https://ada:{SECRET}@web\u2100.example"),
        ("epoch_key_url", f"s3://ada:{SECRET}@bucket\u2100"),
        ("storage_url", f"s3://ada:{SECRET}@bucket\u2100"),
        ("rate_limit_storage", f"redis://:{SECRET}@cache\u2100.example"),
        ("rate_limit_storage", f"memcached://:{SECRET}@cache.example"),
        ("rate_limit_storage", f"redis://:{SECRET}@cache.example:six"),
        ("cors_origins", f"https://ada:{SECRET}@app\u2100.example"),
        ("trusted_proxies", SECRET),
        ("transcriber", SECRET),
        ("port", SECRET),
        ("app_env", SECRET),
    ],
)
def test_an_invalid_setting_is_named_and_its_value_is_not_quoted(name: str, value: str):
    with pytest.raises(SettingsError, match=name.upper()) as error_info:
        load(**{name: value})
    assert SECRET not in str(error_info.value)
    assert error_info.value.__context__ is None or error_info.value.__suppress_context__


def test_production_accepts_complete_settings(tmp_path: Path):
    assert load(data_dir=tmp_path, **PRODUCTION).production


def test_production_refuses_to_start_without_a_public_address():
    with pytest.raises(SettingsError, match="BASE_URL: missing"):
        load(**(PRODUCTION | {"base_url": ""}))


def test_production_that_stores_elsewhere_needs_a_place_for_the_epoch_keys(tmp_path: Path):
    elsewhere = PRODUCTION | {"storage_url": "s3://bucket/prefix"}
    with pytest.raises(SettingsError, match="EPOCH_KEY_URL: needed"):
        load(**elsewhere)
    assert load(data_dir=tmp_path, **elsewhere, epoch_key_url="s3://keys/epoch").production


@pytest.mark.parametrize(
    ("storage", "epoch_keys"),
    [
        ("file:///data", "file:///data"),
        ("file:///data", "file:///data/objects/../epoch/"),
        ("file:///data/epoch/storage", "file:///data/epoch"),
        ("s3://bucket", "s3://bucket/epoch"),
        ("s3://bucket/epoch/storage/", "s3://bucket/epoch"),
        ("file://{data}", None),
        (None, "file://{data}/storage/epoch"),
    ],
)
def test_a_place_of_the_epoch_keys_within_the_storage_is_refused(
    storage: str | None, epoch_keys: str | None, tmp_path: Path
):
    urls = [url and url.format(data=tmp_path) for url in (storage, epoch_keys)]
    with pytest.raises(SettingsError, match="EPOCH_KEY_URL: ") as error_info:
        load(data_dir=tmp_path, storage_url=urls[0], epoch_key_url=urls[1])
    assert "\n" not in str(error_info.value)


@pytest.mark.parametrize(
    ("storage", "epoch_keys"),
    [(None, None), ("file:///data", "file:///data-keys"), ("s3://a/b", "s3://a/bc"), ("s3://a/b", "file:///b")],
)
def test_a_place_of_the_epoch_keys_beside_the_storage_is_accepted(
    storage: str | None, epoch_keys: str | None, tmp_path: Path
):
    assert load(data_dir=tmp_path, storage_url=storage, epoch_key_url=epoch_keys)


def test_production_needs_a_mail_server_or_a_decision_to_send_no_mails(tmp_path: Path):
    with pytest.raises(SettingsError, match="SMTP_URL: missing"):
        load(**(PRODUCTION | {"smtp_url": "", "mail": "/var/mail/root"}))
    assert load(data_dir=tmp_path, **(PRODUCTION | {"smtp_url": "", "mail": "off"})).mail_is_off


@pytest.mark.parametrize(
    ("variable", "setting"),
    [("SMPT_URL", "SMTP_URL"), ("STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRET"), ("EMAIL_FROM", "MAIL_FROM")],
)
def test_a_variable_that_resembles_a_setting_is_found(variable: str, setting: str):
    assert unknown_variables([variable, "DATABASE_URL", "HOME", "PATH"]) == {variable: setting}


def test_ordinary_variables_resemble_no_setting():
    assert unknown_variables(["HOSTNAME", "MAILTO", "PWD", "LANG", "TERM", "PYTHONPATH", "AWS_REGION", "SUPPORT"]) == {}


SECRETS = ("master_key", "email_pepper", "checkpoint_key", "stripe_webhook_secret", "stripe_secret_key")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", ["", " ", "changeme", "PASSWORD", "x" * 40, "short-9f8e7d6c5b4a"])
def test_production_refuses_a_missing_default_or_short_secret(name: str, value: str):
    with pytest.raises(SettingsError, match=name.upper()) as error_info:
        load(**(PRODUCTION | {name: value}))
    assert not value.strip() or value not in str(error_info.value)


@pytest.mark.parametrize("name", SECRETS[:4])
def test_production_refuses_a_bad_secret_beside_good_ones(name: str):
    with pytest.raises(SettingsError, match=name.upper()):
        load(**(PRODUCTION | {name: f"{SECRET},short"}))


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:3003"), ("::1", "http://[::1]:3003"), ("h", "http://h:3003")]
)
def test_the_public_url_is_derived_from_host_and_port(host: str, url: str):
    assert Settings(host=host, port=3003).public_url == url


def test_the_example_of_an_environment_names_only_settings():
    names = re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    own = [name for name in names if not name.startswith(("POSTGRES_", "AWS_"))]
    assert {"MASTER_KEY", "SMTP_URL"} <= set(own) <= {name.upper() for name in Settings.model_fields}
