"""Several endpoints of one network, asked as if they were one that does not fail.

A piece of work goes to the first endpoint that may be asked, and on to the next when it fails:

ChainUnavailable   backs off, longer each time, or as long as the node asked
RateLimited        the same, and is asked more slowly for a while
EndpointRefused    is left alone for minutes
ChainDataError     is quarantined, longer each time, and then asked last until it does well;
                   so is, after a shorter rest, who has another block than enough others
anything else      is our own bug: it passes through

Nobody may be asked: that is an error at once, and the caller waits. Where `hedge_seconds` are set,
who has not answered by then is not waited for alone: the next one is asked as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from chains.asking import ALONE_SECONDS
from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointReport,
    EndpointSettings,
    Observer,
    RateLimited,
    Unobserved,
    WrongChain,
)
from chains.endpoint import Endpoint, Transport
from chains.health import Clock, Missing
from watcher.domain.blocks import BlockRef, Hash

T = TypeVar("T")

EACH_SECONDS, WHOLE_SECONDS = 9, 40  # for a few small answers; for a whole block, or its traces
BELIEVED = 64  # blocks; who is further behind is not tried


class EndpointPool:
    """The endpoints of one network, in configured order.

    Args:
        identify: asks an endpoint which chain it follows; raises WrongChain.
        hedge_seconds: after so long without an answer the next endpoint is asked, too; None: never.
        observer: told of every request.
    """

    def __init__(
        self,
        endpoints: Sequence[EndpointSettings],
        connect: Callable[[EndpointSettings], Transport],
        identify: Callable[[Endpoint], Awaitable[None]],
        clock: Clock | None = None,
        *,
        hedge_seconds: float | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._clock, self._hedge_seconds = clock or Clock(), hedge_seconds
        self.endpoints = tuple(
            Endpoint(settings, connect(settings), identify, self._clock, observer or Unobserved())
            for settings in endpoints
        )
        self._believed: dict[int, Hash] = {}
        """By number, below the newest that an endpoint gave; of the last few blocks."""

    async def ask(
        self, work: Callable[[Endpoint], Awaitable[T]], *, but: Collection[str] = ()
    ) -> T:
        """What `work` gives at the first endpoint, not named in `but`, where it succeeds.

        Raises:
            ChainDataError: every endpoint that was asked lied.
            ChainUnavailable: no endpoint answered; says when the next may be asked.
        """
        faults: list[tuple[Endpoint, ChainError]] = []
        nodes = self._in_order(but)
        asked: dict[asyncio.Task[T], Endpoint] = {}
        try:
            while nodes or asked:
                if nodes:
                    node = nodes.pop(0)
                    if node.health.wait_seconds > 0:
                        continue  # failed meanwhile, for another caller
                    asked[asyncio.create_task(self._attempt(node, work))] = node
                patience = self._hedge_seconds if nodes else None
                done, _ = await asyncio.wait(
                    asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    try:
                        return task.result()
                    except ChainError as error:
                        faults.append((asked.pop(task), error))
        finally:
            for task in asked:  # who was slower is not to blame for it
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise self._nobody(faults, but)

    async def each(
        self, work: Callable[[Endpoint], Awaitable[T]], seconds: float | None = None
    ) -> dict[str, T]:
        """What `work` gives at every endpoint that may be asked now, by name.

        Faults are noted in the endpoints' health, and missing from the answer; so is who takes
        longer than `seconds` (None: `EACH_SECONDS`), as the slowest of them holds up the caller.
        """
        answers: dict[str, T] = {}
        patience = EACH_SECONDS if seconds is None else seconds

        async def attempt(node: Endpoint) -> None:
            started = self._clock.monotonic()
            with suppress(ChainError):  # noted already
                answers[node.name] = await self._in_time(node, work, started, patience)
                node.health.reachable(started)

        async with asyncio.TaskGroup() as tasks:
            for node in self._in_order(()):
                tasks.create_task(attempt(node))
        return answers

    async def try_again(
        self, known: BlockRef, giver: str, own: Callable[[int, Endpoint], Awaitable[Hash | None]]
    ) -> None:
        """Try one that is on parole, if its term is over, by a block that others have.

        By the newest that it should have: the one below `known`, or where its own head was when
        last heard. `giver` gave the known block; `own` proves an endpoint's own at a number, and
        gives its hash. No fault is raised.
        """
        self._note_believed(known)

        async def same(number: int, node: Endpoint) -> None:
            theirs = await own(number, node)
            if theirs is None:
                raise Missing(f"has no block {number}")
            if theirs != self._believed[number]:
                node.health.convicted()
                alone = f"its block {number} is not the one that others have"
                raise ChainUnavailable(alone, retry_after=ALONE_SECONDS)

        for node in self.endpoints:
            head = known.number if node.health.head is None else node.health.head
            number = max((each for each in self._believed if each <= head), default=None)
            if number is None or node.name == giver or node.pace.is_full:
                continue
            if not node.health.begin_trial(number):
                continue
            started = self._clock.monotonic()
            with suppress(ChainError):  # noted already
                await self._in_time(node, partial(same, number), started, EACH_SECONDS)
                node.health.acquitted(started)
            return

    def _note_believed(self, known: BlockRef) -> None:
        below = known.number - 1
        kept = {n: hash for n, hash in self._believed.items() if below - BELIEVED < n < below}
        self._believed = kept | ({below: known.parent_hash} if below >= 0 else {})

    def saw_head(self, node: Endpoint, number: int) -> None:
        """Note the newest block that `node` told of; whether it lags is judged now.

        Only who has just spoken is judged: what another said a minute ago is old, not behind.
        """
        node.health.head = number
        node.health.judge(self._best())

    async def survey(self, head: Callable[[Endpoint], Awaitable[int]]) -> None:
        """Ask every endpoint for its head by `head`; faults are noted, not raised.

        All are asked the same at the same moment, so this is where they are compared.
        """

        async def compared(node: Endpoint) -> None:
            number = await head(node)
            node.health.surveyed(number)  # at once: what it notes is how long this answer took

        heard = await self.each(compared)
        spoken = [node for node in self.endpoints if node.name in heard]
        fastest = min((node.health.usual_seconds for node in spoken), default=0.0)
        for node in spoken:
            node.health.judge(self._best())
            node.health.judge_speed(fastest)

    def side_with(
        self, said: Mapping[str, Hash | None], ref: BlockRef, needed: int
    ) -> frozenset[str]:
        """Names of those who said `ref.hash`; if they are enough, who said another is on a fork."""
        holders = frozenset(name for name, other in said.items() if other == ref.hash)
        if len(holders) >= max(2, needed):
            for node in self.endpoints:
                if said.get(node.name) not in (None, ref.hash):
                    words = f"its block {ref.number} is not the one that {len(holders)} others have"
                    node.health.forked(ref.number, words)
        return holders

    def blame(self, name: str, fault: ChainError) -> None:
        """Note a fault that only another endpoint's answer showed."""
        for node in self.endpoints:
            if node.name == name:
                words = node.redaction.scrub(str(fault))
                node.health.failed(fault, words, self._clock.monotonic())

    def reports(self) -> list[EndpointReport]:
        return [node.health.report() for node in self.endpoints]

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self.endpoints))

    async def _attempt(self, node: Endpoint, work: Callable[[Endpoint], Awaitable[T]]) -> T:
        started = self._clock.monotonic()
        answer = await self._work(node, work, started)
        node.health.good(started)
        return answer

    async def _work(
        self, node: Endpoint, work: Callable[[Endpoint], Awaitable[T]], started: float
    ) -> T:
        try:
            await node.identify()
            return await work(node)
        except ChainError as error:
            node.health.failed(error, node.redaction.scrub(str(error)), started)
            if isinstance(error, RateLimited):
                node.pace.refused(started)
            raise

    async def _in_time(
        self,
        node: Endpoint,
        work: Callable[[Endpoint], Awaitable[T]],
        started: float,
        seconds: float,
    ) -> T:
        """What `work` gives; raises ChainUnavailable where it takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._work(node, work, started)
        except TimeoutError:
            fault = ChainUnavailable(f"no answer within {seconds} s")
            if not node.pace.is_full:  # else late by our own limit, perhaps: no fault of it
                node.health.failed(fault, str(fault), started)
            raise fault from None

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
