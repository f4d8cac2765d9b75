"""Fetching blocks ahead of the tip, bounded, while they connect one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from watcher.domain.blocks import Block

AHEAD_BLOCKS = 64
AHEAD_BYTES = 64 * 1024 * 1024
IN_FLIGHT = 8

B = TypeVar("B", bound=Block)


class FetchAhead(Generic[B]):
    """Blocks after the tip, fetched concurrently and handed out in order.

    Holds at most 64 blocks, at most 8 of them on the way, and begins no new fetch while those that
    wait to be connected weighed 64 MiB on the wire. One that arrives makes room for the next, also
    while its receiver stores what it took before.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[B | None]]) -> None:
        self._fetch = fetch
        self._tasks: dict[int, asyncio.Task[B | None]] = {}
        self._next = 0
        """The block to be handed out next."""
        self._upto = 0
        """The last one to fetch; below `_next`: none."""

    async def take(self, number: int, upto: int) -> B | None:
        """The block at `number`, while those up to `upto` are fetched; None when there is none.

        A failed fetch raises here, when its turn has come. With it all others are forgotten: they
        may have met the same outage, which must not be told again for each of them.
        """
        for each in [each for each in self._tasks if each < number or self._is_absent(each)]:
            self._tasks.pop(each).cancel()
        self._next, self._upto = number, upto
        if number not in self._tasks:
            self._begin(number)
        self._begin_ahead()
        try:
            block = await asyncio.shield(self._tasks[number])
        except BaseException:  # also when we are cancelled: nothing is left on its way
            await self.clear()
            raise
        self._hand_out([number])
        return block

    def ready(self, number: int, most: int) -> list[B]:
        """Blocks from `number` on that are here already, in order; takes them."""
        blocks: list[B] = []
        while len(blocks) < most and (block := self._arrived(number + len(blocks))):
            blocks.append(block)
        self._hand_out([block.ref.number for block in blocks])
        return blocks

    async def clear(self) -> None:
        """Forget everything that was fetched: the chain moved under it."""
        tasks, self._tasks, self._upto = list(self._tasks.values()), {}, 0
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hand_out(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self._tasks[number]
            self._next = number + 1
        self._begin_ahead()

    def _begin(self, number: int) -> None:
        self._tasks[number] = task = asyncio.ensure_future(self._fetch(number))
        task.add_done_callback(self._go_on)

    def _begin_ahead(self) -> None:
        if any(task.done() and self._arrived(each) is None for each, task in self._tasks.items()):
            return  # an outage, or there is no more: its turn comes first
        under_way = sum(not task.done() for task in self._tasks.values())
        waiting = sum(block.size for each in self._tasks if (block := self._arrived(each)))
        for number in range(self._next, min(self._upto, self._next + AHEAD_BLOCKS - 1) + 1):
            if number in self._tasks:
                continue
            if under_way >= IN_FLIGHT or waiting > AHEAD_BYTES:
                break
            self._begin(number)
            under_way += 1

    def _go_on(self, done: asyncio.Task[B | None]) -> None:
        if not done.cancelled():  # by ourselves
            self._begin_ahead()

    def _is_absent(self, number: int) -> bool:
        """Whether there was no such block when it was asked for; there may be one now."""
        task = self._tasks[number]
        return task.done() and not task.cancelled() and not task.exception() and not task.result()

    def _arrived(self, number: int) -> B | None:
        task = self._tasks.get(number)
        if task is None or not task.done() or task.cancelled() or task.exception():
            return None
        return task.result()
