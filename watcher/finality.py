"""What is final on one network: what the endpoints say, believed only of our own blocks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog

from chains.base import ChainClient, ChainError
from watcher.domain.blocks import BlockRef, Hash
from watcher.domain.money import Network

ASK_SECONDS = 20

log = structlog.get_logger()


class Finality:
    """The newest block of ours that is final. Only rises.

    Where it was known and is no longer, steps back, or names another block than ours, something is
    wrong with the chain or the endpoints: `frozen` says what, and nothing may be confirmed until
    that is over.
    """

    def __init__(self, network: Network) -> None:
        self.number: int | None = None
        self.frozen: str | None = None
        self._network = network
        self._said: BlockRef | None = None
        self._due = 0.0

    def remember(self, stored: int | None) -> None:
        """Take over what the database knows."""
        if stored is not None:
            self.number = max(self.number or 0, stored)

    async def ask(self, client: ChainClient) -> None:
        """Ask what is final, and for every endpoint's head, at most every 20 seconds."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + ASK_SECONDS
        await client.survey()
        try:
            self._said = await client.finalized()
        except ChainError as error:
            log.debug("finality unknown", network=self._network, reason=str(error))
            self._said = None

    async def judge(self, tip: BlockRef, hash_at: Callable[[int], Awaitable[Hash | None]]) -> None:
        """Rise to what was said, where that block is in our chain; else say what is wrong."""
        self.frozen = await self._objection(tip, hash_at)

    async def _objection(
        self, tip: BlockRef, hash_at: Callable[[int], Awaitable[Hash | None]]
    ) -> str | None:
        said, kept = self._said, self.number
        if said is None:
            return None if kept is None else "no endpoint says which block is final"
        if kept is not None and said.number < kept:
            return f"finality went back from block {kept} to {said.number}"
        if said.number > tip.number:
            return None  # says nothing of our blocks yet
        if await hash_at(said.number) not in (None, said.hash):
            return f"the final block {said.number} is not the one that we hold"
        self.number = said.number  # None: deeper than what could be undone anyway
        return None
