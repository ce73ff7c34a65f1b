"""Mails in words: a template in text and HTML for each kind, filled in so that no value becomes more than a value."""

from __future__ import annotations

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

from adapters.identity import contacts
from adapters.mail.templates import Templates, Unwritable
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
    """So that the first mail need not wait for the library of its template."""
    templates.load()


def checked(mail: Mail) -> Mail:
    """The mail with its address in its normal form and its values on one line each.

    InvalidError if it cannot be sent as it is: no address, a value too long, or not what its template asks for.
    """
    to = contacts.normalize_contact(ContactType.EMAIL, mail.to).value
    values = {name: one_line(value) for name, value in mail.values.items()}
    if any(len(value) > LONGEST_VALUE for value in values.values()):
        raise InvalidError("a value is too long for a mail")
    checked = Mail(mail.kind, to, values, mail.key, mail.ticket_id)
    _words(checked.kind, values)
    return checked


def one_line(value: str) -> str:
    """The text without line ends and other controls: what could end a header or fake a line of ours."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in value).strip()


def message_id(key: str, sender: str) -> str:
    """Made of the key alone, so that a mail sent twice is known to be the same one (RFC 5322, 3.6.4)."""
    return (
        f"<{hashlib.sha256(b'mail ' + key.encode()).hexdigest()[:32]}@{Address(addr_spec=address_of(sender)).domain}>"
    )


def address_of(sender: str) -> str:
    """The bare address in `Name <address>`."""
    return parseaddr(sender)[1]


def composed(mail: Mail, sender: str, dated: datetime) -> EmailMessage:
    """The mail as it goes out; the same bytes however often it is composed."""
    subject, text, html = _words(mail.kind, mail.values)
    username, _, domain = mail.to.rpartition("@")
    policy = SMTP if mail.to.isascii() else SMTPUTF8
    message = EmailMessage(policy=policy.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = Address(username=username, domain=domain)
    message["Subject"] = subject
    message["Date"] = dated
    message["Message-ID"] = message_id(mail.key, sender)
    # No machine answers a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    if link := mail.values.get("unsubscribe"):
        # One click in whatever program the mail is read with (RFC 8058).
        message["List-Unsubscribe"] = f"<{link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    # The parts are told apart by a line that is the same each time, and that nothing quoted-printable can hold.
    message.set_boundary(f"=_{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}")
    # A link that is longer than a line would be written as an encoded word, which no program takes for one.
    message.policy = message.policy.clone(max_line_length=LONGEST_HEADER)
    return message


def _words(kind: str, values: Mapping[str, str]) -> tuple[str, str, str]:
    """Subject, text and HTML; InvalidError if there are no such words, or a value that they ask for is missing."""
    if not _KIND.fullmatch(kind):
        raise InvalidError("is no kind of mail")
    try:
        told = templates.render(f"{kind}.txt", **values)
        html = templates.render(f"{kind}.html", **values)
    except Unwritable as fault:
        raise InvalidError(f"the mail {kind} cannot be written: {fault}") from None
    subject, _, text = told.partition("\n")
    return one_line(subject.removeprefix(SUBJECT)), text.strip() + "\n", html
