"""News of the books: who waits for a merchant's next event is woken when it is there.

Whoever shows confirmations, of which no event tells, follows our newest blocks as well.

A commit of this process only says that a look is worth it; what other processes commit is found
once a second. However many wait, one query answers them all, and none is made while nobody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import storage
from storage import Engine
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Network

POLL_SECONDS = 1.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Books:
    """How far they are written."""

    newest: Mapping[str, int]
    """The number of each merchant's newest event."""
    tips: Mapping[Network, BlockRef]


class News:
    """Wakes the readers of the log; one per process, while `run` runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[asyncio.Future[int], tuple[str | None, int]] = {}
        self._following: dict[asyncio.Future[Books | None], Books | None] = {}
        self._stirred = asyncio.Event()
        self._over = False
        engine.after_commit.append(self._stirred.set)

    async def wait(self, merchant_id: str | None, after: int, seconds: float) -> int:
        """The number of the merchant's newest event, as soon as it is above `after`.

        `after` itself where none came within so many `seconds`, or we stop. None stands for all
        merchants, whose newest numbers are added up.
        """
        if self._over:
            return after
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[future] = merchant_id, after
        try:
            return await self._first(future, after, seconds)
        finally:
            del self._waiting[future]

    async def follow(self, seen: Books | None, seconds: float) -> Books | None:
        """The books, as soon as they are not as `seen`; `seen` itself after so many seconds."""
        if self._over:
            return seen
        future: asyncio.Future[Books | None] = asyncio.get_running_loop().create_future()
        self._following[future] = seen
        try:
            return await self._first(future, seen, seconds)
        finally:
            del self._following[future]

    async def _first(self, future: asyncio.Future[T], otherwise: T, seconds: float) -> T:
        self._stirred.set()  # it may be there already
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return otherwise

    async def run(self) -> None:
        """Look after each commit and once a second, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._stirred.wait()
            self._stirred.clear()
            if self._waiting or self._following:
                with suppress(storage.StorageUnavailable):  # whoever waits will ask it, and say so
                    await self._look()

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._over = True
        for future, (_, after) in self._waiting.items():
            _wake(future, after)
        for following, seen in self._following.items():
            _wake(following, seen)

    async def _look(self) -> None:
        followers = list(self._following.items())  # whoever comes meanwhile is for the next look
        async with storage.read(self._engine) as conn:
            newest = await storage.events.newest_of_all(conn)
            tips = await storage.cursors.tips(conn) if followers else {}
        books = Books(newest, tips)
        for following, seen in followers:
            if seen != books:
                _wake(following, books)
        total = sum(newest.values())
        for future, (merchant_id, after) in self._waiting.items():
            seq = total if merchant_id is None else newest.get(merchant_id, 0)
            if seq > after:
                _wake(future, seq)


def _wake(future: asyncio.Future[T], result: T) -> None:
    if not future.done():  # its time may be up just now
        future.set_result(result)
