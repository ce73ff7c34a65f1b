"""The settings of the models that transcribe and draft, and the warnings about them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.model_ends import announced_end
from adapters.model_servers import DEFAULT_DRAFT_MODEL, DEFAULT_SPEECH_MODEL, ModelServer
from entrypoints.composition.setting_types import Optional, Secret, SecretWebUrl, blank_is, blank_is_none

# The value of a key that sends none, where OPENAI_API_KEY would be sent otherwise.
NO_KEY = "none"

Engine = Annotated[Literal["local", "openai"] | None, BeforeValidator(blank_is_none)]


class ModelSettings(BaseSettings):
    """One field for each environment variable about models, in lower case."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True, hide_input_in_errors=True)

    transcriber: Engine = None
    drafter: Engine = None
    speech_model: Optional = None
    speech_device: Annotated[Literal["cpu", "cuda"], blank_is("cpu")] = "cpu"
    openai_api_key: Secret = None
    openai_base_url: SecretWebUrl = None
    openai_speech_model: Optional = None
    openai_speech_api_key: Secret = None
    openai_speech_base_url: SecretWebUrl = None
    openai_draft_model: Optional = None
    openai_draft_api_key: Secret = None
    openai_draft_base_url: SecretWebUrl = None

    @field_validator("openai_speech_model", "openai_draft_model", "speech_model")
    @classmethod
    def _model(cls, value: str | None) -> str | None:
        if value is not None and (len(value) > 300 or not value.isprintable()):
            raise ValueError("must be the name of a model")
        return value and value.strip()

    @property
    def speech(self) -> str:
        own = self.openai_speech_api_key or self.openai_speech_base_url
        return self.transcriber or ("openai" if self.openai_api_key or own else "local")

    @property
    def drafting(self) -> str:
        own = self.openai_draft_api_key or self.openai_draft_base_url
        return self.drafter or ("openai" if self.openai_api_key or own else "local")

    @property
    def speech_server(self) -> ModelServer:
        """Return the server that transcribes if TRANSCRIBER is openai."""
        return ModelServer(
            self.openai_speech_model or DEFAULT_SPEECH_MODEL,
            self._key(self.openai_speech_api_key),
            self.openai_speech_base_url or self.openai_base_url,
        )

    @property
    def draft_server(self) -> ModelServer:
        """Return the server that drafts if DRAFTER is openai."""
        return ModelServer(
            self.openai_draft_model or DEFAULT_DRAFT_MODEL,
            self._key(self.openai_draft_api_key),
            self.openai_draft_base_url or self.openai_base_url,
        )

    @property
    def servers(self) -> dict[str, ModelServer]:
        """Return the servers that are used, by the variable that names the model."""
        servers = {}
        if self.speech == "openai":
            servers["OPENAI_SPEECH_MODEL"] = self.speech_server
        if self.drafting == "openai":
            servers["OPENAI_DRAFT_MODEL"] = self.draft_server
        return servers

    @property
    def model_fault(self) -> str | None:
        """Return what is missing, or None. Only a server of one's own may need no key."""
        for server in self.servers.values():
            if server.api_key is None and server.base_url is None:
                return "OPENAI_API_KEY: needed by TRANSCRIBER or DRAFTER openai"
        return None

    @property
    def model_warnings(self) -> Iterator[str]:
        """Yield a line for each model that is used and has an announced end."""
        for variable, server in self.servers.items():
            if end := announced_end(server.model):
                yield f"{variable}: OpenAI stops {server.model} on {end}; choose another model before"

    def _key(self, own: str | None) -> str | None:
        key = own or self.openai_api_key
        return None if key is None or key.strip().lower() == NO_KEY else key
