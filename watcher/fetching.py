"""Fetching blocks ahead of the tip, bounded, while they connect one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from watcher.domain.blocks import Block

AHEAD_BLOCKS = 64
AHEAD_BYTES = 64 * 1024 * 1024
IN_FLIGHT = 8


class FetchAhead:
    """Blocks after the tip, fetched concurrently and handed out in order.

    Holds at most 64 blocks, at most 8 of them on the way, and begins no new fetch while those that
    wait to be connected weighed 64 MiB on the wire.
    """

    def __init__(self, fetch: Callable[[int], Awaitable[Block | None]]) -> None:
        self._fetch = fetch
        self._tasks: dict[int, asyncio.Task[Block | None]] = {}

    async def take(self, number: int, upto: int) -> Block | None:
        """The block at `number`, while those up to `upto` are fetched; None when there is none.

        A failed fetch raises here, when its turn has come. With it all others are forgotten: they
        may have met the same outage, which must not be told again for each of them.
        """
        self._begin(number, max(number, upto))
        try:
            block = await asyncio.shield(self._tasks[number])
        except BaseException:  # also when we are cancelled: nothing is left on its way
            await self.clear()
            raise
        del self._tasks[number]
        return block

    def ready(self, number: int, most: int) -> list[Block]:
        """Blocks from `number` on that are here already, in order; takes them."""
        blocks: list[Block] = []
        while len(blocks) < most and (block := self._arrived(number + len(blocks))):
            blocks.append(block)
        for block in blocks:
            del self._tasks[block.ref.number]
        return blocks

    async def clear(self) -> None:
        """Forget everything that was fetched: the chain moved under it."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, number: int, upto: int) -> None:
        for each in [each for each in self._tasks if each < number or self._is_absent(each)]:
            self._tasks.pop(each).cancel()
        under_way = sum(not task.done() for task in self._tasks.values())
        waiting = sum(block.size for each in self._tasks if (block := self._arrived(each)))
        for each in range(number, min(upto, number + AHEAD_BLOCKS - 1) + 1):
            if each in self._tasks:
                continue
            if each > number and (under_way >= IN_FLIGHT or waiting > AHEAD_BYTES):
                break
            self._tasks[each] = asyncio.ensure_future(self._fetch(each))
            under_way += 1

    def _is_absent(self, number: int) -> bool:
        """Whether there was no such block when it was asked for; there may be one now."""
        task = self._tasks[number]
        return task.done() and not task.cancelled() and not task.exception() and not task.result()

    def _arrived(self, number: int) -> Block | None:
        task = self._tasks.get(number)
        if task is None or not task.done() or task.cancelled() or task.exception():
            return None
        return task.result()
