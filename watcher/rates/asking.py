"""Asking the sources again before what they said is too old."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from watcher import clock
from watcher.rates.book import RateBook
from watcher.rates.sources import Source, SourceFailed

LONGEST_PAUSE, SHORTEST_PAUSE = 60, 1  # seconds

log = structlog.get_logger()


class Asking:
    """Keeps a book up to date. Asks each source once at a time, however many want to know."""

    def __init__(self, book: RateBook, sources: Sequence[Source]) -> None:
        self._book, self._sources = book, sources
        self._not_before = {source.name: 0 for source in sources}
        self._round: asyncio.Task[None] | None = None

    async def ask(self, patience_seconds: int | None = None) -> None:
        """Ask every source once, or join who does; after `patience_seconds` it goes on alone."""
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._ask_all())
        done, _ = await asyncio.wait([self._round], timeout=patience_seconds)
        for task in done:
            task.result()

    async def run(self) -> None:
        """Ask for ever, so often that one failure in a row makes nothing stale."""
        pause = self._book.limits.max_age_seconds // 3
        while True:
            await self.ask()
            await asyncio.sleep(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, pause)))

    async def close(self) -> None:
        """Ask no more, and close connections."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)
        for source in self._sources:
            await source.close()

    async def _ask_all(self) -> None:
        await asyncio.gather(*map(self._ask_one, self._sources))

    async def _ask_one(self, source: Source) -> None:
        asked = clock.now()
        if asked < self._not_before[source.name]:
            return
        try:
            said = await source.observe(asked)
        except SourceFailed as failure:
            self._not_before[source.name] = asked + failure.retry_after
            if self._book.failed(source.name, str(failure)):
                log.warning("a source of rates fails", source=source.name, reason=str(failure))
            return
        except Exception:  # ours, and no reason to stop following chains
            self._book.failed(source.name, "a fault of our own, see the log")
            log.exception("asking a source of rates failed", source=source.name)
            return
        if self._book.failing(source.name):
            log.warning("a source of rates is back", source=source.name)
        self._book.heard(source.name, said, asked)
