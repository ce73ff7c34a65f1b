"""The text form in which a secret is handed out, and the digest under which it is stored."""

import base64
import hashlib


def url_text(secret: bytes) -> str:
    """Return the secret in URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def digest(secret: str) -> str:
    """Return the SHA-256 of the secret, from which the secret can be recognised but not recovered."""
    return hashlib.sha256(secret.encode()).hexdigest()
