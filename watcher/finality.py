"""What is final on one network: what the endpoints say, believed only of our own blocks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog

from chains.base import ChainClient, ChainError
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Network

ASK_SECONDS = 20
UNKNOWN_SECONDS = 300  # so long may a node that has just started know nothing of finality

HashAt = Callable[[int], Awaitable[Hash | None]]

log = structlog.get_logger()


class Finality:
    """The newest block of ours that is final. Only rises.

    Where it was known and is no longer, steps back, or names another block than ours, something is
    wrong with the chain or the endpoints: `frozen` says what, and nothing may be confirmed until
    that is over. Judged by what the endpoints call final, however far above `number` that is.

    Args:
        depth: what is final never comes closer to our tip than so many blocks; None: no such rule.
    """

    def __init__(self, network: Network, depth: int | None = None) -> None:
        self.number: int | None = None
        self.frozen: str | None = None
        self._network, self._depth = network, depth or 0
        self._said: BlockRef | None = None
        self._highest: int | None = None
        """What was ever called final and is in our chain."""
        self._silent_since: float | None = None
        self._due = 0.0

    @property
    def unknown(self) -> str | None:
        """That nothing was ever called final, once that lasts; None: it was, or it may be soon."""
        if self._highest is not None or self._silent_since is None:
            return None
        if time.monotonic() - self._silent_since < UNKNOWN_SECONDS:
            return None
        return (
            "finality was never known: no endpoint says which block is final, "
            "and what must be final to be confirmed waits"
        )

    def remember(self, stored: int | None) -> None:
        """Take over what the database knows."""
        if stored is not None:
            self.number = max(self.number or 0, stored)
            self._highest = max(self._highest or 0, stored)

    async def ask(self, client: ChainClient) -> None:
        """Ask what is final, and for every endpoint's head, at most every 20 seconds."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + ASK_SECONDS
        await client.survey()
        try:
            self._said = await client.finalized()
        except ChainError as error:
            log.debug("finality unknown", network=self._network, reason=str(error))
            self._said = None
        if self._said is not None:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now

    async def judge(self, tip: BlockRef, hash_at: HashAt) -> None:
        """Rise to what was said, where that block is in our chain; else say what is wrong."""
        self.frozen = await self._objection(tip, hash_at)

    async def _objection(self, tip: BlockRef, hash_at: HashAt) -> str | None:
        said, highest = self._said, self._highest
        if said is None:
            return None if highest is None else "no endpoint says which block is final"
        if highest is not None and said.number < highest:
            return f"finality went back from block {highest} to {said.number}"
        if said.number > tip.number:
            return None  # says nothing of our blocks yet
        if await hash_at(said.number) not in (None, said.hash):
            return f"the final block {said.number} is not the one that we hold"
        self._highest = said.number  # None: deeper than what could be undone anyway
        number = min(said.number, tip.number - self._depth)
        if number >= 0:
            self.number = max(self.number or 0, number)
        return None
