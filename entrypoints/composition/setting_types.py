"""Types of settings, and the checks that several settings share. No error quotes a value."""

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode


def split_url(url: str) -> SplitResult:
    """Split a URL; the library's own ValueError would quote the URL with its password."""
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("must be a URL") from None


def web_url(value: str | None) -> str | None:
    """Return the address of a server without a slash at its end."""
    if value is None:
        return None
    parts = split_url(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http:// or https:// URL")
    return value.rstrip("/")


def blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def blank_is(default: str) -> BeforeValidator:
    """Return a validator that replaces a blank setting by its default."""
    return BeforeValidator(lambda value: blank_is_none(value) or default)


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Optional = Annotated[str | None, BeforeValidator(blank_is_none)]
# These are left out when settings are printed.
Secret = Annotated[Optional, Field(repr=False)]
Secrets = Annotated[Listed, Field(repr=False)]
WebUrl = Annotated[Optional, AfterValidator(web_url)]
SecretWebUrl = Annotated[Secret, AfterValidator(web_url)]
