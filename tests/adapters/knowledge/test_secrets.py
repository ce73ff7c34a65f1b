"""Secrets are found in every form in which they are pasted, and prose about secrets has no findings.

The secrets here are composed of parts, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.knowledge.secrets import findings

ROOT = Path(__file__).parent.parent.parent.parent
LETTERS = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
BEGIN = "-----BEGIN"

KEYS = [
    "whsec_" + LETTERS[:24],
    "sk-proj-" + LETTERS,
    "sk-" + LETTERS + "abcdefghijkl",
    "sk_" + "live_" + LETTERS[:24],
    "sk_" + "test_" + LETTERS[:24],
    "rk_" + "live_" + LETTERS[:24],
    "tkt_" + LETTERS + LETTERS,
    "slk_" + LETTERS + "_-abcde",
    "AKIA" + "IOSFODNN7ABCDEFG",
    "ghp_" + LETTERS,
    "glpat-" + LETTERS[:20],
    "xoxb-123456789012-" + "abcdefghij",
    "SG." + "a" * 22 + "." + "b" * 43,
    "AIza" + LETTERS[:35],
    "npm_" + "//registry.example/:_authToken=npm_" + LETTERS,
    f"{BEGIN} PRIVATE KEY-----",
    f"{BEGIN} RSA PRIVATE KEY-----",
    f"{BEGIN} EC PRIVATE KEY-----",
    f"{BEGIN} OPENSSH PRIVATE KEY-----",
    f"{BEGIN} ENCRYPTED PRIVATE KEY-----",
    f"{BEGIN} PGP PRIVATE KEY BLOCK-----",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "Authorization: Bearer " + LETTERS,
    "postgresql://ada:" + "hunter2@db.example/app",
    "https://ada:" + "sunshine@example.com/",
]

PASSWORDS = [
    "password: hunter2",
    "Password: sunshine",
    "PASSWORD=Qwerty12",
    "password:\thunter2",
    "Password:\nhunter2",
    "**Password:** Tr0ub4dor&3",
    "the admin password is hunter2!",
    "The root password was Zebra99.",
    "user: ada, password: sunshine, host: db",
    "(password: sunshine)",
    "Wi-Fi password: BlueHouse",
    "password = 'correct horse battery staple'",
    "passphrase: 'open sesame please'",
    '{"password": "letmein99"}',
    "DB_PASSWORD=s3cr3t!",
    "pwd: abc123",
    "Contraseña: girasol7",
    "Kennwort: sonne12",
    'api_key = "abcd1234efgh5678"',
    "API key: 9f8e7d6c5b4a3210",
    "client_secret: 8Q~abcdefgh123456",
    "secret = 'kJ8s7dF6g5H4j3K2l1'",
    "access token: 4f5g6h7j8k9l0",
    "pass\u200bword: hunter2",
    "ｐａｓｓｗｏｒｄ： hunter2",
    "password:\r\nhunter2",
]

PROSE = [
    "Your password must have eight characters.",
    "Password: must be at least 12 characters long",
    "Forgot your password? Click here.",
    "The password is required.",
    "The password is stored as a digest, and was changed yesterday.",
    "password: string",
    "| password | varchar | the digest of it |",
    "password: <your password>",
    "password: ${DB_PASSWORD}",
    "password: ********",
    "password=os.getenv('DB_PASSWORD')",
    '"api_key": "sk_test_..."',
    '"token_type": "jwt"',
    "Keep it secret: nobody else should know.",
    "The secret is patience. Her secret: she was a queen in 1820.",
    "A token of our gratitude: thank you all.",
    "secret: the garden behind the house, and 2 cups of sugar",
    "API key: ask the administrator",
    "a key (`slk_…`), a ticket's token (`tkt_…`) and `whsec_…`",
    "sk-proj- is how project keys begin; sk_live_ and sk_test_ are Stripe's.",
    "postgresql://user:password@localhost/db",
    "Passwords: how to choose one",
    "reset your password: see the help page",
    "The private key is kept in a safe place. Private key: never share it.",
    "token: 5 minutes",
    "Bearer tokens are sent in the header: Authorization: Bearer …",
    "The passcode to happiness: gratitude, patience and sleep.",
    "018f0000-0000-7000-8000-000000000001, commit 25bcf6a5b0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5",
    "https://example.com/path/AbCdEf1234567890?x=1 at 203.0.113.7",
    "Ada's number is +1 212 555 0123 and her address ada@example.com.",
]


@pytest.mark.parametrize("secret", [*KEYS, *PASSWORDS])
def test_a_secret_is_found_alone_and_within_prose(secret: str):
    for text in (secret, f"How to sign in.\n\nIt is this:\n{secret}\n\nThat is all.", f"Note {secret}"):
        assert findings(text), text


@pytest.mark.parametrize("prose", PROSE)
def test_prose_about_secrets_has_no_findings(prose: str):
    assert findings(prose) == []


@pytest.mark.parametrize("file", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "tests" / "fixtures").glob("*.md"))])
def test_the_documentation_has_no_findings(file: Path):
    assert findings(file.read_text()) == []


def test_a_finding_names_its_line_and_never_the_secret():
    [finding] = findings(f"one\r\ntwo\n{KEYS[0]}\nfour")
    assert (finding.line, finding.kind) == (3, "a webhook secret")
    assert str(finding) == "line 3 holds what looks like a webhook secret"


@given(st.sampled_from(KEYS), st.integers(0, 6_000))
def test_a_key_is_found_wherever_it_stands_in_a_long_line(key: str, before: int):
    assert findings("a " * (before // 2) + key + " b" * 500)


def test_only_the_first_findings_are_returned():
    assert len(findings("\n".join(PASSWORDS))) == 5


@pytest.mark.parametrize(
    "part",
    ["password", "password:", "api key ", "://a:", "eyJ.", "sk-aaaa", "'aB3", "\n", "xoxb-1-", " ", '"', "\u200b"],
)
def test_hostile_texts_are_scanned_quickly(part: str):
    findings("warm")
    started = time.thread_time()
    findings((part * 50_000)[:50_000])
    assert time.thread_time() - started < 10


def test_concurrent_scans_have_the_same_findings():
    """The library's settings are global to the process, so concurrent scans must not change them."""
    texts = [*KEYS, *PROSE] * 4
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(findings, texts)) == [findings(text) for text in texts]
