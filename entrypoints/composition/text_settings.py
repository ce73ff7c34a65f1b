"""The settings of text messages, and what is missing in them."""

import re
from collections.abc import Iterator

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.texts.limits import TextQuota
from adapters.texts.transports import TWILIO, TextProvider
from entrypoints.composition.setting_types import Listed, Optional, Secret, SecretWebUrl

_PREFIX = re.compile(r"\+[1-9][0-9]{0,6}")
# A number in E.164, a short code, or a name of at most 11 letters.
_SENDER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11}")


class TextSettings(BaseSettings):
    """One field for each environment variable about text messages, in lower case."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True, hide_input_in_errors=True)

    texts: str = ""
    text_account: Optional = None
    text_token: Secret = None
    text_from: Optional = None
    text_service: Optional = None
    text_api_base: SecretWebUrl = None
    text_countries: Listed = ()
    text_limit_number: int = Field(5, ge=1, le=1_000)
    text_limit_address: int = Field(20, ge=1, le=10_000)
    text_limit_day: int = Field(500, ge=1, le=10_000_000)

    @field_validator("texts")
    @classmethod
    def _texts(cls, value: str) -> str:
        if value.strip().lower() not in ("", "off"):
            raise ValueError("must be off, or nothing")
        return value.strip().lower()

    @field_validator("text_account", "text_service")
    @classmethod
    def _id(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", value):
            raise ValueError("must be an id of the provider, like AC…")
        return value

    @field_validator("text_from")
    @classmethod
    def _sender_of_texts(cls, value: str | None) -> str | None:
        if value is not None and not _SENDER.fullmatch(value):
            raise ValueError("must be a number like +34600000000, a short code, or a name of at most 11 letters")
        return value

    @field_validator("text_countries")
    @classmethod
    def _prefixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_PREFIX.fullmatch, value)):
            raise ValueError("must be the beginnings of numbers, like +34,+52")
        return value

    @property
    def text_provider(self) -> TextProvider | None:
        """Return the account at the provider, or None if none is set."""
        if not (self.text_account and self.text_token):
            return None
        base_url = self.text_api_base or TWILIO
        return TextProvider(self.text_account, self.text_token, self.text_from, self.text_service, base_url)

    @property
    def text_quota(self) -> TextQuota:
        return TextQuota(self.text_limit_number, self.text_limit_address, self.text_limit_day, self.text_countries)

    @property
    def text_faults(self) -> Iterator[str]:
        """Yield a line for each variable that the others need."""
        if self.texts == "off" or not (self.text_account or self.text_token or self.text_from or self.text_service):
            return
        if not self.text_account:
            yield "TEXT_ACCOUNT: needed for text messages"
        if not self.text_token:
            yield "TEXT_TOKEN: needed with TEXT_ACCOUNT"
        if not (self.text_from or self.text_service):
            yield "TEXT_FROM: needed with TEXT_ACCOUNT, or TEXT_SERVICE"
        if not self.text_countries:
            yield "TEXT_COUNTRIES: needed with TEXT_ACCOUNT, because text messages to some countries are expensive"
