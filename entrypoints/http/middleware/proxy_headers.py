"""The client's address behind proxies: uvicorn's middleware, with the networks of TRUSTED_PROXIES."""

from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def proxy_headers(app: ASGIApp, trusted_proxies: Sequence[str]) -> ASGIApp:
    """Return the application behind a middleware that takes the client's address from trusted proxies, if any."""
    if not trusted_proxies:
        return app
    return ProxyHeadersMiddleware(app, _networks(trusted_proxies))  # type: ignore[arg-type,return-value]


def _networks(trusted_proxies: Sequence[str]) -> list[str]:
    """Return the proxies' networks, and each IPv4 network also in the IPv6 form that a dual-stack socket shows."""
    networks = [ip_network(proxy, strict=False) for proxy in trusted_proxies]
    mapped = [
        f"::ffff:{network.network_address}/{96 + network.prefixlen}"
        for network in networks
        if isinstance(network, IPv4Network)
    ]
    return [*map(str, networks), *mapped]
