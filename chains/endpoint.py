"""One node: how it is asked, within its limits, and which chain it follows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointSettings,
    Observer,
    Outcome,
    RateLimited,
)
from chains.health import Clock, Health
from chains.http import Disconnected
from chains.pace import Pace
from chains.redaction import Redaction

T = TypeVar("T")
_CANCELLED: Outcome = "cancelled"


class Transport(Protocol):
    """How a family talks to one endpoint."""

    async def post(self, method: str, params: object) -> bytes | None:
        """The JSON of the result, without any envelope; None where it is JSON null.

        Raises:
            ChainError: there is no result; the text holds no URL, key or token.
        """

    async def close(self) -> None:
        """Close connections."""


def shaped(method: str, result: bytes, type: type[T]) -> T:
    """The JSON `result` of `method` as a `type`; a missing field is a bad answer, never a default.

    Raises:
        ChainDataError: it has another shape.
        ChainUnavailable: it is no JSON.
    """
    try:
        return msgspec.json.decode(result, type=type)
    except msgspec.ValidationError as error:
        raise ChainDataError(f"{method}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ChainUnavailable(f"{method}: the result is not JSON") from None


class Endpoint:
    """One node: its transport behind its limits, and its health."""

    def __init__(
        self,
        settings: EndpointSettings,
        transport: Transport,
        identify: Callable[[Endpoint], Awaitable[None]],
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.name = settings.name
        self.health = Health(settings, clock)
        self.redaction = Redaction(settings)
        self._transport, self._clock, self._observer = transport, clock, observer
        self._identify, self._identifying = identify, asyncio.Lock()
        self.pace = Pace(settings.requests_per_second, clock)

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    async def call(self, method: str, params: object, type: type[T]) -> T | None:
        """The result as a `type`; None where it is JSON null.

        Raises:
            ChainDataError: the result has another shape. Never taken for "nothing".
            ChainUnavailable: there is no result.
        """
        result = await self.raw(method, params)
        return None if result is None else shaped(method, result, type)

    async def raw(self, method: str, params: object) -> bytes | None:
        """The result's own JSON; None where it is JSON null."""
        try:
            return await self._post(method, params)
        except Disconnected:
            # A kept connection that the server had closed, or a node that restarted: it may
            # follow another chain now. aiohttp itself does not repeat a POST.
            if self.health.identified:
                self.health.identified = False
                await self.identify()
            return await self._post(method, params)

    async def _post(self, method: str, params: object) -> bytes | None:
        await self.pace.turn()
        self.health.spend()
        started, outcome = self._clock.monotonic(), _CANCELLED
        try:
            result = await self._transport.post(method, params)
            outcome = "ok"
        except ChainError as error:
            outcome = _outcome(error)
            raise
        finally:
            seconds = self._clock.monotonic() - started
            self._observer.asked(self.name, method, outcome, seconds)
        self.health.answered(seconds)
        return result

    async def identify(self) -> None:
        """Check, once since its last fault, that it follows our chain; raises WrongChain."""
        async with self._identifying:
            if not self.health.identified:
                await self._identify(self)
                self.health.identified = True

    async def close(self) -> None:
        await self._transport.close()


def _outcome(error: ChainError) -> Outcome:
    match error:
        case RateLimited():
            return "rate_limited"
        case EndpointRefused():
            return "refused"
    return "unavailable"
