"""Configures the stripe library: it retries rate-limited calls and ignores cookies and the environment's proxies."""

import logging
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy

import requests
import stripe
from requests.adapters import HTTPAdapter

_TOO_MANY_REQUESTS = 429


def client(secret_key: str, api_base: str | None, *, timeout: tuple[float, float], retries: int) -> stripe.StripeClient:
    """Return a client for Stripe or a server with the same API; `timeout` has the seconds to connect and to read."""
    stripe.enable_telemetry = False  # otherwise the library writes an id into the home folder
    # At lower levels the library logs whole request and response bodies, people's names included.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": api_base.rstrip("/")} if api_base else {},
        max_network_retries=retries,
        http_client=_RetryingClient(timeout=timeout, session=_session()),
    )


class _RetryingClient(stripe.RequestsClient):
    """Retries a call that Stripe refused with 429, which the library does not."""

    def _should_retry(
        self,
        response: tuple[object, int, Mapping[str, str] | None] | None,
        api_connection_error: stripe.APIConnectionError | None,
        num_retries: int,
        max_network_retries: int | None,
    ) -> bool:
        if response is not None and response[1] == _TOO_MANY_REQUESTS:
            return num_retries < (max_network_retries or 0)
        return bool(super()._should_retry(response, api_connection_error, num_retries, max_network_retries))


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a proxy or .netrc of the environment must not see the key
    session.max_redirects = 0
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=32))
    return session
