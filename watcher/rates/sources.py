"""What a source of rates is, and price feeds read through the networks' own endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from chains.base import ChainClient, ChainError
from watcher.domain.money import Network
from watcher.domain.rates import Observation, Pair, Round

GRACE_SECONDS = 600  # what a feed's update may take until it is in a block
FUTURE_SECONDS = 60  # how far the chain's clock may be ahead of ours


class SourceFailed(Exception):
    """A source gave no usable answer; the text says why and holds no secret."""

    def __init__(self, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that it asked us to wait."""


class Source(Protocol):
    """Someone who says what things are worth."""

    name: str

    async def observe(self, now: int) -> Sequence[Observation]:
        """What it says now, each pair once.

        Raises:
            SourceFailed: nothing usable came.
        """

    async def close(self) -> None:
        """Close connections."""


class Chainlink:
    """Price feeds on chains; the networks' clients ask for them, and stay open."""

    name = "chainlink"

    def __init__(self, clients: Mapping[Network, ChainClient]) -> None:
        self._clients = clients

    async def observe(self, now: int) -> Sequence[Observation]:
        if not self._clients:
            raise SourceFailed("no network with price feeds is enabled")
        told = await asyncio.gather(*(self._rounds(*each) for each in self._clients.items()))
        rounds = [each for answer in told if not isinstance(answer, str) for each in answer]
        current = [each for each in rounds if _is_current(each, now)]
        if not current:
            reasons = [answer for answer in told if isinstance(answer, str)]
            raise SourceFailed("; ".join(reasons) or "no feed says a price of today")
        best: dict[Pair, Round] = {}
        # Many networks repeat one feed: that is one source, of which the newest word counts.
        for each in sorted(current, key=lambda each: (each.vouched, each.updated_at)):
            best[each.feed.pair] = each
        return [
            Observation(self.name, pair, each.price, now, each.updated_at, each.vouched)
            for pair, each in best.items()
        ]

    async def _rounds(self, network: Network, client: ChainClient) -> Sequence[Round] | str:
        """What the feeds of one network say, or why it is not known."""
        try:
            return await client.rounds()
        except ChainError as error:
            return f"{network}: {error}"

    async def close(self) -> None:
        """Nothing: the clients belong to others."""


def _is_current(told: Round, now: int) -> bool:
    """Whether the feed still updates: it says something at least once a heartbeat."""
    oldest = now - told.feed.heartbeat_seconds - GRACE_SECONDS
    return oldest <= told.updated_at <= now + FUTURE_SECONDS
