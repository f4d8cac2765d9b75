"""What all embedded chains do: keep their newest blocks, fork. Pure: no clock, no file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Reversible, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, Self, TypeVar

from chains.sandbox.state import HEIGHT, State

Json = dict[str, Any]
"""An object as the node sends it."""

KEPT_BLOCKS = 2_000


class Mined(Protocol):
    """A block, all that a node tells of it, and what it takes to undo and repeat it."""

    @property
    def number(self) -> int: ...
    @property
    def hash(self) -> str:
        """As the network writes it."""

    @property
    def timestamp(self) -> int:
        """Epoch seconds."""

    @property
    def tx_hashes(self) -> Sequence[str]: ...
    @property
    def before(self) -> Mapping[str, int]:
        """What its changes of the state replaced."""


class Flavour(Protocol):
    """What a network's own rules say of themselves."""

    @property
    def chain(self) -> str:
        """Which chain it is, so that a file of another is told apart."""


@dataclass(slots=True)
class Counters:
    """What no fork takes back, so that nothing that is made later equals what was dropped."""

    payers: int = 1_000
    """The next payer that nobody named; the numbers below are for who names one."""
    made: int = 0
    """Messages over a bridge, or transactions where their time is all that tells two apart."""
    forks: int = 0


F = TypeVar("F", bound=Flavour)
M = TypeVar("M", bound=Mined)


class Chain(ABC, Generic[F, M]):
    """Block 0 and the newest blocks, and what waits for the next.

    Args:
        blocks: at least block 0, oldest first, as `blocks` gave them.
        state: as it is after the newest of them.
    """

    def __init__(
        self,
        flavour: F,
        blocks: Iterable[M],
        state: State,
        counters: Counters,
        *,
        kept_blocks: int = KEPT_BLOCKS,
    ) -> None:
        self.flavour, self.state, self.counters = flavour, state, counters
        self._kept_blocks = kept_blocks
        self._blocks: dict[int, M] = {}
        self._numbers: dict[str, int] = {}
        self._settings: dict[str, int] = {}
        for mined in blocks:
            self._push(mined)

    @classmethod
    def begin(cls, flavour: F, timestamp: int, kept_blocks: int = KEPT_BLOCKS) -> Self:
        """A chain of block 0 only."""
        first = cls.first(flavour, timestamp)
        return cls(flavour, [first], State({}), Counters(), kept_blocks=kept_blocks)

    # What a network adds.

    @staticmethod
    @abstractmethod
    def first(flavour: F, timestamp: int) -> M:
        """Block 0; another second makes another chain."""

    @staticmethod
    @abstractmethod
    def revive(fields: Json) -> M:
        """A block from the JSON of its fields."""

    @abstractmethod
    def _make(self, timestamp: int) -> M:
        """The next block, with what waits, in the order in which it was sent."""

    @abstractmethod
    def _repeat(
        self, dropped: Sequence[M], keep: Collection[str], starved: Collection[str]
    ) -> None:
        """Let those of `keep` wait for the next block; an impossible wish is a ValueError."""

    # What it holds.

    @property
    def head(self) -> M:
        return next(reversed(self._blocks.values()))

    @property
    def blocks(self) -> Reversible[M]:
        """Block 0 and the newest, oldest first."""
        return self._blocks.values()

    @property
    def oldest(self) -> int:
        """The lowest block that is kept, but for block 0."""
        return next(islice(self._blocks, 1, None), 0)

    def block(self, number: int) -> M | None:
        return self._blocks.get(number)

    def block_of(self, block_hash: str) -> M | None:
        """The block by its hash, while it is in the chain."""
        number = self._numbers.get(block_hash)
        return None if number is None else self._blocks[number]

    def find(self, tx_hash: str) -> tuple[M, int] | None:
        """Where a transaction stands: its block, and its place in that."""
        for mined in reversed(self._blocks.values()):
            for index, known in enumerate(mined.tx_hashes):
                if known == tx_hash:
                    return mined, index
        return None

    def state_after(self, number: int) -> State:
        """A copy of the state as it was after that block."""
        state = self.state.copy()
        for above in self._down_to(number + 1):
            state.restore(above.before)
        return state

    # What makes it grow.

    def set(self, key: str, value: int) -> None:
        """Let a number of the state be so from the next block on, without a transaction.

        A fork that replaces that block takes it back.
        """
        self._settings[key] = value

    def mine(self, timestamp: int) -> M:
        """Put a block on top with what waits, in the order in which it was sent."""
        if timestamp < self.head.timestamp:
            raise ValueError("a block is never older than the one below it")
        self._settings[HEIGHT] = self.head.number + 1
        for key, value in self._settings.items():
            self.state[key] = value
        self._settings.clear()
        mined = self._make(timestamp)
        self._push(mined)
        return mined

    def fork(
        self,
        depth: int,
        *,
        blocks: int | None = None,
        keep: Collection[str] = (),
        starved: Collection[str] = (),
    ) -> list[M]:
        """Replace the newest blocks by a branch of its own; return them, oldest first.

        Args:
            blocks: how long the branch is, None: as long as what it replaces; each block has the
                time of the one it replaces.
            keep: hashes of the dropped transactions that the first of them has again.
            starved: those of `keep` that this time fail.

        Raises:
            ValueError: deeper than what is kept, or an impossible `keep`; nothing was done.
        """
        most = self.head.number - (self.oldest if self.oldest > 1 else 0)
        if not 1 <= depth <= most:  # the block that it grows from must be there
            raise ValueError(f"a fork replaces from 1 to {most} blocks")
        dropped = list(reversed(list(islice(self._down_to(1), depth))))
        self._repeat(dropped, keep, starved)
        for mined in reversed(dropped):
            self.state.restore(mined.before)
            del self._blocks[mined.number], self._numbers[mined.hash]
        self.counters.forks += 1
        times = [mined.timestamp for mined in dropped]
        for index in range(depth if blocks is None else blocks):
            self.mine(times[min(index, depth - 1)])
        return dropped

    def _payer(self, number: int | None) -> int:
        """That payer's number; None: of one that never paid before."""
        if number is None:
            number, self.counters.payers = self.counters.payers, self.counters.payers + 1
        return number

    def _push(self, mined: M) -> None:
        self._blocks[mined.number] = mined
        self._numbers[mined.hash] = mined.number
        if len(self._blocks) > self._kept_blocks + 1:
            _, oldest, *_ = islice(self._blocks.values(), 2)  # block 0 tells chains apart: it stays
            del self._blocks[oldest.number], self._numbers[oldest.hash]

    def _down_to(self, number: int) -> Iterator[M]:
        """From the newest block to that number, as far as blocks are kept; never block 0."""
        for mined in reversed(self._blocks.values()):
            if mined.number < max(number, 1):
                return
            yield mined
