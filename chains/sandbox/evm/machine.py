"""Calls between accounts: what they move, log and undo. No bytecode runs here.

A contract is a Python function beside the bytecode that it imitates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from chains.sandbox.state import State, coin
from watcher.domain.money import Address


class Reverted(Exception):
    """What was called fails: nothing that it did stays. The text is geth's word for why."""


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract tells; topics and data are `0x…`."""

    address: Address
    topics: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Move:
    """Native coin that moves from one account to another."""

    sender: Address
    to: Address
    units: int
    before: tuple[int, int]
    """The balances of both before it."""
    after: tuple[int, int]


FrameKind = Literal["CALL", "DELEGATECALL", "SELFDESTRUCT"]
LogMove = Callable[[Move], Log | None]
"""What the chain itself logs about a move, if it does."""


@dataclass(slots=True)
class Frame:
    """One call: what was asked, what came of it, what it called in turn."""

    sender: Address
    to: Address
    value: int
    data: bytes
    output: bytes = b""
    error: str | None = None
    calls: list[Frame] = field(default_factory=list)
    kind: FrameKind = "CALL"
    """A DELEGATECALL only speaks of the value; by a SELFDESTRUCT it moves, and no code runs."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What stands at an address."""

    code: str
    """`0x…`, as `eth_getCode` gives it."""
    run: Callable[[Machine, Frame], bytes]
    """Does what the code does, and returns its output; raises Reverted."""


class Machine:
    """Runs the calls of one transaction."""

    def __init__(
        self, state: State, contracts: Mapping[Address, Contract], log_move: LogMove
    ) -> None:
        self.state, self.logs = state, list[Log]()
        self._contracts, self._log_move = contracts, log_move

    def call(self, frame: Frame, *, inside: Frame | None = None, refused: bool = False) -> Frame:
        """Run `frame` and return it; what fails leaves nothing but its error.

        Args:
            refused: it fails at its end, whatever stands at the address.
        """
        if inside is not None:
            inside.calls.append(frame)
        mark, told = self.state.mark(), len(self.logs)
        try:
            self._run(frame)
            if refused:
                raise Reverted("execution reverted")
        except Reverted as error:
            self.state.rollback(mark)
            del self.logs[told:]
            frame.output, frame.error = b"", str(error)
        return frame

    def _run(self, frame: Frame) -> None:
        if frame.kind == "SELFDESTRUCT":
            self._move(frame.sender, frame.to, frame.value)  # which no chain logs
        elif frame.kind == "CALL":
            log = self._move(frame.sender, frame.to, frame.value)
            if log is not None:
                self.logs.append(log)
            contract = self._contracts.get(frame.to)
            if contract is not None:
                frame.output = contract.run(self, frame)

    def _move(self, sender: Address, to: Address, units: int) -> Log | None:
        """Move the coin; what the chain itself may say of it."""
        state = self.state
        if units == 0:
            return None
        if state[coin(sender)] < units:
            raise Reverted("insufficient balance for transfer")
        before = state[coin(sender)], state[coin(to)]
        state[coin(sender)] -= units
        state[coin(to)] += units
        after = state[coin(sender)], state[coin(to)]
        return self._log_move(Move(sender, to, units, before, after))
