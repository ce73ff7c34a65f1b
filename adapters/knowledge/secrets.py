"""Secrets in texts: keys, tokens and passwords that somebody pasted along with what they meant to keep.

Keys are known by their form: by the detectors of detect-secrets and by patterns of our own. Passwords have no form, so
they are known by what stands before them; a value counts as one if it is written like one, not like prose. Only the
detectors' own patterns are used, one plugin after the other: the library's settings belong to the whole process, and
its verification would ask the vendors.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

# The detectors' patterns grow slow on long lines, which hostile texts are made of.
LONGEST_LINE = 2_000
OVERLAP = 300
# No key is shorter than this, and most lines of a hostile text could be.
SHORTEST_KEY = 16
MOST_FINDINGS = 5


@dataclass(frozen=True)
class Finding:
    """A secret in a text: what it looks like and the line it is on, counted from 1; never the secret itself."""

    kind: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line} holds what looks like {self.kind}"


def findings(text: str) -> list[Finding]:
    """The first few secrets that a text holds; none if it may be kept."""
    plain = _plain(text)
    found = {Finding(kind, plain.count("\n", 0, start) + 1) for kind, start in (*_keys(plain), *_passwords(plain))}
    for number, line in enumerate(plain.split("\n"), start=1):
        found |= {Finding(kind, number) for kind in _detected(line)}
    return sorted(found, key=lambda finding: (finding.line, finding.kind))[:MOST_FINDINGS]


def _plain(text: str) -> str:
    """The text without what only changes how it looks: wide letters, invisible characters, other line ends."""
    normal = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in normal if unicodedata.category(c) != "Cf")


# Keys, by their form.

_KEYS = {
    "a webhook secret": re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,}"),
    "an OpenAI key": re.compile(r"\bsk-(?:proj|svcacct|admin|ant)-[\w-]{8,}|\bsk-[A-Za-z0-9]{20,}"),
    "a Stripe key": re.compile(r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{8,}"),
    "a ticket's token": re.compile(r"\btkt_[\w-]{12,}"),
    "an API key": re.compile(r"\bslk_[\w-]{12,}|\bAIza[\w-]{35}|\bage-secret-key-1[0-9a-z]{20,}", re.IGNORECASE),
    "a private key": re.compile(r"-----BEGIN[A-Z0-9 ]{0,40} PRIVATE KEY", re.IGNORECASE),
    "a bearer token": re.compile(r"\bBearer +(?=[^\s]{0,200}\d)[\w.~+/=-]{20,}", re.IGNORECASE),
}


def _keys(text: str) -> Iterator[tuple[str, int]]:
    for kind, pattern in _KEYS.items():
        for match in pattern.finditer(text):
            yield kind, match.start()


@cache
def _detectors() -> tuple[tuple[str, Any], ...]:
    """The plugins with what each finds, in our words.

    An IP address is no secret; passwords and OpenAI's keys are found our own way, which is quicker and sees more.
    """
    from detect_secrets import plugins  # a fifth of a second, which only those pay who add to the knowledge base
    from detect_secrets.plugins.base import BasePlugin
    from detect_secrets.util.importlib import import_types_from_package

    left_out = {"Public IP (ipv4)", "Secret Keyword", "Basic Auth Credentials", "OpenAI Token"}
    known = import_types_from_package(plugins, filter=lambda one: not _is_plugin(one, BasePlugin))
    chosen = sorted((one.secret_type, one) for one in known if one.secret_type not in left_out)
    return tuple((_worded(kind), plugin()) for kind, plugin in chosen)


def _is_plugin(found: Any, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base) and isinstance(getattr(found, "secret_type", None), str)


def _worded(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


def _detected(line: str) -> Iterator[str]:
    if len(line) < SHORTEST_KEY:
        return
    for start in range(0, max(1, len(line) - OVERLAP), LONGEST_LINE - OVERLAP):
        part = line[start : start + LONGEST_LINE]
        for kind, plugin in _detectors():
            if any(_counts(plugin, secret) for secret in plugin.analyze_string(part)):
                yield kind


def _counts(plugin: Any, secret: str) -> bool:
    """Whether a match is a secret; the plugins for random strings leave that to be asked."""
    limit = getattr(plugin, "entropy_limit", None)
    return limit is None or bool(plugin.calculate_shannon_entropy(secret) > limit)


# Passwords, by what stands before them.

# The first name a password whenever they are used so; the others mean many things.
_STRONG = r"pass(?:word|wd|phrase|code|wort)|pwd|kennwort|contrase[nñ]a|mot de passe"
_WEAK = r"secret|token|credentials?|(?:api|access|auth|account|client|private|service|db|encryption)[ _-]?key"
_SUFFIX = r"s?\d?(?:_(?!type|name|id|url|uri|path|file|field|len|hash|digest)\w{1,30})?"
# Before the value may stand what closes a name or begins emphasis, and one line end.
_SAID = re.compile(
    rf"(?:(?P<password>{_STRONG})|(?P<secret>{_WEAK})){_SUFFIX}[\"'`*_)\]]{{0,4}}[ \t]{{0,8}}"
    r"(?P<by>:=|=>|={1,3}|:|\bis\b|\bwas\b)[*_]{0,3}[ \t]{0,8}\n?[ \t]{0,8}"
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{3,200})(?P=quote)|(?P<bare>[^\s\"'`,;&|]{3,200}))(?P<rest>[^\n]{0,40})",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"://[^\s/:@]{1,100}:(?P<bare>[^\s/@]{3,200})@")

# What stands for a value that whoever reads it is to put there.
_STANDS_FOR = re.compile(
    r"[<{\[(].*|.*[>})\]]|[$%@].*|[\w.]+[(\[].*|.*(?:\.\.\.|…)|(.)\1*|[*.…_x-]+"
    r"|(?:your|my|the|some|new|old|user'?s?)[ _-].*"
    r"|(?:change|replace|fill).?(?:me|this|in)|(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|api.?key)"
    r"|example|placeholder|redacted|masked|hidden|dummy|foo(?:bar)?|bar|baz|none|null|nil|true|false|yes|no|todo|tbd"
    r"|str(?:ing)?|text|bool(?:ean)?|int(?:eger)?|varchar|bytes|optional|required|any|unknown|empty|blank",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_CLAUSE_ENDS = re.compile(r"\s*(?:$|[,;|)\]}&\"'`*]|[.!?]\s*$|[-–—/]\s)")


def _passwords(text: str) -> Iterator[tuple[str, int]]:
    for match in _SAID.finditer(text):
        if _is_value(match):
            yield "a password" if match["password"] else "a secret", match.start("by")
    for match in _IN_URL.finditer(text):
        if not _STANDS_FOR.fullmatch(match["bare"]):
            yield "a password", match.start()


def _is_value(match: re.Match[str]) -> bool:
    """Whether what is said to be a secret is written like one."""
    in_prose = match["by"].lower() in ("is", "was")
    value = match["quoted"] or match["bare"].rstrip(".,;:!?)]}*_")
    if _STANDS_FOR.fullmatch(value) or not any(c.isalnum() for c in value):
        return False
    odd = not _WORD.fullmatch(value)
    mixed = odd and any(c.isalpha() for c in value)
    if match["quoted"]:
        # A phrase in quotes is a password only where one is named.
        return (match["password"] is not None or " " not in value) and (mixed or not in_prose)
    if not match["password"]:
        return mixed and len(value) >= 8 and any(c.isdigit() for c in value)
    if odd:
        return mixed or not in_prose
    # A plain word is one only if nothing is said after it.
    return not in_prose and len(value) >= 4 and _CLAUSE_ENDS.match(match["rest"]) is not None
