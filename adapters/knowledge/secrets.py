"""Finds secrets in texts: keys, tokens and passwords that were pasted by mistake.

Keys are recognised by their form, with the detectors of detect-secrets and with patterns defined here. Passwords have
no form: they are recognised by the words before them, if the value does not look like prose. The plugins of
detect-secrets are called one by one, because the library's settings are global and its verification calls the vendors.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

# The detectors' patterns are slow on long lines, which a hostile text may have.
LONGEST_LINE = 2_000
OVERLAP = 300
# Shorter lines cannot hold a key; skipping them makes hostile texts of many short lines cheap.
SHORTEST_KEY = 16
MOST_FINDINGS = 5


@dataclass(frozen=True)
class Finding:
    """The kind and the line (from 1) of a secret in a text; never the secret itself."""

    kind: str
    line: int

    def __str__(self) -> str:
        return f"line {self.line} holds what looks like {self.kind}"


def findings(text: str) -> list[Finding]:
    """Return the first few secrets of a text, or an empty list."""
    plain = _plain(text)
    findings = {Finding(kind, plain.count("\n", 0, start) + 1) for kind, start in (*_keys(plain), *_passwords(plain))}
    for number, line in enumerate(plain.split("\n"), start=1):
        findings |= {Finding(kind, number) for kind in _detected(line)}
    return sorted(findings, key=lambda finding: (finding.line, finding.kind))[:MOST_FINDINGS]


def _plain(text: str) -> str:
    """Return the text with normal letters and line ends, and without invisible characters."""
    normal = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in normal if unicodedata.category(c) != "Cf")


# Keys, recognised by their form.

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
    """Return the plugins, each with the kind of secret that it finds.

    IP addresses are not secret; passwords and OpenAI's keys are found by this module's own patterns.
    """
    from detect_secrets import plugins  # takes 0.2 s, so it is imported at the first use
    from detect_secrets.plugins.base import BasePlugin
    from detect_secrets.util.importlib import import_types_from_package

    left_out = {"Public IP (ipv4)", "Secret Keyword", "Basic Auth Credentials", "OpenAI Token"}
    plugin_types = import_types_from_package(plugins, filter=lambda type: not _is_plugin(type, BasePlugin))
    chosen = sorted((type.secret_type, type) for type in plugin_types if type.secret_type not in left_out)
    return tuple((_with_article(kind), plugin()) for kind, plugin in chosen)


def _is_plugin(value: Any, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base) and isinstance(getattr(value, "secret_type", None), str)


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


def _detected(line: str) -> Iterator[str]:
    if len(line) < SHORTEST_KEY:
        return
    for start in range(0, max(1, len(line) - OVERLAP), LONGEST_LINE - OVERLAP):
        part = line[start : start + LONGEST_LINE]
        for kind, plugin in _detectors():
            if any(_is_secret(plugin, secret) for secret in plugin.analyze_string(part)):
                yield kind


def _is_secret(plugin: Any, secret: str) -> bool:
    """Return True if a match is a secret; for random strings its entropy must exceed the plugin's limit."""
    limit = getattr(plugin, "entropy_limit", None)
    return limit is None or bool(plugin.calculate_shannon_entropy(secret) > limit)


# Passwords, recognised by the words before them.

# The strong words always name a password; the weak ones have other meanings too.
_STRONG = r"pass(?:word|wd|phrase|code|wort)|pwd|kennwort|contrase[nñ]a|mot de passe"
_WEAK = r"secret|token|credentials?|(?:api|access|auth|account|client|private|service|db|encryption)[ _-]?key"
_SUFFIX = r"s?\d?(?:_(?!type|name|id|url|uri|path|file|field|len|hash|digest)\w{1,30})?"
# Before the value may stand characters that close a name or begin emphasis, and one line end.
_ASSIGNMENT = re.compile(
    rf"(?:(?P<password>{_STRONG})|(?P<secret>{_WEAK})){_SUFFIX}[\"'`*_)\]]{{0,4}}[ \t]{{0,8}}"
    r"(?P<by>:=|=>|={1,3}|:|\bis\b|\bwas\b)[*_]{0,3}[ \t]{0,8}\n?[ \t]{0,8}"
    r"(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{3,200})(?P=quote)|(?P<bare>[^\s\"'`,;&|]{3,200}))(?P<rest>[^\n]{0,40})",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"://[^\s/:@]{1,100}:(?P<bare>[^\s/@]{3,200})@")

# Placeholders for a value that the reader has to fill in.
_PLACEHOLDER = re.compile(
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
    for match in _ASSIGNMENT.finditer(text):
        if _is_value(match):
            yield "a password" if match["password"] else "a secret", match.start("by")
    for match in _IN_URL.finditer(text):
        if not _PLACEHOLDER.fullmatch(match["bare"]):
            yield "a password", match.start()


def _is_value(match: re.Match[str]) -> bool:
    """Return True if the value of an assignment is written like a secret."""
    in_prose = match["by"].lower() in ("is", "was")
    value = match["quoted"] or match["bare"].rstrip(".,;:!?)]}*_")
    if _PLACEHOLDER.fullmatch(value) or not any(c.isalnum() for c in value):
        return False
    odd = not _WORD.fullmatch(value)
    mixed = odd and any(c.isalpha() for c in value)
    if match["quoted"]:
        # A quoted phrase counts only after a strong word.
        return (match["password"] is not None or " " not in value) and (mixed or not in_prose)
    if not match["password"]:
        return mixed and len(value) >= 8 and any(c.isdigit() for c in value)
    if odd:
        return mixed or not in_prose
    # A plain word counts only at the end of a clause.
    return not in_prose and len(value) >= 4 and _CLAUSE_ENDS.match(match["rest"]) is not None
