"""The ways out: an SMTP server, or files in a folder where there is none."""

from __future__ import annotations

import os
import secrets
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from adapters.mail.messages import address_of
from domain.errors import RefusedError, UnavailableError

# For each word with the server; a whole mail takes ten of them at the most.
TIMEOUT_SECONDS = 10.0
SMTPS_PORT = 465
SUBMISSION_PORT = 587
RELAY_PORT = 25


class MailTransport(Protocol):
    """Delivering the same message again is no error; whoever gets both knows them by their Message-ID."""

    def deliver(self, message: EmailMessage) -> None:
        """Hand the message over for good; UnavailableError if later may help, RefusedError if nothing will.

        Neither error names a person.
        """

    def recall(self, message_id: str) -> None:
        """Take back what is still in our own hands of a message; no error if nothing is."""


class FileTransport:
    """One `.eml` file for each message, for our account alone; named by time, so that the newest is the last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, message: EmailMessage) -> None:
        name = f"{message['Date'].datetime:%Y%m%dT%H%M%S.%fZ}-{_name(message['Message-ID'])}.eml"
        draft = self._folder / f".{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / name)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise UnavailableError(f"mail folder: {error.strerror or 'failed'}") from None

    def recall(self, message_id: str) -> None:
        for file in self._folder.glob(f"*-{_name(message_id)}.eml"):
            file.unlink(missing_ok=True)


def _name(message_id: str) -> str:
    return message_id.strip("<>").partition("@")[0]


class SmtpTransport:
    """`smtp://` or `smtps://`, with `user:password@` where the server wants them (percent-encoded).

    Credentials go over a connection only whose server proved its name (RFC 8314). Without them `smtp://` is encrypted
    where the server offers it, whoever it says it is: somebody in between could as well hide the offer.
    """

    def __init__(self, url: str, sender: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._from_the_start = parts.scheme == "smtps"
        usual = SMTPS_PORT if self._from_the_start else SUBMISSION_PORT if self._user else RELAY_PORT
        self._port = parts.port or usual
        self._sender = address_of(sender)
        self._timeout = timeout_seconds

    def deliver(self, message: EmailMessage) -> None:
        try:
            server = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            raise UnavailableError(f"SMTP connection: {_category(error)}") from None
        try:
            self._say_who_we_are(server)
            _hand_over(server, message, self._sender)
        except (smtplib.SMTPException, OSError) as error:
            raise UnavailableError(f"SMTP: {_category(error)}") from None
        finally:
            # However it parts: what was accepted is accepted.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def recall(self, message_id: str) -> None:
        """What was handed over is with others."""

    def _connected(self) -> smtplib.SMTP:
        # The name that we greet with: to look up our own may take long where there is no name service.
        greeting = self._sender.rpartition("@")[2]
        if self._from_the_start:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=greeting, timeout=self._timeout, context=context
            )
        return smtplib.SMTP(self._host, self._port, local_hostname=greeting, timeout=self._timeout)

    def _say_who_we_are(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if not self._from_the_start and (self._user or server.has_extn("starttls")):
            context = ssl.create_default_context()
            if not self._user:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            # SMTPNotSupportedError where credentials would go in clear.
            server.starttls(context=context)
            server.ehlo()
        if self._user:
            server.login(self._user, self._password)


def _hand_over(server: smtplib.SMTP, message: EmailMessage, sender: str) -> None:
    try:
        server.send_message(message, sender, [message["To"].addresses[0].addr_spec])
    except smtplib.SMTPRecipientsRefused as refusal:
        # What a server says for good has a 5 in front (RFC 5321, 4.2.1).
        [(code, _)] = refusal.recipients.values()
        raise (RefusedError if code >= 500 else UnavailableError)(f"SMTP recipient: {code}") from None
    except smtplib.SMTPDataError as refusal:
        code = refusal.smtp_code
        raise (RefusedError if code >= 500 else UnavailableError)(f"SMTP message: {code}") from None
    except smtplib.SMTPNotSupportedError:
        raise RefusedError("SMTP: the server takes no such address") from None


def _category(error: Exception) -> str:
    """What is the matter, without the server's words: they may quote an address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if isinstance(code, int) and code > 0 else type(error).__name__
