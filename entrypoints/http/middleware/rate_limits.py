"""Rate limits: how often one client may call. Clients with a credential are counted by principal, others by address."""

from __future__ import annotations

import threading
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.identity.credentials import VISITOR, Principal
from adapters.ids import SLUG_LENGTH
from adapters.lazy import Lazy
from entrypoints.composition.settings import Settings
from entrypoints.http.operations import Call, RateLimit
from entrypoints.http.problems import Problem

if TYPE_CHECKING:
    from limits import RateLimitItem

# The length of the network prefix by which an IPv6 client is counted, because it may use any address of its network.
IPV6_CLIENT_BITS = 64
LIMITS_OF_CAMPAIGN = (RateLimit.PAGE, RateLimit.IMAGE, RateLimit.GIFT)
# Longer ones name no campaign; they are counted together and take no memory.
LONGEST_COUNTED_SLUG = 2 * SLUG_LENGTH
MAX_KNOWN_CAMPAIGNS = 100_000


class _Counter:
    """The configured limits and the store that counts calls."""

    def __init__(self, settings: Settings) -> None:
        from limits import parse

        from entrypoints.http.rate_limit_store import RateLimitStore

        self.limits: dict[RateLimit, RateLimitItem] = {
            RateLimit.DEFAULT: parse(settings.rate_limit_default),
            RateLimit.PAYMENT: parse(settings.rate_limit_payment),
            RateLimit.CREATE: parse(settings.rate_limit_create),
            # Login codes and reports have the same limit as new tickets, but are counted separately.
            RateLimit.LOGIN_CODE: parse(settings.rate_limit_create),
            RateLimit.REPORT: parse(settings.rate_limit_create),
            # As many as views of a page: a recording of 50 MB is sent in a hundred parts.
            RateLimit.UPLOAD: parse(settings.rate_limit_page),
            # A check of a proof or an archive of a ticket is as rare and as costly as a payment.
            RateLimit.CHECK: parse(settings.rate_limit_payment),
            RateLimit.CAMPAIGN: parse(settings.rate_limit_default),
            RateLimit.PAGE: parse(settings.rate_limit_page),
            RateLimit.IMAGE: parse(settings.rate_limit_page),
            RateLimit.GIFT: parse(settings.rate_limit_gift),
        }
        self.limit_of_key = lru_cache(parse)
        self.store = RateLimitStore(settings.shared_rate_limits)


class RateLimiter:
    """Check: counts the call for its client, in this process or in a store that processes share, and may raise 429."""

    def __init__(self, settings: Settings) -> None:
        self._counter = Lazy(lambda: _Counter(settings))
        # The campaigns that were public when they were last asked for. A request for any other counts against the
        # client before it is looked up, so that nobody can try many.
        self._known_campaigns: set[str] = set()
        self._lock = threading.Lock()
        # Whether calls are counted in this process. If not, counting waits for the store that processes share.
        self.is_local = settings.shared_rate_limits is None
        if not self.is_local:
            # The process must not start if the address of the store is invalid.
            self.load()

    def load(self) -> None:
        """Load the library before the first call needs it."""
        self._counter()

    def __call__(self, call: Call) -> None:
        campaign = _campaign(call)
        if call.operation.rate_limit in LIMITS_OF_CAMPAIGN and campaign not in self._known_campaigns:
            self.count(RateLimit.CAMPAIGN, VISITOR, call.client_address, call.response_headers)
        self.count(call.operation.rate_limit, call.principal, call.client_address, call.response_headers, campaign)

    async def count_unrouted(self, address: str, response_headers: dict[str, str]) -> None:
        """Count a request to an unknown path or method; the shared store is called in a thread, because it blocks."""
        if self.is_local:
            self.count(RateLimit.DEFAULT, VISITOR, address, response_headers)
        else:
            await run_in_threadpool(self.count, RateLimit.DEFAULT, VISITOR, address, response_headers)

    def note_campaign(self, call: Call, *, exists: bool) -> None:
        """Remember whether the campaign of the call is public; requests for others are counted before the lookup."""
        if call.operation.rate_limit not in LIMITS_OF_CAMPAIGN:
            return
        campaign = _campaign(call)
        with self._lock:
            if not exists:
                # A page without a photo is a page, too.
                if call.operation.rate_limit is not RateLimit.IMAGE:
                    self._known_campaigns.discard(campaign)
            elif len(self._known_campaigns) < MAX_KNOWN_CAMPAIGNS:
                self._known_campaigns.add(campaign)

    def count(
        self,
        rate_limit: RateLimit,
        principal: Principal,
        address: str,
        response_headers: dict[str, str],
        campaign: str = "",
    ) -> None:
        """Count one call and add the headers that state its limit; raise Problem 429 if it is above the limit."""
        counter = self._counter()
        limit = counter.limits.get(rate_limit)
        if limit is None:
            return
        if rate_limit.value in principal.rate_limits:
            limit = counter.limit_of_key(principal.rate_limits[rate_limit.value])
        client = f"address:{client_network(address)}" if principal is VISITOR else principal.name
        window = counter.store.hit(limit, rate_limit.value, client, campaign)
        # https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
        response_headers["RateLimit-Policy"] = f'"{rate_limit.value}";q={limit.amount};w={limit.get_expiry()}'
        response_headers["RateLimit"] = f'"{rate_limit.value}";r={window.remaining};t={window.reset_seconds}'
        if not window.allowed:
            headers = {"Retry-After": str(max(1, window.reset_seconds))}
            raise Problem("too-many-requests", f"The limit for one client is {limit}.", headers=headers)


def _campaign(call: Call) -> str:
    """Return the campaign whose views or donations are counted apart, or an empty string if the call names none."""
    slug = call.path_params["slug"] if call.operation.rate_limit in LIMITS_OF_CAMPAIGN else ""
    return slug if slug.isascii() and len(slug) <= LONGEST_COUNTED_SLUG else ""


@lru_cache(maxsize=4096)
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
