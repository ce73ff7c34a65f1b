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

from adapters import contacts
from adapters.languages import DEFAULT_LANGUAGE, offered_language, text_direction
from adapters.localisation import format_date, format_moment, supported_language
from adapters.mail.letterhead import Letterhead
from adapters.templates import Templates, Unwritable
from domain.errors import InvalidError
from domain.ports import Mail
from domain.values import ContactType

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_VALUE = 2_000
# RFC 5322, 2.1.1
LONGEST_HEADER = 998
SUBJECT = "Subject: "

# The values of a kind that keep their paragraphs.
_WITH_PARAGRAPHS = {"support_reply": "message"}
# Values that mails queued by earlier versions lack.
ABSENT = dict.fromkeys(("receipt_number", "organisation_address", "registration_number", "tax_wording"), "")

_KIND = re.compile(r"[a-z][a-z_]{0,63}")
LONGEST_NAME = 40
MAX_NAME_WORDS = 6
_SIGNS_IN_NAMES = "'’-"


def shown_day(moment: str, language: str) -> str:
    """Return the day of an ISO 8601 date as its readers write it."""
    return format_date(datetime.fromisoformat(moment), supported_language(language))


def _shown_moment(moment: str, language: str) -> str:
    """Return an ISO 8601 time as its readers write it. Mails of earlier versions have it written out already."""
    try:
        return format_moment(datetime.fromisoformat(moment), supported_language(language))
    except ValueError:
        return moment


templates = Templates(TEMPLATES, filters={"day": shown_day, "moment": _shown_moment})


def load() -> None:
    """Load the template library, so that the first mail does not wait for it."""
    templates.load()


def checked(mail: Mail) -> Mail:
    """Return the mail with a normalised address and each value on one line, except one that has paragraphs.

    InvalidError if the address is not one, a value is too long, or the template lacks a value.
    """
    to = contacts.normalize_contact(ContactType.EMAIL, mail.to).value
    with_paragraphs = _WITH_PARAGRAPHS.get(mail.kind)
    values = {
        name: _paragraphs(value) if name == with_paragraphs else one_line(value) for name, value in mail.values.items()
    }
    if any(len(value) > LONGEST_VALUE for value in values.values()):
        raise InvalidError("a value is too long for a mail")
    _render(mail.kind, values)
    return Mail(mail.kind, to, values, mail.key, mail.ticket_id)


def one_line(value: str) -> str:
    """Return the text without line ends and other control characters, which could end a header or add a line."""
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in value).strip()


def _paragraphs(value: str) -> str:
    """Return the text with its line ends, and with one empty line where there are several."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(map(one_line, value.splitlines()))).strip()


def message_id(key: str, sender: str) -> str:
    """Return a Message-ID made of the key alone, so that a mail sent twice is recognised (RFC 5322, 3.6.4)."""
    return (
        f"<{hashlib.sha256(b'mail ' + key.encode()).hexdigest()[:32]}@{Address(addr_spec=address_of(sender)).domain}>"
    )


def address_of(sender: str) -> str:
    """Return the bare address in `Name <address>`."""
    return parseaddr(sender)[1]


def compose(mail: Mail, letterhead: Letterhead, dated: datetime) -> EmailMessage:
    """Return the message to send; composing a mail again gives the same bytes."""
    subject, text, html = _render(
        mail.kind, letterhead.known_language(mail.values), letterhead.operator, letterhead.organisation
    )
    username, _, domain = mail.to.rpartition("@")
    policy = SMTP if mail.to.isascii() else SMTPUTF8
    message = EmailMessage(policy=policy.clone(cte_type="7bit"))
    message["From"] = letterhead.sender
    if letterhead.answers_to:
        message["Reply-To"] = letterhead.answers_to
    message["To"] = Address(username=username, domain=domain)
    message["Subject"] = subject
    message["Date"] = dated
    message["Message-ID"] = message_id(mail.key, letterhead.sender)
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


def name_to_greet(name: str) -> str:
    """Return the name if it looks like one, otherwise an empty text.

    The address may be that of somebody else: nobody may use our mails to send strangers a text or a link.
    """
    words = name.split(" ")
    fits = len(name) <= LONGEST_NAME and len(words) <= MAX_NAME_WORDS and all(map(_is_of_letters, words))
    return name if fits else ""


def _is_of_letters(word: str) -> bool:
    """Return True for letters in any script with the signs that names have, such as O’Neill or J."""
    letters = word.removesuffix(".")
    return letters[:1].isalpha() and all(c in _SIGNS_IN_NAMES or unicodedata.category(c)[0] in "LM" for c in letters)


def _render(
    kind: str, values: Mapping[str, str], operator: str | None = None, organisation: str | None = None
) -> tuple[str, str, str]:
    """Return subject, text and HTML; InvalidError if there is no such template, or it lacks a value.

    The value `language` is that of the mail, and `name` is that of its reader.
    """
    if not _KIND.fullmatch(kind):
        raise InvalidError("is not a kind of mail")
    language = offered_language(values.get("language")) or DEFAULT_LANGUAGE
    language = templates.language_of(f"{kind}.txt", templates.language_of(f"{kind}.html", language))
    translated = {
        **ABSENT,
        **values,
        "language": language,
        "direction": text_direction(language),
        "name": name_to_greet(values.get("name", "")),
        "operator": one_line(operator or ""),
        "organisation": one_line(organisation or ""),
    }
    try:
        rendered = templates.render(f"{kind}.txt", **translated)
        html = templates.render(f"{kind}.html", **translated)
    except Unwritable as fault:
        raise InvalidError(f"the mail {kind} cannot be written: {fault}") from None
    subject, _, text = rendered.partition("\n")
    return one_line(subject.removeprefix(SUBJECT)), text.strip() + "\n", html
