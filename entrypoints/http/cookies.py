"""The cookies of pages: the credential of a person who signed in, and the reader's language.

A cookie is sent by the browser with every request to us, also with one that a page of another site caused. A request
that may change something is therefore made with the cookie's credential only if the browser says that it comes from
one of our own pages.
"""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

SESSION_SECONDS = 12 * 60 * 60
# Keys give access to more than one story, so that a browser keeps them only for one piece of work.
KEY_SECONDS = 60 * 60
LANGUAGE_SECONDS = 365 * 24 * 60 * 60
LANGUAGE_COOKIE = "language"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def session_cookie_name(*, https: bool) -> str:
    """Return the name of the cookie with the credential.

    With the prefix, browsers accept the cookie only over https and for this host alone (RFC 6265bis, 4.1.3.2).
    """
    return "__Host-session" if https else "session"


def read_cookie(headers: Mapping[str, str], name: str) -> str | None:
    """Return the value of the cookie, or None."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return cookie.value if cookie and cookie.value else None


def session_cookie(credential: str | None, *, https: bool, seconds: int = SESSION_SECONDS) -> dict[str, str]:
    """Return the header that signs the browser in with a credential for twelve hours or less, or out with None."""
    age = seconds if credential else 0
    return _cookie(session_cookie_name(https=https), credential or "", age, https=https, script=False)


def language_cookie(language: str, *, https: bool) -> dict[str, str]:
    """Return the header that keeps the language which the reader chose."""
    return _cookie(LANGUAGE_COOKIE, language, LANGUAGE_SECONDS, https=https, script=True)


def _cookie(name: str, value: str, seconds: int, *, https: bool, script: bool) -> dict[str, str]:
    parts = [f"{name}={value}", "Path=/", f"Max-Age={seconds}", "SameSite=Lax"]
    parts += ["Secure"] if https else []
    parts += [] if script else ["HttpOnly"]
    return {"Set-Cookie": "; ".join(parts)}


def comes_from_own_page(headers: Mapping[str, str]) -> bool:
    """Return True if the browser says that one of our own pages caused the request.

    Browsers send `Sec-Fetch-Site` since 2023, and before that `Origin` with every request that is not a GET.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")
