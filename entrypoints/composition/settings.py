"""The settings of a process, read once from the environment and checked."""

import logging
import re
from collections.abc import Iterator
from decimal import Decimal
from email.utils import getaddresses
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from adapters.postgres.database import conninfo
from adapters.quotas import OwnerKind, Quota
from adapters.storage.factory import overlaps
from entrypoints.composition.model_settings import ModelSettings
from entrypoints.composition.setting_types import (
    Listed,
    Optional,
    Secret,
    Secrets,
    SecretWebUrl,
    WebUrl,
    blank_is,
    split_url,
)
from entrypoints.composition.text_settings import TextSettings

MIN_SECRET_BYTES = 32
_RATE = re.compile(r"[1-9][0-9]*/(?:[1-9][0-9]*)?(?:second|minute|hour|day)s?")
_DEFAULTS = frozenset({"changeme", "secret", "password", "default", "example", "test"})


class SettingsError(Exception):
    """The service cannot run with these settings; the message is one line."""


class NoDataError(SettingsError):
    """The data folder holds no data, and the command creates none."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(f"DATA_DIR: {data_dir} holds no data; `storyledger serve` creates it")


def is_rate(text: str) -> bool:
    """Return True if the text is a rate limit such as 100/minute."""
    return _RATE.fullmatch(text) is not None


def _is_conninfo(url: str) -> bool:
    """Return True if libpq accepts the URL; several hosts have several ports, separated by commas."""
    try:
        ports = str(conninfo_to_dict(conninfo(url)).get("port") or "").split(",")
    except ProgrammingError:
        return False
    return all(port == "" or (port.isdecimal() and 0 < int(port) < 2**16) for port in ports)


def _is_redis_url(url: str) -> bool:
    """Return True if the Redis library accepts the URL and uses every part of it."""
    from redis import ConnectionPool

    try:
        parts, port = urlsplit(url), urlsplit(url).port
        # This creates a connection without opening it.
        ConnectionPool.from_url(url).make_connection()
    except (ValueError, TypeError):
        return False
    database = parts.path.strip("/")
    return bool(parts.hostname) and port != 0 and (not database or database.isdecimal())


class Settings(ModelSettings, TextSettings):
    """One field for each environment variable that the service reads, in lower case."""

    app_env: Literal["development", "production", "test"] = "development"
    database_url: Secret = None
    migrate_database_url: Secret = None
    read_database_url: Secret = None
    # An empty path would mean the current folder.
    data_dir: Annotated[Path, blank_is("var")] = Path("var")
    storage_url: Secret = None
    epoch_key_url: Secret = None
    epoch_hours: float = Field(24, gt=0, le=8760)
    host: str = "127.0.0.1"
    port: int = Field(3003, ge=0, le=65535)
    base_url: WebUrl = None
    master_key: Secrets = ()
    email_pepper: Secrets = ()
    checkpoint_key: Secrets = ()
    stripe_secret_key: Secret = None
    stripe_webhook_secret: Secrets = ()
    stripe_api_base: SecretWebUrl = None
    intake: Annotated[Literal["open", "closed"], blank_is("open")] = "open"
    # In the major unit of each currency; None lets one person refund any amount.
    refund_two_person_over: Annotated[Decimal, Field(ge=0)] | None = None
    smtp_url: Secret = None
    mail_from: Optional = None
    reply_to: Optional = None
    operator_name: Optional = None
    operator_address: Optional = None
    operator_contact: Optional = None
    # Login shells set this variable to the path of a mailbox; only `off` means something here.
    mail: str = ""
    save_qr_images: bool = False
    cors_origins: Listed = ()
    trusted_proxies: Listed = ()
    rate_limit_default: str = "100/minute"
    rate_limit_payment: str = "10/minute"
    rate_limit_create: str = "30/hour"
    rate_limit_page: str = "600/minute"
    rate_limit_gift: str = "120/minute"
    quota_ticket: str = "20 recordings, 50 documents, 200 MB"
    quota_address: str = "100 recordings, 250 documents, 1000 MB, 240 minutes"
    quota_workspace: str = "1000 recordings, 2500 documents, 10000 MB, 6000 minutes"
    min_free_mb: int = Field(1024, ge=0, le=1_000_000_000)
    address_days: int = Field(90, ge=1, le=3650)
    webhook_days: int = Field(90, ge=1, le=3650)
    rate_limit_storage: str = Field("memory://", repr=False)
    admin_diagnostics_token: Secret = None
    metrics_token: Secret = None
    db_outage_exit_seconds: float = Field(300, ge=0, le=86_400)
    # OpenTelemetry reads these itself, and the other variables of its standard environment.
    otel_exporter_otlp_endpoint: Optional = None
    otel_exporter_otlp_traces_endpoint: Optional = None
    log_level: Annotated[str, Field(validation_alias=AliasChoices("LOG_LEVEL"))] = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return keywords and the environment as the only sources: looking for each field in another takes 3 ms."""
        return init_settings, env_settings

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.strip() and value.strip().upper() not in logging.getLevelNamesMapping():
            raise ValueError("must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
        return value.strip()

    @field_validator("database_url", "migrate_database_url", "read_database_url")
    @classmethod
    def _postgresql(cls, value: str | None) -> str | None:
        if value is not None and split_url(value).scheme not in ("postgresql", "postgres"):
            raise ValueError("must be a postgresql:// URL")
        if value is not None and not _is_conninfo(value):
            raise ValueError("is not a well-formed postgresql:// URL")
        return value

    @field_validator("storage_url", "epoch_key_url")
    @classmethod
    def _storage(cls, value: str | None) -> str | None:
        if value is not None:
            parts = split_url(value)
            if parts.scheme not in ("file", "s3") or (parts.scheme == "s3" and not parts.netloc):
                raise ValueError("must be a file:// URL or s3://bucket/prefix")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parts = urlsplit(value)
                has_server = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
            except ValueError:
                has_server = False
            if not has_server or parts.path.strip("/") or parts.query or parts.fragment:
                raise ValueError("must be an smtp:// or smtps:// URL")
        return value

    @field_validator("mail_from", "reply_to")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        if value is not None:
            from email_validator import EmailNotValidError, validate_email

            addresses = [address for _, address in getaddresses([value])]
            try:
                validate_email(addresses[0], check_deliverability=False, test_environment=True)
                valid = len(addresses) == 1 and value.isprintable() and addresses[0].isascii()
            except EmailNotValidError:
                valid = False
            if not valid:
                raise ValueError("must be one address in ASCII, like Storyledger <hello@example.org>")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = split_url(origin)
            if f"{parts.scheme}://{parts.netloc}" != origin or parts.scheme not in ("http", "https"):
                raise ValueError("must be origins like https://app.example, without a path")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for network in value:
                ip_network(network, strict=False)
        except ValueError:
            raise ValueError("must be addresses or networks like 10.0.0.0/8") from None
        return value

    @field_validator(
        "rate_limit_default", "rate_limit_payment", "rate_limit_create", "rate_limit_page", "rate_limit_gift"
    )
    @classmethod
    def _rate(cls, value: str) -> str:
        if not is_rate(value):
            raise ValueError("must be a rate like 100/minute")
        return value

    @field_validator("quota_ticket", "quota_address", "quota_workspace")
    @classmethod
    def _quota(cls, value: str) -> str:
        Quota.parse(value)
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _counter(cls, value: str) -> str:
        scheme = split_url(value).scheme
        if scheme not in ("memory", "redis", "rediss"):
            raise ValueError("must be memory:// or a redis:// URL")
        if scheme != "memory" and find_spec("redis") is None:
            raise ValueError("needs the library redis, which is not installed")
        if scheme != "memory" and not _is_redis_url(value):
            raise ValueError("is not a well-formed redis:// URL")
        return value

    @property
    def shared_rate_limits(self) -> str | None:
        """Return the URL of the store that processes share, or None if each process counts alone."""
        return None if self.rate_limit_storage.startswith("memory:") else self.rate_limit_storage

    @property
    def quotas(self) -> dict[OwnerKind, Quota]:
        """Return the daily quotas."""
        return {kind: Quota.parse(getattr(self, f"quota_{kind}")) for kind in OwnerKind}

    @property
    def port_is_given(self) -> bool:
        """Return True if PORT is set."""
        return "port" in self.model_fields_set

    @property
    def production(self) -> bool:
        return self.app_env == "production"

    @property
    def secrets(self) -> dict[str, tuple[str, ...]]:
        """Return all values of each secret; the tuple is empty if a secret is not set."""
        lists = ("master_key", "email_pepper", "checkpoint_key", "stripe_webhook_secret")
        tokens = ("stripe_secret_key", "admin_diagnostics_token", "metrics_token")
        values = {name: getattr(self, name) for name in (*lists, *tokens)}
        return values | {name: (values[name],) if values[name] else () for name in tokens}

    @property
    def traced(self) -> bool:
        """Return True if traces are sent somewhere."""
        return bool(self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint)

    @property
    def sandbox(self) -> bool:
        """Return True if payments go to the sandbox: outside production, without a Stripe key."""
        return self.stripe_secret_key is None and not self.production

    @property
    def livemode(self) -> bool:
        return self.stripe_secret_key is not None and "_live_" in self.stripe_secret_key

    @property
    def storage(self) -> str:
        """Return the URL of the storage of recordings and documents."""
        return self.storage_url or (self.data_dir / "storage").absolute().as_uri()

    @property
    def epoch_keys(self) -> str:
        """Return the URL of the place of the epoch keys."""
        return self.epoch_key_url or (self.data_dir / "epoch").absolute().as_uri()

    @property
    def outbox(self) -> Path:
        """Return the folder to which mails are written without an SMTP server."""
        return self.data_dir / "outbox"

    @property
    def public_url(self) -> str:
        """Return the public URL of the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.base_url or f"http://{host}:{self.port}"

    @property
    def mail_is_off(self) -> bool:
        """Return True if no mail is sent: MAIL=off."""
        return self.mail.strip().lower() == "off"

    @property
    def texts_are_off(self) -> bool:
        """Return True if no text message is sent: TEXTS=off, or in production no account at a provider."""
        return self.texts == "off" or (self.production and self.text_provider is None)

    @property
    def sender(self) -> str:
        """Return the sender of mails."""
        return self.mail_from or "Storyledger <storyledger@localhost>"


def load(**overrides: Any) -> Settings:
    """Return the settings from the environment; SettingsError names each wrong variable, but never its value."""
    settings = read(**overrides)
    if faults := list(faults_of(settings)):
        raise SettingsError("; ".join(faults))
    return settings


def read(**overrides: Any) -> Settings:
    """Return the settings even if the service refuses to start with them; SettingsError if one cannot be read."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "; ".join(
            f"{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_input=False)
        )
        raise SettingsError(faults) from None


def faults_of(settings: Settings) -> Iterator[str]:
    """Yield a line for each reason why the service refuses to start with these settings."""
    if fault := settings.model_fault:
        yield fault
    yield from settings.text_faults
    if settings.smtp_url is not None and settings.mail_from is None:
        yield "MAIL_FROM: needed with SMTP_URL"
    if overlaps(settings.storage, settings.epoch_keys):
        yield "EPOCH_KEY_URL: must be apart from STORAGE_URL, or backups would contain the epoch keys"
    if settings.production:
        yield from _missing_in_production(settings)
        yield from weak_secrets(settings)


def _is_default(secret: str) -> bool:
    """Return True for a placeholder, also if it is repeated or padded, and for a value of very few characters."""
    rest = re.sub("|".join(_DEFAULTS), "", secret.casefold())
    return len(set(secret)) < 8 or (rest != secret.casefold() and len(rest) < MIN_SECRET_BYTES / 2)


def _missing_in_production(settings: Settings) -> Iterator[str]:
    if settings.storage_url is not None and settings.epoch_key_url is None:
        yield "EPOCH_KEY_URL: needed with STORAGE_URL, because DATA_DIR may not be kept"
    if settings.base_url is None:
        yield "BASE_URL: missing"
    if settings.smtp_url is None and not settings.mail_is_off:
        yield "SMTP_URL: missing (MAIL=off sends no mails)"
    if settings.database_url is None:
        yield "DATABASE_URL: missing"
    if settings.stripe_secret_key is None:
        yield "STRIPE_SECRET_KEY: missing (sandbox payments are for development only)"
    for name in ("master_key", "email_pepper", "checkpoint_key", "stripe_webhook_secret"):
        if not getattr(settings, name):
            yield f"{name.upper()}: missing"


def weak_secrets(settings: Settings) -> Iterator[str]:
    """Yield a line for each default and each short secret."""
    for name, values in settings.secrets.items():
        for value in values:
            if _is_default(value):
                yield f"{name.upper()}: a default is no secret"
            elif len(value.encode()) < MIN_SECRET_BYTES:
                yield f"{name.upper()}: shorter than {MIN_SECRET_BYTES} bytes"
