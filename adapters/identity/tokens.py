"""The text in which we give a secret away, and the digest under which we store it."""

import base64
import hashlib


def url_text(secret: bytes) -> str:
    """Return the secret in letters that a URL may have."""
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def digest(secret: str) -> str:
    """Return the SHA-256 of the secret, from which the secret can be recognised but not recovered."""
    return hashlib.sha256(secret.encode()).hexdigest()
