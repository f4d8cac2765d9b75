"""How often one may ask: so many requests within any minute, in this process.

A secret key has a window of its own. Public keys share that of their address, as payers' browsers
do. Guesses have another of their address, and count before the key is looked up: where it is full
only a key is looked up that was good before, so that a guesser locks out nobody at his address.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from aiohttp import web

from storage.keys import Key
from watcher.api.errors import Problem

WINDOW_SECONDS = 60.0
MOST_WINDOWS = 10_000  # of each kind, and of good keys; beyond, the one unused longest is forgotten
IPV6_PREFIX = 64  # what one customer of a provider has to choose from

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Access:
    """What is configured about who asks, and how often."""

    per_key_per_minute: int = 300
    per_ip_per_minute: int = 60
    trusted_proxies: Sequence[Block] = ()
    """Whose `X-Forwarded-For` is believed."""
    cors_origins: frozenset[str] = field(default_factory=frozenset)
    """Of the pages that may use the API in browsers; "*" is every one."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How one stands after a request."""

    limit: int
    remaining: int
    reset_seconds: int
    """Until the whole limit is there again, if nothing else is asked."""
    retry_seconds: int
    """Until one request more is allowed; 0: this one was."""

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }


class Windows:
    """Who asked when, within the last minute; refused requests do not count."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def ask(self, who: str) -> Quota:
        """Count one request, unless it is one too many."""
        now = self._clock()
        times = self._times.setdefault(who, deque())
        self._times.move_to_end(who)
        if len(self._times) > MOST_WINDOWS:
            self._times.popitem(last=False)
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        allowed = len(times) < self._limit
        if allowed:
            times.append(now)
        return Quota(
            limit=self._limit,
            remaining=self._limit - len(times),
            reset_seconds=_left(times[-1], now),
            retry_seconds=0 if allowed else _left(times[0], now),
        )

    def forgive(self, who: str) -> None:
        """Take back the newest request that was counted."""
        if times := self._times.get(who):
            times.pop()


class Limits:
    """The windows of keys and of addresses, and which keys were good."""

    def __init__(self, access: Access) -> None:
        self._keys = Windows(access.per_key_per_minute)
        self._addresses = Windows(access.per_ip_per_minute)
        self._guesses = Windows(access.per_ip_per_minute)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._trusted = access.trusted_proxies

    def guess(self, request: web.Request, digest: bytes) -> Quota | None:
        """Count a guess, before its key is looked up; None where the key was good before."""
        if digest in self._good:
            return None
        return self._guesses.ask(self.address_of(request))

    def forgive(self, request: web.Request) -> None:
        """Take a guess back that was none."""
        self._guesses.forgive(self.address_of(request))

    def forget(self, request: web.Request) -> None:
        """Note that the request's key is good no more, if it ever was."""
        self._good.pop(request.get(DIGEST, b""), None)

    def ask(self, request: web.Request, key: Key | None) -> Quota:
        """Count a request with this key, which is good; None: without one."""
        if key is not None and DIGEST in request:
            self._remember(request[DIGEST])
        if key is not None and key.kind == "secret":
            return self._keys.ask(key.id)
        return self._addresses.ask(self.address_of(request))

    def _remember(self, digest: bytes) -> None:
        self._good[digest] = None
        self._good.move_to_end(digest)
        if len(self._good) > MOST_WINDOWS:
            self._good.popitem(last=False)

    def address_of(self, request: web.Request) -> str:
        """Who asks, as far as it can be believed."""
        return client_address(request, self._trusted)


LIMITS: web.AppKey[Limits] = web.AppKey("limits")
ACCESS: web.AppKey[Access] = web.AppKey("access")
QUOTA: web.RequestKey[Quota] = web.RequestKey("quota", Quota)
DIGEST: web.RequestKey[bytes] = web.RequestKey("digest", bytes)
"""Of the key that was looked up."""


def count_guess(request: web.Request, digest: bytes = b"") -> None:
    """Count a request before its key, if any, is looked up; 429 where it is one too many."""
    request[DIGEST] = digest
    if quota := request.app[LIMITS].guess(request, digest):
        _hold(request, quota)


def count_bad(request: web.Request) -> None:
    """Count a request without a good key, unless its look-up did."""
    request.app[LIMITS].forget(request)
    if QUOTA not in request:
        count_guess(request)


def count(request: web.Request, key: Key | None = None) -> None:
    """Count a request with this key, or of its address; 429 where it is one too many."""
    limits = request.app[LIMITS]
    if QUOTA in request:  # the look-up of the key
        limits.forgive(request)
    _hold(request, limits.ask(request, key))


def _hold(request: web.Request, quota: Quota) -> None:
    request[QUOTA] = quota
    if quota.retry_seconds:
        again = str(quota.retry_seconds)
        raise Problem(429, f"try again in {again} s", headers={"Retry-After": again})


async def tell_quota(request: web.Request, response: web.StreamResponse) -> None:
    """Say in every answer of a limited request how its sender stands."""
    if QUOTA in request:
        response.headers.update(request[QUOTA].headers)


def client_address(request: web.Request, trusted: Sequence[Block]) -> str:
    """The address that this request came from, as far as it can be believed.

    `X-Forwarded-For` is read from its end, where each proxy appends whom it heard, for as long as
    whoever said so is trusted. Of IPv6 the network.
    """
    hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    address = _parse(request.remote or "")
    while address is not None and hops and any(address in block for block in trusted):
        told = _parse(hops.pop())
        if told is None:
            break
        address = told
    if address is None:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _left(since: float, now: float) -> int:
    return math.ceil(since + WINDOW_SECONDS - now)
