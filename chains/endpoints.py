"""Several endpoints of one network, asked as if they were one that does not fail.

A piece of work goes to the first endpoint that may be asked, and on to the next when it fails:

ChainUnavailable   backs off, longer each time, or as long as the node asked
EndpointRefused    is left alone for minutes
ChainDataError     is quarantined, longer each time, and then asked last until it does well
anything else      is our own bug: it passes through

Nothing sleeps here: when nobody may be asked, that is an error at once, and the caller waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

import msgspec
from aiolimiter import AsyncLimiter

from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointReport,
    EndpointSettings,
    WrongChain,
)
from chains.health import Clock, Health
from chains.http import Disconnected
from chains.redaction import Redaction

T = TypeVar("T")

EACH_SECONDS = 9


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
    ) -> None:
        self.name = settings.name
        self.health = Health(settings, clock)
        self.redaction = Redaction(settings)
        self._transport, self._clock = transport, clock
        self._identify, self._identifying = identify, asyncio.Lock()
        rate = settings.requests_per_second
        self._limiter = AsyncLimiter(rate, 1) if rate else None

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
        if self._limiter is not None:
            await self._limiter.acquire()
        self.health.spend()
        started = self._clock.monotonic()
        result = await self._transport.post(method, params)
        self.health.answered(self._clock.monotonic() - started)
        return result

    async def identify(self) -> None:
        """Check, once since its last fault, that it follows our chain; raises WrongChain."""
        async with self._identifying:
            if not self.health.identified:
                await self._identify(self)
                self.health.identified = True

    async def close(self) -> None:
        await self._transport.close()


class EndpointPool:
    """The endpoints of one network, in configured order.

    Args:
        identify: asks an endpoint which chain it follows; raises WrongChain.
    """

    def __init__(
        self,
        endpoints: Sequence[EndpointSettings],
        connect: Callable[[EndpointSettings], Transport],
        identify: Callable[[Endpoint], Awaitable[None]],
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self.endpoints = tuple(
            Endpoint(settings, connect(settings), identify, self._clock) for settings in endpoints
        )

    async def ask(
        self, work: Callable[[Endpoint], Awaitable[T]], *, but: Collection[str] = ()
    ) -> T:
        """What `work` gives at the first endpoint, not named in `but`, where it succeeds.

        Raises:
            ChainDataError: every endpoint that was asked lied.
            ChainUnavailable: no endpoint answered; says when the next may be asked.
        """
        faults: list[tuple[Endpoint, ChainError]] = []
        for node in self._in_order(but):
            if node.health.wait_seconds > 0:
                continue  # failed meanwhile, for another caller
            started = self._clock.monotonic()
            try:
                answer = await self._work(node, work, started)
            except ChainError as error:
                faults.append((node, error))
                continue
            node.health.good(started)
            return answer
        raise self._nobody(faults, but)

    async def each(self, work: Callable[[Endpoint], Awaitable[T]]) -> dict[str, T]:
        """What `work` gives at every endpoint that may be asked now, by name.

        Faults are noted in the endpoints' health, and missing from the answer; so is who takes
        longer than `EACH_SECONDS`, since the slowest of them holds up the caller.
        """
        answers: dict[str, T] = {}

        async def attempt(node: Endpoint) -> None:
            started = self._clock.monotonic()
            try:
                async with asyncio.timeout(EACH_SECONDS):
                    answers[node.name] = await self._work(node, work, started)
                node.health.reachable(started)
            except ChainError:
                pass  # noted by `_work`
            except TimeoutError:
                fault = ChainUnavailable(f"no answer within {EACH_SECONDS} s")
                node.health.failed(fault, str(fault), started)

        async with asyncio.TaskGroup() as tasks:
            for node in self._in_order(()):
                tasks.create_task(attempt(node))
        return answers

    def saw_head(self, node: Endpoint, number: int) -> None:
        """Note the newest block that `node` told of; whether it lags is judged now.

        Only who has just spoken is judged: what another said a minute ago is old, not behind.
        """
        node.health.head = number
        node.health.judge(self._best())

    async def survey(self, head: Callable[[Endpoint], Awaitable[int]]) -> None:
        """Ask every endpoint for its head by `head`; faults are noted, not raised."""
        heads = await self.each(head)
        spoken = [node for node in self.endpoints if node.name in heads]
        for node in spoken:
            node.health.head = heads[node.name]
        for node in spoken:
            node.health.judge(self._best())

    def blame(self, name: str, fault: ChainDataError) -> None:
        """Note a lie that only another endpoint's answer showed."""
        for node in self.endpoints:
            if node.name == name:
                words = node.redaction.scrub(str(fault))
                node.health.failed(fault, words, self._clock.monotonic())

    def reports(self) -> list[EndpointReport]:
        return [node.health.report() for node in self.endpoints]

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self.endpoints))

    async def _work(
        self, node: Endpoint, work: Callable[[Endpoint], Awaitable[T]], started: float
    ) -> T:
        try:
            await node.identify()
            return await work(node)
        except ChainError as error:
            node.health.failed(error, node.redaction.scrub(str(error)), started)
            raise

    def _in_order(self, but: Collection[str]) -> list[Endpoint]:
        others = (node for node in self.endpoints if node.name not in but)
        usable = [node for node in others if node.health.wait_seconds == 0]
        return sorted(usable, key=lambda node: node.health.rank)  # stable: as configured

    def _best(self) -> int:
        return max(
            (node.health.head or 0 for node in self.endpoints if node.health.trusted), default=0
        )

    def _nobody(
        self, faults: Sequence[tuple[Endpoint, ChainError]], but: Collection[str]
    ) -> ChainError:
        """The error that says why no endpoint answered: the kind that all faults share."""
        others = [node for node in self.endpoints if node.name not in but]
        if not others:
            return ChainUnavailable("there is no other endpoint")
        wait = min(node.health.wait_seconds for node in others)
        if not faults:
            known = "; ".join(f"{node.name}: {node.health.reason}" for node in others)
            return ChainUnavailable(f"{known}; next try in {wait:.0f} s", retry_after=wait)
        text = "; ".join(f"{node.name}: {node.redaction.scrub(str(e))}" for node, e in faults)
        errors = [error for _, error in faults]
        for lie in (WrongChain, ChainDataError):
            if all(isinstance(error, lie) for error in errors):
                return lie(text)
        refused = all(isinstance(error, EndpointRefused) for error in errors)
        kind = EndpointRefused if refused else ChainUnavailable
        return kind(f"{text}; next try in {wait:.0f} s", retry_after=wait)
