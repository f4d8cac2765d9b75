"""Deposits made of a balance, for money that no block had shown; and what becomes of them then."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.ids import derived_id

STAND_IN = "audit/"
"""How the position of such a deposit begins."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A deposit that an operator made of a finding, and where its money can have come in."""

    deposit: Deposit
    finding_id: str
    first: int
    last: int

    def may_be(self, found: Deposit) -> bool:
        """Whether what was found in a block is this money, or a part of it."""
        mine = self.deposit
        same = (mine.network, mine.method, mine.address)
        return (found.network, found.method, found.address) == same and (
            self.first <= found.block_number <= self.last
        )

    def value_of(self, units: int) -> Fraction:
        """What the operator decided that so many of its units count for."""
        return (self.deposit.accepted or Fraction(0)) * units / self.deposit.units


Ceded = Mapping[StandIn, Deposit | None]
"""Stand-ins that give way to what was found, each with what stays of it; None: nothing."""


def is_stand_in(deposit: Deposit) -> bool:
    """Whether it was made of a balance."""
    return deposit.position.startswith(STAND_IN)


def give_way(stand_in: StandIn) -> Deposit:
    """The deposit once blocks show the money, or a part of it; no reorg."""
    gone = stand_in.deposit
    return replace(gone, status=DepositStatus.ORPHANED, corroborated=False, confirmed_at=None)


def take_place(
    found: Sequence[Deposit], stand_ins: Sequence[StandIn], sure: Collection[str]
) -> tuple[list[Deposit], Ceded]:
    """What was found in blocks, in place of stand-ins for it; and which of these give way.

    Each unit takes the place of one, so that their sum stays. What is found has what an operator
    decided of that money, and is as sure where nobody need be asked for it any more, unless it is
    more: a balance vouches for no more than it showed, and the usual rules must.

    Args:
        sure: ids of what nobody need be asked for.
    """
    left = {each: each.deposit.units for each in stand_ins}
    placed = []
    for each in found:
        confirmed_at, units, value = None, 0, Fraction(0)
        for stand_in in stand_ins:
            taken = min(left[stand_in], each.units - units) if stand_in.may_be(each) else 0
            if taken:
                left[stand_in] -= taken
                units, value = units + taken, value + stand_in.value_of(taken)
                confirmed_at = stand_in.deposit.confirmed_at if each.id in sure else None
        placed.append(_as_decided(each, units, value, confirmed_at))
    return placed, {
        stand_in: _remainder(stand_in, units) if units else None
        for stand_in, units in left.items()
        if units < stand_in.deposit.units
    }


def _remainder(stand_in: StandIn, units: int) -> Deposit:
    """What of it no block shows yet: a deposit of its own, since no deposit's amount changes."""
    whole = stand_in.deposit
    position = f"{STAND_IN}{stand_in.finding_id}/{units}"
    key = (whole.network, whole.block_hash, "", position)
    return replace(
        whole,
        id=derived_id("dep", whole.block_time, *key),
        position=position,
        units=units,
        accepted=stand_in.value_of(units),
    )


def _as_decided(found: Deposit, units: int, value: Fraction, confirmed_at: int | None) -> Deposit:
    """`found`, of which so many units were counted for `value` before they were seen."""
    if units == 0:
        return found
    decided = replace(found, accepted=value * found.units / units, accepted_by_hand=True)
    if units < found.units or confirmed_at is None:
        return decided
    status = DepositStatus.CONFIRMED
    return replace(decided, status=status, corroborated=True, confirmed_at=confirmed_at)
