"""Mail transports: an SMTP server, files in a folder if no server is configured, or none."""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from adapters import private_files
from adapters.disk import translated_os_errors
from adapters.mail.messages import address_of
from domain.errors import RefusedError, UnavailableError

# For each exchange with the server; a whole mail takes at most ten exchanges.
TIMEOUT_SECONDS = 10.0
SMTPS_PORT = 465
SUBMISSION_PORT = 587
RELAY_PORT = 25


class MailTransport(Protocol):
    """Delivers messages. It may deliver a message twice; both copies have the same Message-ID."""

    def deliver(self, message: EmailMessage) -> None:
        """Hand the message over; UnavailableError if a later attempt may succeed, RefusedError if none can.

        Neither error's message contains personal data.
        """

    def recall(self, message_id: str) -> None:
        """Delete the message if it is still in our own folder; no error if it is not."""


class NoTransport:
    """Delivers nothing, for organisations that write to people themselves."""

    def deliver(self, message: EmailMessage) -> None:
        """Discard the message."""

    def recall(self, message_id: str) -> None:
        """Do nothing: no message is kept."""


class FileTransport:
    """Writes one `.eml` file for each message, readable by our account alone; the names sort by time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, message: EmailMessage) -> None:
        name = f"{message['Date'].datetime:%Y%m%dT%H%M%S.%fZ}-{_name(message['Message-ID'])}.eml"
        with translated_os_errors("mail folder"):
            private_files.write(self._folder, name, message.as_bytes())

    def recall(self, message_id: str) -> None:
        for file in self._folder.glob(f"*-{_name(message_id)}.eml"):
            file.unlink(missing_ok=True)


def _name(message_id: str) -> str:
    return message_id.strip("<>").partition("@")[0]


class SmtpTransport:
    """Sends to `smtp://` or `smtps://`, with `user:password@` (percent-encoded) if the server requires a login.

    Credentials are sent only to a server whose certificate is verified (RFC 8314). Without credentials `smtp://` is
    encrypted if the server offers it, and the certificate is not verified: an attacker on the connection could remove
    the offer anyway.
    """

    def __init__(self, url: str, sender: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._implicit_tls = parts.scheme == "smtps"
        default_port = SMTPS_PORT if self._implicit_tls else SUBMISSION_PORT if self._user else RELAY_PORT
        self._port = parts.port or default_port
        self._sender = address_of(sender)
        self._timeout = timeout_seconds

    def deliver(self, message: EmailMessage) -> None:
        try:
            server = self._connect()
        except (smtplib.SMTPException, OSError) as error:
            raise UnavailableError(f"SMTP connection: {_category(error)}") from None
        try:
            self._authenticate(server)
            _send(server, message, self._sender)
        except (smtplib.SMTPException, OSError) as error:
            raise UnavailableError(f"SMTP: {_category(error)}") from None
        finally:
            # An error while quitting does not change that the message was accepted.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()

    def recall(self, message_id: str) -> None:
        """Do nothing: the message has left."""

    def check(self) -> None:
        """Raise UnavailableError unless the server greets us and answers EHLO. Nothing is sent."""
        try:
            with self._connect() as server:
                server.ehlo_or_helo_if_needed()
        except (smtplib.SMTPException, OSError) as error:
            raise UnavailableError(f"SMTP connection: {_category(error)}") from None

    def _connect(self) -> smtplib.SMTP:
        # A fixed name for EHLO: looking up our own host name may take long without a name service.
        greeting = self._sender.rpartition("@")[2]
        if self._implicit_tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(
                self._host, self._port, local_hostname=greeting, timeout=self._timeout, context=context
            )
        return smtplib.SMTP(self._host, self._port, local_hostname=greeting, timeout=self._timeout)

    def _authenticate(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if not self._implicit_tls and (self._user or server.has_extn("starttls")):
            context = ssl.create_default_context()
            if not self._user:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            # SMTPNotSupportedError if the credentials would be sent unencrypted.
            server.starttls(context=context)
            server.ehlo()
        if self._user:
            server.login(self._user, self._password)


def _send(server: smtplib.SMTP, message: EmailMessage, sender: str) -> None:
    try:
        server.send_message(message, sender, [message["To"].addresses[0].addr_spec])
    except smtplib.SMTPRecipientsRefused as refusal:
        # A permanent refusal begins with 5 (RFC 5321, 4.2.1).
        [(code, _)] = refusal.recipients.values()
        raise (RefusedError if code >= 500 else UnavailableError)(f"SMTP recipient: {code}") from None
    except smtplib.SMTPDataError as refusal:
        code = refusal.smtp_code
        raise (RefusedError if code >= 500 else UnavailableError)(f"SMTP message: {code}") from None
    except smtplib.SMTPNotSupportedError:
        raise RefusedError("SMTP: the server does not accept such an address") from None


def _category(error: Exception) -> str:
    """Return the kind of error without the server's text, which may quote an address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if isinstance(code, int) and code > 0 else type(error).__name__
