"""The audit's judgement: what it means that a balance is not what the ledger explains.

A balance is what arrived less what was taken out. The ledger knows what arrived; nobody tells it
what an address's owner takes out. So two measures of one address are compared, and what the ledger
says arrived between them. Where that does not tell two causes apart, the verdict says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from watcher.domain.blocks import Hash
from watcher.domain.money import Address, Asset, Method, Network, power

DUST_DECIMALS = 6
"""Below a millionth of a coin a difference is dust, which anybody may strew at little cost."""


class FindingKind(StrEnum):
    """What a difference means."""

    SURPLUS = "surplus"
    """More arrived than the ledger knows: money was missed, or was there before us."""
    MISSING = "missing"
    """Less arrived in a block than the ledger credits for it."""
    OUTGOING = "outgoing"
    """The balance fell while nothing arrived: the owner took it out, or code that acts for him."""
    UNCLEAR = "unclear"
    """Less is there than the ledger credits: taken out, or never arrived in full."""


class FindingState(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    """A person should look."""
    NOTED = "noted"
    """Outgoing from an address without code: nothing to do."""
    ACCEPTED = "accepted"
    """An operator made a deposit of it."""
    DISMISSED = "dismissed"
    """An operator looked, and it may stay so."""
    RESOLVED = "resolved"
    """The ledger has caught up with the balance."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What an address held of one asset, and what the ledger says had arrived by then."""

    first: int
    last: int
    """The balance was so at some block from `first` to `last`; the ledger's sum at all of them."""
    units: int
    ledger: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What the ledger does not explain, and where it came about."""

    kind: FindingKind
    units: int
    first: int | None
    """The first block in which it may have come about; None: nobody looked before."""
    last: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference at one address, as stored."""

    id: str
    network: Network
    address: Address
    method: Method
    kind: FindingKind
    units: int
    first: int | None
    last: int
    block_hash: Hash | None
    """Of the block `last`; None where nobody could say."""
    block_time: int | None
    state: FindingState
    found_at: int
    closed_at: int | None = None
    deposit_id: str | None = None
    """The deposit that was made of it."""
    has_code: bool | None = None
    """Whether code stood there, which acts without the owner; None: not asked, or nobody said."""


def dust(asset: Asset, minimum: int) -> int:
    """Units from which on a difference matters: the asset's `minimum`, or a millionth of it."""
    return max(1, minimum or power(max(0, asset.decimals - DUST_DECIMALS)))


def arrived(deposits: Iterable[tuple[int, int]], number: int) -> int:
    """The ledger's sum at block `number` of deposits, each as (block number, units)."""
    return sum(units for block, units in deposits if block <= number)


def change(before: Measure | None, after: Measure) -> int:
    """How the difference between balance and ledger changed; above zero: more is there.

    Without a measure `before`, against an address that was empty.
    """
    earlier = before.units - before.ledger if before else 0
    return after.units - after.ledger - earlier


def judge(before: Measure | None, after: Measure) -> Difference:
    """What the change between two measures means, which must not be zero."""
    first = None if before is None else before.first + 1
    return Difference(_kind(before, after), abs(change(before, after)), first, after.last)


def _kind(before: Measure | None, after: Measure) -> FindingKind:
    if change(before, after) > 0:
        return FindingKind.SURPLUS
    if before is None:
        return FindingKind.UNCLEAR
    if after.ledger == before.ledger:
        return FindingKind.OUTGOING
    one_block = after.last == before.first + 1
    # Where the balance itself fell, something was taken out in the deposit's very block.
    short = one_block and after.units >= before.units
    return FindingKind.MISSING if short else FindingKind.UNCLEAR


def absorb(findings: Sequence[Finding], gained: int, now: int) -> tuple[list[Finding], int]:
    """What findings become when the ledger's past gains `gained` units (below zero: loses them).

    A ledger that gains catches up with a surplus, one that loses with what was missing; oldest
    first. Returns the findings that changed, and what none of them explains.
    """
    kinds = {FindingKind.SURPLUS} if gained > 0 else {FindingKind.MISSING, FindingKind.UNCLEAR}
    changed, left = [], abs(gained)
    for each in sorted(findings, key=lambda finding: finding.id):
        waits = each.state in (FindingState.OPEN, FindingState.DISMISSED)
        if left and waits and each.kind in kinds:
            taken = min(left, each.units)
            left -= taken
            changed.append(_caught_up(each, taken, now))
    return changed, left if gained > 0 else -left


def _caught_up(finding: Finding, units: int, now: int) -> Finding:
    if units < finding.units:
        return replace(finding, units=finding.units - units)
    return replace(finding, state=FindingState.RESOLVED, closed_at=now)


def leftover(gained: int, last: int) -> Difference:
    """What to say of a ledger that changed its past, up to block `last`, with no finding for it."""
    kind = FindingKind.UNCLEAR if gained > 0 else FindingKind.SURPLUS
    return Difference(kind, abs(gained), None, last)
