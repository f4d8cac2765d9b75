"""Asking again, before a deposit is confirmed: is its block still the chain's, for whom?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import storage
from chains.base import ChainClient, ChainUnavailable
from storage import Engine
from watcher.domain.blocks import BlockRef, Hash, Transfer
from watcher.domain.copies import transfer_of
from watcher.domain.deposits import Deposit, is_deep
from watcher.policy import NetworkPolicy

ASKED_AT_ONCE = 8
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
RETURN_PAUSE = 60.0  # after which it is asked again early, should an endpoint come back
AWAY, ABLE = ("waiting", "refused"), ("new", "healthy", "slow")
OVERDUE_TIMES = 3  # as long as a network may go without a block

Question = tuple[BlockRef, tuple[Transfer, ...]]
Given = Mapping[Deposit, frozenset[str]]
"""Deposit -> names of the endpoints that repeat it."""


@dataclass(frozen=True, slots=True)
class Short:
    """A deposit that too few endpoints repeat."""

    block_number: int
    count: int
    """How many did when they were last asked."""
    pause_seconds: float
    since: float
    """When it was first asked, by the monotonic clock, as the following."""
    asked: float
    due: float


class Corroboration:
    """Asks the endpoints for what is deep enough to be confirmed.

    What too few of them repeat is asked again after a pause, which grows: else one endpoint that
    is away would cost the others a request a turn, until their budget is spent. Should one come
    back, all that waits is asked again.
    """

    def __init__(self, engine: Engine, client: ChainClient, network: NetworkPolicy) -> None:
        self._engine, self._client, self._network = engine, client, network
        self._short: dict[str, Short] = {}
        self._there: set[tuple[str, bool]] = set()
        """Who may be asked: by name alone, and once more where nothing is held against it."""

    @property
    def overdue(self) -> str | None:
        """What waits for so long that a person should look, in a sentence; None: nothing does."""
        limit = OVERDUE_TIMES * self._network.stalled_after
        before = time.monotonic() - limit
        late = sorted({each.block_number for each in self._short.values() if each.since <= before})
        if not late:
            return None
        others = f" and {len(late) - 1} more" if late[1:] else ""
        return f"deposits in block {late[0]}{others} have waited for agreement for {limit} s"

    @property
    def waiting(self) -> list[str]:
        """What waits for endpoints to agree, a sentence for each block."""
        counts = {each.block_number: each.count for each in self._short.values()}
        return [
            f"block {number} waits for agreement: "
            f"{count} of {self._network.agreement} endpoints repeat it"
            for number, count in counts.items()
        ]

    async def ask(self, tip: BlockRef, finality: int | None) -> Given:
        """The deposits that enough endpoints repeat now, oldest first; nothing is stored here.

        Where a block's hash does not commit to its transfers, who is asked must repeat the
        deposit, too: each by itself, so that one that only some endpoints know of holds up no
        other.
        """
        deep = await self._deep(tip, finality)
        self._short = {each.id: self._short[each.id] for each in deep if each.id in self._short}
        self._hasten()
        answers = await self._answers([self._question(each) for each in deep if self._due(each)])
        given = {}
        for each in deep:
            names = answers.get(self._question(each))
            if names is None:
                continue
            if len(names) < self._network.agreement:
                self._short[each.id] = self._later(each, len(names))
            else:
                self._short.pop(each.id, None)
                given[each] = names
        return given

    async def require_gone(self, tip: BlockRef, rival: BlockRef) -> None:
        """Refuse to give up a block for `rival`, unless more endpoints have that one than ours.

        Or where as many still have ours as must agree. Of two that differ nobody knows who is on a
        fork: then we wait and say so, rather than take back on one's word what both agreed on.

        Raises:
            ChainUnavailable: too many still have it.
        """
        if self._network.agreement < 2:
            return
        holders = await self._client.corroborate(tip, ())
        rivals = await self._client.corroborate(rival, ()) if holders else frozenset()
        if holders and len(holders) >= min(self._network.agreement, len(rivals)):
            raise ChainUnavailable(
                f"endpoints differ: {', '.join(sorted(holders))} still have block {tip.number} "
                "as we do, another is on a fork"
            )

    async def _deep(self, tip: BlockRef, finality: int | None) -> list[Deposit]:
        async with storage.read(self._engine) as conn:
            pending = await storage.deposits.pending(conn, self._network.spec.name)
        return [each for each in pending if not each.corroborated and is_deep(each, tip, finality)]

    def _hasten(self) -> None:
        """Ask early for what waits where an endpoint has come back since the last turn."""
        reports = self._client.endpoints()
        there = {(each.name, False) for each in reports if each.state not in AWAY}
        there |= {(each.name, True) for each in reports if each.state in ABLE}
        came, self._there = there - self._there, there
        for id, each in self._short.items() if came else ():
            self._short[id] = replace(each, due=min(each.due, each.asked + RETURN_PAUSE))

    def _due(self, deposit: Deposit) -> bool:
        """What was never asked for is due at once, also beside others of its block that wait."""
        short = self._short.get(deposit.id)
        return short is None or short.due <= time.monotonic()

    def _later(self, deposit: Deposit, count: int) -> Short:
        before, now = self._short.get(deposit.id), time.monotonic()
        pause = min(2 * before.pause_seconds, LONGEST_PAUSE) if before else FIRST_PAUSE
        since = before.since if before else now
        return Short(deposit.block_number, count, pause, since, now, now + pause)

    async def _answers(self, questions: Sequence[Question]) -> dict[Question, frozenset[str]]:
        """Who repeats what, each asked once."""
        answers: dict[Question, frozenset[str]] = {}
        asked = list(dict.fromkeys(questions))
        for start in range(0, len(asked), ASKED_AT_ONCE):
            few = asked[start : start + ASKED_AT_ONCE]
            names = await asyncio.gather(*(self._client.corroborate(*each) for each in few))
            answers |= dict(zip(few, names, strict=True))
        return answers

    def _question(self, deposit: Deposit) -> Question:
        """What to ask for a deposit: its block, and where that says nothing of it, itself."""
        # As much of a block as asking for it takes; its parent may no longer be known.
        ref = BlockRef(deposit.block_number, deposit.block_hash, Hash(""), deposit.block_time)
        repeat = self._network.must_repeat(deposit.position)
        return ref, (transfer_of(deposit),) if repeat else ()
