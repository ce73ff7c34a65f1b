"""Composes mails: a template in text and HTML for each kind, in which no value can become markup or a header."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from adapters import contacts
from adapters.languages import DEFAULT_LANGUAGE, offered_language
from adapters.templates import Templates, Unwritable
from domain.errors import InvalidError
from domain.ports import Mail
from domain.values import ContactType

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_VALUE = 2_000
# RFC 5322, 2.1.1
LONGEST_HEADER = 998
SUBJECT = "Subject: "

templates = Templates(TEMPLATES)
_KIND = re.compile(r"[a-z][a-z_]{0,63}")


def load() -> None:
    """Load the template library, so that the first mail does not wait for it."""
    templates.load()


def checked(mail: Mail) -> Mail:
    """Return the mail with a normalised address and each value on one line.

    InvalidError if the address is not one, a value is too long, or the template lacks a value.
    """
    to = contacts.normalize_contact(ContactType.EMAIL, mail.to).value
    values = {name: one_line(value) for name, value in mail.values.items()}
    if any(len(value) > LONGEST_VALUE for value in values.values()):
        raise InvalidError("a value is too long for a mail")
    _render(mail.kind, values)
    return Mail(mail.kind, to, values, mail.key, mail.ticket_id)


def one_line(value: str) -> str:
    """Return the text without line ends and other control characters, which could end a header or add a line."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in value).strip()


def message_id(key: str, sender: str) -> str:
    """Return a Message-ID made of the key alone, so that a mail sent twice is recognised (RFC 5322, 3.6.4)."""
    return (
        f"<{hashlib.sha256(b'mail ' + key.encode()).hexdigest()[:32]}@{Address(addr_spec=address_of(sender)).domain}>"
    )


def address_of(sender: str) -> str:
    """Return the bare address in `Name <address>`."""
    return parseaddr(sender)[1]


def compose(mail: Mail, sender: str, dated: datetime) -> EmailMessage:
    """Return the message to send; composing a mail again gives the same bytes."""
    subject, text, html = _render(mail.kind, mail.values)
    username, _, domain = mail.to.rpartition("@")
    policy = SMTP if mail.to.isascii() else SMTPUTF8
    message = EmailMessage(policy=policy.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = Address(username=username, domain=domain)
    message["Subject"] = subject
    message["Date"] = dated
    message["Message-ID"] = message_id(mail.key, sender)
    # Keeps automatic replies away (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    if link := mail.values.get("unsubscribe"):
        # Lets mail programs offer a one-click unsubscribe (RFC 8058).
        message["List-Unsubscribe"] = f"<{link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    # A fixed boundary keeps the bytes the same; `=_` cannot occur in quoted-printable text.
    message.set_boundary(f"=_{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}")
    # A link longer than a line would become an encoded word, which no program recognises as a link.
    message.policy = message.policy.clone(max_line_length=LONGEST_HEADER)
    return message


def mail_language(analysis: Mapping[str, Any] | None) -> str:
    """Return the language of mails to a person whose story's analysis is this, or the default."""
    return offered_language((analysis or {}).get("language")) or DEFAULT_LANGUAGE


def _render(kind: str, values: Mapping[str, str]) -> tuple[str, str, str]:
    """Return subject, text and HTML; InvalidError if there is no such template, or it lacks a value.

    The value `language` is that of the mail.
    """
    if not _KIND.fullmatch(kind):
        raise InvalidError("is not a kind of mail")
    translated = {**values, "language": offered_language(values.get("language")) or DEFAULT_LANGUAGE}
    try:
        rendered = templates.render(f"{kind}.txt", **translated)
        html = templates.render(f"{kind}.html", **translated)
    except Unwritable as fault:
        raise InvalidError(f"the mail {kind} cannot be written: {fault}") from None
    subject, _, text = rendered.partition("\n")
    return one_line(subject.removeprefix(SUBJECT)), text.strip() + "\n", html
