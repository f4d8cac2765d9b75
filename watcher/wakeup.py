"""News of the log: who waits for a merchant's next event is woken when it is there.

A commit of this process only says that a look is worth it; what other processes commit is found
once a second. However many wait, one query answers them all, and none is made while nobody waits.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import storage
from storage import Engine

POLL_SECONDS = 1.0


class News:
    """Wakes the readers of the log; one per process, while `run` runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: dict[asyncio.Future[int], tuple[str | None, int]] = {}
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
        self._stirred.set()  # it may be there already
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return after
        finally:
            del self._waiting[future]

    async def run(self) -> None:
        """Look after each commit and once a second, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._stirred.wait()
            self._stirred.clear()
            if self._waiting:
                with suppress(storage.StorageUnavailable):  # whoever waits will ask it, and say so
                    await self._look()

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._over = True
        for future, (_, after) in self._waiting.items():
            _wake(future, after)

    async def _look(self) -> None:
        async with storage.read(self._engine) as conn:
            newest = await storage.events.newest_of_all(conn)
        total = sum(newest.values())
        for future, (merchant_id, after) in self._waiting.items():
            seq = total if merchant_id is None else newest.get(merchant_id, 0)
            if seq > after:
                _wake(future, seq)


def _wake(future: asyncio.Future[int], seq: int) -> None:
    if not future.done():  # its time may be up just now
        future.set_result(seq)
