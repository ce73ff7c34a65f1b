"""Rate limits: how often one client may call. Clients with a credential are counted by principal, others by address."""

from __future__ import annotations

import math
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.identity.credentials import VISITOR, Principal
from adapters.lazy import Lazy
from entrypoints.composition.settings import Settings
from entrypoints.http.operations import Call, RateLimit
from entrypoints.http.problems import Problem

if TYPE_CHECKING:
    from limits import RateLimitItem

# The length of the network prefix by which an IPv6 client is counted, because it may use any address of its network.
IPV6_CLIENT_BITS = 64


class _Counter:
    """The configured limits and the store that counts calls."""

    def __init__(self, settings: Settings) -> None:
        from limits import parse

        from entrypoints.http.rate_limit_store import RateLimitStore

        self.limits: dict[RateLimit, RateLimitItem] = {
            RateLimit.DEFAULT: parse(settings.rate_limit_default),
            RateLimit.PAYMENT: parse(settings.rate_limit_payment),
            RateLimit.CREATE: parse(settings.rate_limit_create),
            # Login codes have the same limit as new tickets, but are counted separately.
            RateLimit.LOGIN_CODE: parse(settings.rate_limit_create),
        }
        self.store = RateLimitStore(settings.shared_rate_limits)


class RateLimiter:
    """Check: counts the call for its client, in this process or in a store that processes share, and may raise 429."""

    def __init__(self, settings: Settings) -> None:
        self._counter = Lazy(lambda: _Counter(settings))
        self._is_local = settings.shared_rate_limits is None
        if not self._is_local:
            # The process must not start if the address of the store is invalid.
            self.load()

    def load(self) -> None:
        """Load the library before the first call needs it."""
        self._counter()

    def __call__(self, call: Call) -> None:
        self.count(call.operation.rate_limit, call.principal, call.client_address)

    async def count_unrouted(self, address: str) -> None:
        """Count a request to an unknown path or method; the shared store is called in a thread, because it blocks."""
        if self._is_local:
            self.count(RateLimit.DEFAULT, VISITOR, address)
        else:
            await run_in_threadpool(self.count, RateLimit.DEFAULT, VISITOR, address)

    def count(self, rate_limit: RateLimit, principal: Principal, address: str) -> None:
        """Count one call; raise Problem 429 if it is above the limit."""
        counter = self._counter()
        limit = counter.limits.get(rate_limit)
        if limit is None:
            return
        client = f"address:{client_network(address)}" if principal is VISITOR else principal.name
        wait_seconds = counter.store.hit(limit, rate_limit.value, client)
        if wait_seconds is None:
            return
        headers = {"Retry-After": str(max(1, math.ceil(wait_seconds)))}
        raise Problem("too-many-requests", f"The limit for one client is {limit}.", headers=headers)


def client_network(address: str) -> str:
    """Return the address, or for IPv6 the address's network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, IPV6_CLIENT_BITS), strict=False))
    return str(parsed)


def client_address(request: Request) -> str:
    """Return the address that the request came from, which a trusted proxy may have forwarded."""
    return request.client.host if request.client else ""
