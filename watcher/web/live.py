"""Open pages, and waking those whose invoice is not what it was.

However many are open, they cost one look per commit, and one a second, at what is new in the books.
What a page has not fetched yet is not queued for it: it is rung, and shows what is there then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice

import storage
from storage import Engine
from watcher.clock import now
from watcher.policy import Policy
from watcher.refused import NotFound
from watcher.wakeup import Books, News
from watcher.web.scene import Scene, read_scenes

MOST_PAGES = 5_000
MOST_PER_ADDRESS = 100
LOOK_SECONDS = 1.0
PAUSE_SECONDS = 0.1  # so that a storm of commits is not a storm of pages
AT_ONCE = 100  # invoices read in a transaction
READERS = 4  # when all pages come back at once, as after a restart, others need connections, too

Pulse = tuple[bool, bool]


class Crowded(Exception):
    """More pages are open than we can keep up to date."""


@dataclass(eq=False)
class _Watched:
    """An invoice with open pages."""

    scene: Scene | None = None
    pulse: Pulse = (False, False)
    """What time alone changes: whether networks lag, whether it is too late."""
    turn: int = 0
    """Moves on when it is told of, and when it is read; a reading that spans a turn may be old."""
    bells: set[asyncio.Event] = field(default_factory=set)

    def ring(self) -> None:
        for bell in self.bells:
            bell.set()

    def put(self, scene: Scene) -> None:
        self.scene = scene
        self.turn += 1


class Page:
    """One open page on an invoice."""

    def __init__(self, watched: _Watched) -> None:
        self._watched, self._bell = watched, asyncio.Event()
        watched.bells.add(self._bell)

    @property
    def scene(self) -> Scene:
        assert self._watched.scene is not None  # read before the page is given out
        return self._watched.scene

    async def change(self, seconds: float) -> None:
        """Wait for something to show, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()

    def close(self) -> None:
        self._watched.bells.discard(self._bell)


class Live:
    """All open pages of this process, while `run` runs."""

    def __init__(self, engine: Engine, policy: Policy, news: News) -> None:
        self._engine, self._policy, self._news = engine, policy, news
        self._watched: dict[str, _Watched] = {}
        self._addresses: Counter[str] = Counter()
        self._anyone = asyncio.Event()
        self._readers = asyncio.Semaphore(READERS)
        self.over = False

    @asynccontextmanager
    async def open(self, invoice_id: str, address: str) -> AsyncIterator[Page]:
        """A page on the invoice, for somebody at `address`.

        Raises:
            NotFound: no such invoice.
            Crowded: too many are open, at all or there.
        """
        if self._addresses.total() >= MOST_PAGES or self._addresses[address] >= MOST_PER_ADDRESS:
            raise Crowded
        watched = self._watched.setdefault(invoice_id, _Watched())
        page = Page(watched)
        self._addresses[address] += 1
        self._anyone.set()
        try:
            async with self._readers:
                await self._read(invoice_id, watched)
            yield page
        finally:
            page.close()
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            if not watched.bells:
                self._watched.pop(invoice_id, None)

    async def run(self) -> None:
        """Keep the open pages up to date, until cancelled."""
        seen: Books | None = None
        while True:
            if not self._watched:
                self._anyone.clear()
                await self._anyone.wait()
            books = await self._news.follow(seen, LOOK_SECONDS)
            if books is not None and books is not seen:
                with suppress(storage.StorageUnavailable):  # asked again, since `seen` stays
                    await self._update(seen, books)
                    seen = books
            self._feel(now())
            await asyncio.sleep(PAUSE_SECONDS)

    def stop(self) -> None:
        """Let every page end: we stop."""
        self.over = True
        for watched in self._watched.values():
            watched.ring()

    async def _read(self, invoice_id: str, watched: _Watched) -> None:
        """Read how things stand: no page opens on less than its payer has seen, or done, before."""
        while True:
            turn = watched.turn
            async with storage.read(self._engine) as conn:
                scene = (await read_scenes(conn, self._policy, [invoice_id])).get(invoice_id)
            if scene is None:
                raise NotFound("there is no such invoice")
            if watched.turn == turn:
                if watched.scene is None:
                    watched.pulse = self._pulse(scene, now())
                watched.put(scene)
                return

    async def _update(self, seen: Books | None, books: Books) -> None:
        """Read again what was told of; move the others to the new tips."""
        told = await self._told(seen, books)
        turns: dict[str, int] = {}
        for invoice_id in told:
            if watched := self._watched.get(invoice_id):
                watched.turn += 1
                turns[invoice_id] = watched.turn
        for few in _portions(turns):
            async with storage.read(self._engine) as conn:
                scenes = await read_scenes(conn, self._policy, few)
            for invoice_id, scene in scenes.items():
                if watched := self._watched.get(invoice_id):
                    if watched.turn == turns[invoice_id]:
                        watched.put(scene)
                    watched.ring()
        for invoice_id, watched in self._watched.items():
            if watched.scene is not None and invoice_id not in told:
                self._move(watched, watched.scene, books)

    async def _told(self, seen: Books | None, books: Books) -> set[str]:
        """The watched invoices that events since `seen` are about."""
        if seen is None:
            return set(self._watched)
        found: set[str] = set()
        async with storage.read(self._engine) as conn:
            for merchant_id, seq in books.newest.items():
                before = seen.newest.get(merchant_id, 0)
                if seq > before:
                    ids = list(self._watched)
                    found |= await storage.events.touched(conn, merchant_id, before, ids)
        return found

    def _move(self, watched: _Watched, scene: Scene, books: Books) -> None:
        """Put an invoice before the new tips; its pages show them where they count depth."""
        tips = {name: tip for name, tip in books.tips.items() if name in self._policy.networks}
        watched.scene = replace(scene, tips=tips)
        waiting = {each.network for each in scene.on_their_way}
        if any(tips.get(name) != scene.tips.get(name) for name in waiting):
            watched.ring()

    def _feel(self, time: int) -> None:
        """Ring where time alone changed something."""
        for watched in self._watched.values():
            if watched.scene is not None:
                pulse = self._pulse(watched.scene, time)
                if pulse != watched.pulse:
                    watched.pulse = pulse
                    watched.ring()

    def _pulse(self, scene: Scene, time: int) -> Pulse:
        return bool(scene.delaying(self._policy, time)), scene.past(time)


def _portions(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while few := list(islice(rest, AT_ONCE)):
        yield few
