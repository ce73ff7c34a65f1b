"""Rate limits: how often one client may call, identified by its principal or, without a credential, by its address."""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.identity.credentials import VISITOR, Principal
from adapters.lazy import Lazy
from entrypoints.composition.settings import Settings
from entrypoints.http.operations import Call, Limit
from entrypoints.http.problems import Problem

if TYPE_CHECKING:
    from limits import RateLimitItem

T = TypeVar("T")

# A household or a company gets an IPv6 network of this size, with all its addresses at will.
IPV6_CLIENT_BITS = 64


class _Counting:
    """The configured limits and the store that counts calls."""

    def __init__(self, settings: Settings) -> None:
        from limits import parse

        from entrypoints.http.rate_limit_store import RateLimitStore

        self.items: dict[Limit, RateLimitItem] = {
            Limit.DEFAULT: parse(settings.rate_limit_default),
            Limit.PAYMENT: parse(settings.rate_limit_payment),
            Limit.CREATE: parse(settings.rate_limit_create),
            # The same number as for new tickets, counted separately.
            Limit.CODE: parse(settings.rate_limit_create),
        }
        self.store = RateLimitStore(settings.shared_rate_limits)


class RateLimits:
    """Call middleware: counts the call for its client and raises 429 above the limit.

    Calls are counted in this process or in a store that processes share.
    """

    def __init__(self, settings: Settings) -> None:
        self._counting = Lazy(lambda: _Counting(settings))
        self._is_local = settings.shared_rate_limits is None
        if not self._is_local:
            # A wrong address of the store is reported at the start.
            self.load()

    def load(self) -> None:
        """Load the library before the first call needs it."""
        self._counting()

    def __call__(self, call: Call, proceed: Callable[[Call], T]) -> T:
        self.count(call.operation.limit, call.principal, call.client)
        return proceed(call)

    async def count_refused(self, address: str) -> None:
        """Count a request to an unknown path or method: on the event loop, unless a shared store counts it."""
        if self._is_local:
            self.count(Limit.DEFAULT, VISITOR, address)
        else:
            await run_in_threadpool(self.count, Limit.DEFAULT, VISITOR, address)

    def count(self, limit: Limit, principal: Principal, address: str) -> None:
        """Count one call; Problem 429 if it is above the limit."""
        counting = self._counting()
        item = counting.items.get(limit)
        if item is None:
            return
        client = f"address:{_network(address)}" if principal is VISITOR else principal.name
        wait = counting.store.hit(item, limit.value, client)
        if wait is None:
            return
        seconds = max(1, math.ceil(wait))
        raise Problem("too-many-requests", f"At most {item} for one client.", headers={"Retry-After": str(seconds)})


def _network(address: str) -> str:
    """Return the address, or for IPv6 the network that one client has."""
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
