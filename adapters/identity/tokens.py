"""The digest under which a secret that we made is stored."""

import hashlib


def digest(secret: str) -> str:
    """Return the SHA-256 of the secret, from which the secret can be recognised but not recovered."""
    return hashlib.sha256(secret.encode()).hexdigest()
