"""Ways to send text messages: the HTTP API of Twilio and of providers with the same, or files in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters import private_files
from adapters.disk import translated_os_errors
from domain.errors import OptedOutError, RefusedError, UnavailableError

if TYPE_CHECKING:
    import httpx2

TIMEOUT_SECONDS = 10.0
TWILIO = "https://api.twilio.com"
# The recipient answered STOP to the sender.
OPTED_OUT = 21610
# The message can be sent later: a wrong token and an empty account are for the operator to mend, and 429 passes.
MENDABLE = (401, 402, 403, 404, 429)


@dataclass(frozen=True)
class TextProvider:
    """An account at a provider; messages come from `sender`, a number or a name, or from a service of the provider."""

    account: str
    token: str = field(repr=False)
    sender: str | None = None
    service: str | None = None
    base_url: str = TWILIO


class FileTexts:
    """Writes one `.txt` file for each message, readable by our account alone; the names sort by time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message_id: str, number: str, text: str) -> None:
        with translated_os_errors("text folder"):
            private_files.write(self._folder, f"{message_id}.txt", f"To: {number}\n\n{text}\n".encode())

    def recall(self, message_id: str) -> None:
        (self._folder / f"{message_id}.txt").unlink(missing_ok=True)


class TwilioTexts:
    """Sends by `POST /2010-04-01/Accounts/{account}/Messages.json`."""

    def __init__(self, provider: TextProvider, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._provider = provider
        self._timeout = timeout_seconds
        self._path = f"{provider.base_url}/2010-04-01/Accounts/{provider.account}"

    def send(self, message_id: str, number: str, text: str) -> None:
        del message_id  # the provider has no such thing
        form = {"To": number, "Body": text}
        if self._provider.service:
            form["MessagingServiceSid"] = self._provider.service
        else:
            form["From"] = self._provider.sender or ""
        answer = self._request("POST", f"{self._path}/Messages.json", form)
        if answer.is_success:
            return
        code = _code(answer)
        reason = f"text provider: {answer.status_code}" + (f", code {code}" if code else "")
        if code == OPTED_OUT:
            raise OptedOutError(reason)
        if answer.is_client_error and answer.status_code not in MENDABLE:
            raise RefusedError(reason)
        raise UnavailableError(reason)

    def recall(self, message_id: str) -> None:
        """Do nothing: the message has left."""

    def check(self) -> bool:
        """Return True if the provider accepts the account, False if it does not tell.

        RefusedError if it refuses the account, UnavailableError if it does not answer. Nothing is sent.
        """
        answer = self._request("GET", f"{self._path}.json")
        if answer.status_code in (401, 403):
            raise RefusedError("text provider: refuses the account")
        if answer.is_server_error:
            raise UnavailableError(f"text provider: {answer.status_code}")
        return bool(answer.is_success)

    def _request(self, method: str, url: str, form: Mapping[str, str] | None = None) -> "httpx2.Response":
        import httpx2

        credentials = (self._provider.account, self._provider.token)
        try:
            # A proxy or .netrc of the environment must not see the token.
            with httpx2.Client(timeout=self._timeout, auth=credentials, trust_env=False) as client:
                return client.request(method, url, data=form)
        except httpx2.HTTPError as error:
            raise UnavailableError(f"text provider: {type(error).__name__}") from None


def _code(answer: "httpx2.Response") -> int | None:
    """Return the provider's number for the error, if its answer has one."""
    try:
        content: Any = answer.json()
    except ValueError:
        return None
    code = content.get("code") if isinstance(content, dict) else None
    return code if isinstance(code, int) else None
