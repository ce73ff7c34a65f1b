"""A real SMTP server that keeps its mails, and readers for the outbox folder that replaces one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client import WAIT_SECONDS, free_port

PASSWORD = "a p@ss:word/of these tests"


class Mailbox:
    """The mails that an SMTP server received. `rcpt` and `data` are its next answers to a recipient and a message."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.rcpt = "250 OK"
        self.data = "250 OK"
        self.encrypted: list[bool] = []
        self.users: list[str] = []
        self.url = ""

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        if self.data.startswith("250"):
            self.messages.append(read(envelope.content))
            self.recipients += envelope.rcpt_tos
            self.encrypted.append(session.ssl is not None)
        return self.data

    def authenticate(self, server, session, envelope, mechanism, credentials) -> AuthResult:
        self.users.append(credentials.login.decode())
        return AuthResult(success=credentials.password == PASSWORD.encode(), handled=False)


@contextmanager
def smtp_server(tls: ssl.SSLContext | None = None, *, smtps: bool = False, auth: bool = False) -> Iterator[Mailbox]:
    """Run an SMTP server on a free port for the duration of the block."""
    mailbox = Mailbox()
    options: dict[str, Any] = {"ssl_context": tls} if smtps else {"tls_context": tls}
    if auth:
        options |= {"authenticator": mailbox.authenticate, "auth_required": True}
        options |= {"auth_require_tls": tls is not None and not smtps}
    port = free_port()
    options |= {"enable_SMTPUTF8": True, "ready_timeout": WAIT_SECONDS}
    server = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    mailbox.url = f"{'smtps' if smtps else 'smtp'}://127.0.0.1:{port}"
    server.start()
    try:
        yield mailbox
    finally:
        server.stop()


def read(data: bytes) -> EmailMessage:
    # Headers may be UTF-8 (RFC 6532); the bodies of our mails are ASCII.
    message = message_from_string(data.decode(), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def files(folder: Path, to: str | None = None) -> list[EmailMessage]:
    """Return the messages of a folder, or those to one address, oldest first."""
    written = [(file, file.stat().st_mtime_ns) for file in sorted(folder.glob("*.eml"))]
    # Parsing a message takes long, and one service of the tests has written thousands.
    messages = [_message(*each) for each in written if to is None or to.encode() in _content(*each)]
    return [message for message, recipient in messages if to in (None, recipient)]


@cache
def _content(file: Path, written_ns: int) -> bytes:
    return file.read_bytes()


@cache
def _message(file: Path, written_ns: int) -> tuple[EmailMessage, str]:
    """Return a file's message and its recipient. Cached, because each access to a header parses it again."""
    message = read(_content(file, written_ns))
    return message, str(message["To"])


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    text: str = part.get_content()
    return text


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS context for 127.0.0.1, and the path of its certificate for clients."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of these tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_path, key_path)
    return context, certificate_path
