"""How often one client may call: by who they are, or by their address while nobody knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.identity.credentials import VISITOR, Principal
from adapters.lazy import Lazy
from entrypoints.composition.settings import Settings
from entrypoints.http.operations import Limit
from entrypoints.http.problems import Problem

if TYPE_CHECKING:
    from limits import RateLimitItem

# A household or a company has a network of this size in IPv6, and all its addresses at will.
IPV6_CLIENT_BITS = 64


class _Counting:
    """The limits, and what counts."""

    def __init__(self, settings: Settings) -> None:
        from limits import parse

        from entrypoints.http.rate_limit_store import RateLimitStore

        self.items: dict[Limit, RateLimitItem] = {
            Limit.DEFAULT: parse(settings.rate_limit_default),
            Limit.PAYMENT: parse(settings.rate_limit_payment),
            Limit.CREATE: parse(settings.rate_limit_create),
            # As many as tickets can be made, counted apart.
            Limit.CODE: parse(settings.rate_limit_create),
        }
        self.counts = RateLimitStore(settings.shared_rate_limits)


class RateLimits:
    """Counts calls for each client and each limit, in this process or in a store that processes share."""

    def __init__(self, settings: Settings) -> None:
        self._counting = Lazy(lambda: _Counting(settings))
        self._here = settings.shared_rate_limits is None
        if not self._here:
            # What is wrong with the address of a store is said at the start.
            self.load()

    def load(self) -> None:
        """So that the first call need not wait for the library."""
        self._counting()

    async def count_refused(self, address: str) -> None:
        """The same for what leads nowhere: on the event loop, unless the count is kept elsewhere."""
        if self._here:
            self.count(Limit.DEFAULT, VISITOR, address)
        else:
            await run_in_threadpool(self.count, Limit.DEFAULT, VISITOR, address)

    def count(self, limit: Limit, principal: Principal, address: str) -> None:
        """One more call; Problem 429 if it is one too many."""
        counting = self._counting()
        item = counting.items.get(limit)
        if item is None:
            return
        client = f"address:{_network(address)}" if principal is VISITOR else principal.name
        wait = counting.counts.hit(item, limit.value, client)
        if wait is None:
            return
        seconds = max(1, math.ceil(wait))
        raise Problem("too-many-requests", f"At most {item} for one client.", headers={"Retry-After": str(seconds)})


def _network(address: str) -> str:
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ip_network((known, IPV6_CLIENT_BITS), strict=False))
    return str(known)


class Proxies:
    """Knows whose word about a client's address counts."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted: list[IPv4Network | IPv6Network] = [ip_network(one, strict=False) for one in trusted]

    def client(self, request: Request) -> str:
        """The address that a request came from. Some proxies add to the header that is there, some add another."""
        peer = request.client.host if request.client else ""
        told = request.headers.getlist("x-forwarded-for") if self._trusted else []
        return self.client_of(peer, ",".join(told) or None)

    def client_of(self, peer: str, forwarded_for: str | None) -> str:
        """The address that the call came from: the nearest one that no trusted proxy has."""
        if forwarded_for is None or not self._trusted:
            return peer
        address = peer
        for told in reversed((forwarded_for or "").split(",")):
            if not self._trusts(address):
                break
            try:
                address = str(ip_address(told.strip()))
            except ValueError:
                break
        return address

    def _trusts(self, address: str) -> bool:
        try:
            known = ip_address(address)
        except ValueError:
            return False
        if isinstance(known, IPv6Address) and known.ipv4_mapped is not None:
            known = known.ipv4_mapped
        return any(known in network for network in self._trusted)
